package ways

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"

	"weir"
)

// receiver is a BodyReceiver that notes its calls.
type receiver struct {
	x       *weir.LoopExchange
	r       *record
	data    func(p []byte)
	end     func(err error)
	drained func()
	closed  func(cause error)
}

func (c *receiver) Data(p []byte) {
	if c.data != nil {
		c.data(p)
	}
}

func (c *receiver) End(err error) {
	c.r.note("receiver", "end: %s", name(err))
	if c.end != nil {
		c.end(err)
	}
}

func (c *receiver) Drained() {
	if c.drained != nil {
		c.drained()
	}
}

func (c *receiver) Closed(cause error) {
	c.r.note("receiver", "closed: %s", name(cause))
	if c.closed != nil {
		c.closed(cause)
	}
	c.r.kept()
}

// onLoop is a case of a LoopHandler at "/"; client nil is one GET.
func onLoop(title string, client func(p *peer), h func(r *record, c *receiver)) aCase {
	return aCase{name: title, serve: func(m *weir.Mux, r *record) func(p *peer) {
		m.HandleLoop("/", weir.LoopHandlerFunc(func(x *weir.LoopExchange) weir.BodyReceiver {
			c := &receiver{x: x, r: r}
			h(r, c)
			r.promise(1)
			return c
		}))
		return client
	}}
}

// soon runs f on the loop of c, in a turn of its own.
func (c *receiver) soon(f func()) { c.x.Loop().Post(loopTask(f)) }

type loopTask func()

func (t loopTask) Run() { t() }

// gathered notes how much of a body has come, and what it was.
func (c *receiver) gathered(then func(body []byte)) {
	var body []byte
	c.data = func(p []byte) { body = append(body, p...) }
	c.end = func(err error) {
		if errors.Is(err, io.EOF) {
			then(body)
		}
	}
}

func put(body []byte) func(p *peer) {
	return func(p *peer) { p.read(p.open(p.Context(), "PUT", "/", bytes.NewReader(body))) }
}

func loops() []aCase {
	hello := put([]byte("hello"))
	return []aCase{
		onLoop("a body echoed on the loop", hello, func(_ *record, c *receiver) {
			c.data = func(p []byte) { c.x.Push(p) }
			c.end = func(error) { c.x.End() }
		}),
		onLoop("a large body on the loop", put(large(1<<20)), func(_ *record, c *receiver) {
			c.gathered(func(body []byte) {
				c.x.Response().WriteString(shown(body))
				c.x.End()
			})
		}),
		onLoop("a body on the loop, with pauses", put(large(1<<18)), func(r *record, c *receiver) {
			paused := true
			c.x.PauseBody()
			c.soon(func() {
				paused = false
				c.x.ResumeBody()
			})
			c.gathered(func(body []byte) {
				c.x.Response().WriteString(shown(body))
				c.x.End()
			})
			keep := c.data
			c.data = func(p []byte) {
				if paused {
					r.note("receiver", "data in a pause")
				}
				keep(p)
				paused = true
				c.x.PauseBody()
				c.soon(func() {
					paused = false
					c.x.ResumeBody()
				})
			}
		}),
		onLoop("a stream on the loop", nil, func(_ *record, c *receiver) {
			n := 0
			var step func()
			step = func() {
				if n++; n > 3 {
					c.x.End()
					return
				}
				c.x.Push(fmt.Append(nil, "chunk ", n))
				c.soon(step)
			}
			c.end = func(error) { step() }
		}),
		onLoop("a buffered response on the loop", nil, func(_ *record, c *receiver) {
			c.end = func(error) {
				c.x.Response().SetStatus(201)
				c.x.Response().WriteString("hello")
				c.x.End()
			}
		}),
		onLoop("HEAD on the loop", func(p *peer) { p.ask("HEAD", "/", "") }, func(_ *record, c *receiver) {
			c.end = func(error) { c.x.Push([]byte("a")) }
		}),
		{name: "a loop handler without a receiver", serve: func(m *weir.Mux, _ *record) func(p *peer) {
			m.HandleLoop("/", weir.LoopHandlerFunc(func(x *weir.LoopExchange) weir.BodyReceiver {
				x.Response().WriteString("at once")
				return nil
			}))
			return hello
		}},
		onLoop("a loop handler fails before its first chunk", nil, func(_ *record, c *receiver) {
			c.end = func(error) { c.x.Abort(errBroken) }
		}),
		onLoop("a loop handler fails later", nil, func(_ *record, c *receiver) {
			c.end = func(error) {
				c.x.Push([]byte("a"))
				c.x.Abort(errBroken)
			}
		}),
		onLoop("a panic on the loop", nil, func(*record, *receiver) { panic("boom") }),
		onLoop("a panic of a receiver", nil, func(_ *record, c *receiver) { c.end = func(error) { panic("boom") } }),
		{name: "a body on the loop that is too large", serve: func(m *weir.Mux, r *record) func(p *peer) {
			m.HandleLoop("/", weir.LoopHandlerFunc(func(x *weir.LoopExchange) weir.BodyReceiver {
				r.promise(1)
				return &receiver{x: x, r: r}
			})).MaxBody(3)
			return func(p *peer) {
				p.ask("POST", "/", "hello")
				p.read(p.open(p.Context(), "PUT", "/", io.MultiReader(strings.NewReader("hel"), strings.NewReader("lo"))))
			}
		}},
		onLoop("a body handed over", hello, func(_ *record, c *receiver) {
			c.gathered(func(body []byte) {
				c.x.HandOver(weir.HandlerFunc(func(w *weir.Response, req *weir.Request) {
					fmt.Fprintf(w, "%q on a goroutine", req.Body())
				}), body)
			})
		}),
		onLoop("a body handed over to a stream", hello, func(r *record, c *receiver) {
			c.gathered(func(body []byte) {
				c.x.HandOver(weir.HandlerFunc(func(w *weir.Response, _ *weir.Request) {
					w.StreamFrom(source(r, io.EOF, "a", "b"))
				}), body)
			})
		}),
		loopBackpressure(),
		onLoopGone("a disconnect before the first chunk on the loop", 0, func(*receiver) {}),
		onLoopGone("a disconnect in a stream on the loop", 1, func(c *receiver) { c.x.Push([]byte("a")) }),
	}
}

// onLoopGone is a case of a client that reads some bytes of a stream on the
// loop, and disconnects.
func onLoopGone(title string, read int, h func(c *receiver)) aCase {
	return aCase{name: title, serve: func(m *weir.Mux, r *record) func(p *peer) {
		ready := make(chan struct{})
		m.HandleLoop("/", weir.LoopHandlerFunc(func(x *weir.LoopExchange) weir.BodyReceiver {
			r.promise(1)
			c := &receiver{x: x, r: r}
			c.end = func(error) {
				h(c)
				close(ready)
			}
			c.closed = func(error) { r.note("receiver", "push: %v, %s", x.Push([]byte("b")), name(x.Err())) }
			return c
		}))
		return cancelled(ready, read)
	}}
}

// A client that does not read makes Push report that it is behind, and nothing
// is lost.
func loopBackpressure() aCase {
	const chunk, chunks = 64 << 10, 256 // more than any kernel takes for a client that does not read
	return aCase{name: "a client that does not read, on the loop", serve: func(m *weir.Mux, r *record) func(p *peer) {
		behind := make(chan struct{})
		m.HandleLoop("/", weir.LoopHandlerFunc(func(x *weir.LoopExchange) weir.BodyReceiver {
			r.promise(1)
			c, p, left := &receiver{x: x, r: r}, large(chunk), chunks
			push := func() {
				for left > 0 {
					left--
					if !x.Push(p) {
						return
					}
				}
				x.End()
			}
			c.end = func(error) {
				push()
				r.note("receiver", "behind: %v", left > 0)
				close(behind)
			}
			c.drained = push
			return c
		}))
		return func(p *peer) {
			res := p.open(p.Context(), "GET", "/", nil)
			await(p, behind)
			p.read(res)
		}
	}}
}

// Informational responses come before the response.
func informs() []aCase {
	client := func(p *peer) {
		trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			p.note("client", "%d %s", code, fields(http.Header(header)))
			return nil
		}}
		p.read(p.open(httptrace.WithClientTrace(p.Context(), trace), "GET", "/", nil))
	}
	inform := func(r *record, w *weir.Response) {
		var hints weir.Header
		hints.Add("Link", "</a.css>; rel=preload")
		hints.Add("Link", "</b.css>; rel=preload")
		r.note("handler", "Inform: %s", name(w.Inform(103, &hints)))
		r.note("handler", "Inform: %s", name(w.Inform(102, nil)))
		w.Header().Set("X-Later", "1")
		w.WriteString("hello")
	}
	return []aCase{
		{name: "informational responses", serve: func(m *weir.Mux, r *record) func(p *peer) {
			m.HandleFunc("/", r.watched(func(w *weir.Response, _ *weir.Request) { inform(r, w) }))
			return client
		}},
		onLoop("informational responses on the loop", client, func(r *record, c *receiver) {
			c.end = func(error) {
				inform(r, c.x.Response())
				c.x.End()
			}
		}),
	}
}
