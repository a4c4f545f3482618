package weir_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/internal/memloop"
	"weir/internal/patience"
	"weir/weirtest"
)

const (
	askEcho   = "GET /s HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
	switched  = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
	untilDone = time.Hour // on the fake clock
)

// piped is a handler that upgrades to "echo", and goes on with f.
func piped(t testing.TB, f func(p *weir.Pipe)) func(*weir.Response, *weir.Request) {
	return func(w *weir.Response, _ *weir.Request) {
		p, err := w.Upgrade("echo")
		if err != nil {
			t.Errorf("got %v", err)
			return
		}
		f(p)
	}
}

// echo sends back what it reads.
func echo(p *weir.Pipe) { _, _ = io.Copy(p, p) }

// ways are the kinds of handler that can serve a pipe: each gets what the peer sends by got, and its end by end.
func pipeWays(t testing.TB, begun func(*weir.Pipe), got func([]byte), end func(error)) map[string]func(m *weir.Mux) {
	read := func(p *weir.Pipe) {
		begun(p)
		b := make([]byte, 7)
		for {
			n, err := p.Read(b)
			got(b[:n])
			if err != nil {
				end(err)
				return
			}
		}
	}
	upgrade := func(w *weir.Response) *weir.Pipe {
		p, err := w.Upgrade("echo")
		if err != nil {
			t.Errorf("got %v", err)
			return nil
		}
		return p
	}
	detach := func(w *weir.Response, _ *weir.Request) {
		if p := upgrade(w); p != nil {
			p.Detach()
			go func() { read(p); _ = p.Close() }()
		}
	}
	return map[string]func(m *weir.Mux){
		"goroutine": func(m *weir.Mux) { m.HandleFunc("/s", piped(t, read)) },
		"detached":  func(m *weir.Mux) { m.HandleFunc("/s", detach) },
		"inline":    func(m *weir.Mux) { m.HandleFunc("/s", detach).Inline() },
		"stream":    func(m *weir.Mux) { m.HandleFunc("/s", piped(t, read)).StreamBody() },
		"loop": func(m *weir.Mux) {
			m.HandleLoop("/s", looped(func(x *weir.LoopExchange) *receiver {
				begun(upgrade(x.Response()))
				return &receiver{data: got, end: func(err error) { end(err); x.End() }}
			}))
		},
		"loop, later": func(m *weir.Mux) {
			m.HandleLoop("/s", looped(func(x *weir.LoopExchange) *receiver {
				p := (*weir.Pipe)(nil)
				return &receiver{data: got, end: func(err error) {
					if p == nil {
						p = upgrade(x.Response())
						begun(p)
						return
					}
					end(err)
					x.End()
				}}
			}))
		},
		"handed over": func(m *weir.Mux) {
			m.HandleLoop("/s", looped(func(x *weir.LoopExchange) *receiver {
				return &receiver{end: func(error) { x.HandOver(weir.HandlerFunc(piped(t, read))) }}
			}))
		},
	}
}

// log notes what a handler has seen, from any goroutine.
type pipeLog struct {
	mu   sync.Mutex
	text bytes.Buffer
	ends []error
}

func (y *pipeLog) got(p []byte) { y.mu.Lock(); defer y.mu.Unlock(); y.text.Write(p) }
func (y *pipeLog) end(err error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.ends = append(y.ends, err)
}

func (y *pipeLog) seen() (string, []error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.text.String(), slices.Clone(y.ends)
}

// H25 (RFC 9110 7.8, 15.2.2): after the 101 the connection is the other protocol's in both directions, from the first byte
// behind the head on, however the bytes are cut.
func TestUpgradeCutAnywhere(t *testing.T) {
	const sent = "first bytes\x00\r\n\r\nGET /s HTTP/1.1\r\n\r\nand the last ones"
	whole := askEcho + sent
	for _, way := range []string{"goroutine", "detached", "inline", "stream", "loop", "loop, later", "handed over"} {
		t.Run(way, func(t *testing.T) {
			for cut := 1; cut < len(whole); cut++ {
				var y pipeLog
				m := new(weir.Mux)
				pipeWays(t, func(p *weir.Pipe) { _ = p.Send([]byte("hello")) }, y.got, y.end)[way](m)
				atDesk(t, m, nil, func(d *desk) {
					c := d.dial(whole[:cut])
					synctest.Wait()
					d.write(c, whole[cut:])
					synctest.Wait()
					_ = c.CloseWrite()
					if got, want := d.seen(c), switched+"hello"; got != want {
						t.Fatalf("cut at %d: got %q, want %q", cut, got, want)
					}
					if got, ends := y.seen(); got != sent || len(ends) != 1 || ends[0] != io.EOF {
						t.Fatalf("cut at %d: the handler got %q and %v, want %q and EOF", cut, got, ends, sent)
					}
					if err := c.Err(); err != io.EOF {
						t.Fatalf("cut at %d: got %v behind it, want FIN", cut, err)
					}
					c.Close()
				})
			}
		})
	}
}

// What the other protocol sends is sent as it is, by any goroutine and by the loop, behind what was written before; the
// fields that were set are in the head.
func TestPipeSends(t *testing.T) {
	m := mux(map[string]func(*weir.Response, *weir.Request){"/s": func(w *weir.Response, _ *weir.Request) {
		w.Header().Set("Sec-WebSocket-Accept", "x")
		w.WriteString("zero ")
		p, err := w.Upgrade("ECHO")
		if err != nil || w.Status() != 101 || !w.Committed() {
			t.Errorf("got %v, status %d", err, w.Status())
			return
		}
		for i, send := range []func([]byte) error{p.Send, p.TrySend, func(b []byte) error { _, err := p.Write(b); return err }} {
			if err := send(fmt.Appendf(nil, "%d ", i+1)); err != nil {
				t.Errorf("got %v", err)
			}
		}
		_ = p.Send(bytes.Repeat([]byte("x"), 9<<10))
		if sent := w.Stats(); sent.Status != 101 || sent.Bytes != 11+9<<10 || sent.Chunks != 5 {
			t.Errorf("got %+v", sent)
		}
		if err := p.Close(); err != nil || !p.Ended() || p.Close() != nil {
			t.Errorf("got %v", err)
		}
		_, werr := p.Write([]byte("late"))
		_, rerr := p.Read(make([]byte, 1))
		for _, err := range []error{werr, rerr} {
			if !errors.Is(err, weir.ErrPipeClosed) || !errors.Is(err, net.ErrClosed) || !errors.Is(err, weir.ErrStreamEnded) {
				t.Errorf("got %v, want ErrPipeClosed", err)
			}
		}
	}})
	atDesk(t, m, nil, func(d *desk) {
		c := d.dial(askEcho)
		want := strings.Replace(switched, "\r\n\r\n", "\r\nSec-WebSocket-Accept: x\r\n\r\n", 1)
		want = strings.Replace(want, "echo", "ECHO", 1) + "zero 1 2 3 " + strings.Repeat("x", 9<<10)
		if got := d.seen(c); got != want || c.Err() != io.EOF {
			t.Errorf("got %q and %v, want %q and FIN", got, c.Err(), want)
		}
		if st := d.srv.Stats(); st.StreamsTotal != 1 || st.StreamsActive != 0 || st.StreamsCancelled+st.StreamsFailed != 0 || st.BodyBytes != 0 {
			t.Errorf("got %+v", st)
		}
	})
}

// H25: a piece is whole, however large, whether the loop's handler is still running or not.
func TestPipeSendsLargePieces(t *testing.T) {
	for _, way := range []string{"goroutine", "detached", "inline", "stream", "loop", "loop, later", "handed over"} {
		t.Run(way, func(t *testing.T) {
			for _, size := range []int{0, 100, 4 << 10, 100 << 10} {
				body := bytes.Repeat([]byte("x"), size)
				var y pipeLog
				m := new(weir.Mux)
				pipeWays(t, func(p *weir.Pipe) {
					room, err := p.TrySendParts([]byte("head "), body)
					if err := errors.Join(err, p.Send(body)); err != nil || !room {
						t.Errorf("got %v and room %v", err, room)
					}
				}, y.got, y.end)[way](m)
				atDesk(t, m, nil, func(d *desk) {
					c := d.dial(askEcho)
					if got, want := d.seen(c), switched+"head "+string(body)+string(body); got != want {
						t.Errorf("%d bytes: got %d, want %d", size, len(got), len(want))
					}
					c.Close()
				})
			}
		})
	}
}

// Nothing is sent behind the last piece, whoever sends meanwhile.
func TestPipeSendLast(t *testing.T) {
	m := mux(map[string]func(*weir.Response, *weir.Request){"/s": piped(t, func(p *weir.Pipe) {
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for p.TrySend([]byte("x")) == nil {
				}
			})
		}
		if err := p.SendLast([]byte("la"), []byte("st")); err != nil {
			t.Error(err)
		}
		all.Wait()
	})})
	atDesk(t, m, smallMarks, func(d *desk) {
		for range 20 {
			c := d.dial(askEcho)
			if got := d.seen(c); !strings.HasSuffix(got, "last") {
				t.Fatalf("got %q at the end, want the last piece", got[max(0, len(got)-20):])
			}
			c.Close()
		}
	})
}

// An upgrade that is not possible is an error, and the response is what the handler makes of it.
func TestUpgradeRefused(t *testing.T) {
	var got error
	handle := func(w *weir.Response, r *weir.Request) {
		_, got = w.Upgrade("echo")
		fmt.Fprint(w, "plain")
	}
	m := mux(map[string]func(*weir.Response, *weir.Request){
		"/s":     handle,
		"/begun": func(w *weir.Response, r *weir.Request) { _ = w.Stream().Commit(); handle(w, r) },
		"/opened": func(w *weir.Response, r *weir.Request) {
			_ = w.Stream()
			handle(w, r)
		},
		"/twice": func(w *weir.Response, r *weir.Request) {
			if _, err := w.Upgrade("echo"); err != nil {
				t.Error(err)
			}
			handle(w, r)
		},
	})
	m.HandleFunc("/body", handle).StreamBody()
	m.HandleFunc("/inline", handle).Inline()
	m.HandleLoop("/loop", looped(func(x *weir.LoopExchange) *receiver {
		handle(x.Response(), x.Request())
		return &receiver{end: func(error) { x.End() }}
	}))
	const offer = "Connection: keep-alive, upgrade\r\nUpgrade: other, echo/2\r\nUpgrade: echo\r\n"
	post := func(path string) string {
		return "POST " + path + " HTTP/1.1\r\nHost: a\r\n" + offer + "Content-Length: 4\r\n\r\n"
	}
	for name, tt := range map[string]struct {
		request, want string
		fine          bool
	}{
		"offered among others":   {"GET /s HTTP/1.1\r\nHost: a\r\n" + offer + "\r\n", "HTTP/1.1 101 ", true},
		"behind a body":          {post("/s") + "body", "HTTP/1.1 101 ", true},
		"inline, behind a body":  {post("/inline") + "body", "HTTP/1.1 101 ", true},
		"no Upgrade":             {"GET /s HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n", "HTTP/1.1 200 ", false},
		"no option":              {"GET /s HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\n\r\n", "HTTP/1.1 200 ", false},
		"another":                {"GET /s HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo/2, h2c\r\n\r\n", "HTTP/1.1 200 ", false},
		"HTTP/1.0":               {"GET /s HTTP/1.0\r\n" + offer + "\r\n", "HTTP/1.1 200 ", false},
		"HEAD":                   {"HEAD /s HTTP/1.1\r\nHost: a\r\n" + offer + "\r\n", "HTTP/1.1 200 ", false},
		"begun":                  {"GET /begun HTTP/1.1\r\nHost: a\r\n" + offer + "\r\n", "HTTP/1.1 200 ", false},
		"a stream":               {"GET /opened HTTP/1.1\r\nHost: a\r\n" + offer + "\r\n", "HTTP/1.1 200 ", false},
		"twice":                  {"GET /twice HTTP/1.1\r\nHost: a\r\n" + offer + "\r\n", "HTTP/1.1 101 ", false},
		"a body not read":        {post("/body") + "bo", "HTTP/1.1 200 ", false},
		"a body on the loop":     {post("/loop") + "body", "HTTP/1.1 200 ", false},
		"a body not here, on it": {post("/loop") + "bo", "HTTP/1.1 200 ", false},
	} {
		t.Run(name, func(t *testing.T) {
			got = errLuck
			atDesk(t, m, nil, func(d *desk) {
				c := d.dial(tt.request)
				defer c.Close()
				if synctest.Wait(); strings.HasSuffix(tt.request, "\r\nbo") {
					d.write(c, "dy")
				}
				text := d.seen(c)
				if !strings.HasPrefix(text, tt.want) || (got == nil) != tt.fine || got != nil && !errors.Is(got, weir.ErrUpgrade) {
					t.Errorf("got %v and %q, want %q", got, text, tt.want)
				}
				if head, _ := cutHead(text); strings.HasPrefix(tt.want, "HTTP/1.1 200") && strings.Contains(head, "Upgrade") {
					t.Errorf("got %q, want a response that says nothing of Upgrade", head)
				}
			})
		})
	}
}

// In OnHeaders, in front of every handler.
func TestUpgradeInOnHeaders(t *testing.T) {
	var y pipeLog
	atDesk(t, new(weir.Mux), func(s *weir.Server) {
		s.OnHeaders = func(w *weir.Response, r *weir.Request) bool {
			p, err := w.Upgrade("echo")
			if err != nil {
				y.end(err)
				return true
			}
			p.Detach()
			go func() { echo(p); _ = p.Close() }()
			return false
		}
	}, func(d *desk) {
		c := d.dial(askEcho + "one ")
		synctest.Wait()
		d.write(c, "two")
		if got := d.seen(c); got != switched+"one two" {
			t.Errorf("got %q", got)
		}
		c.Close()
		c = d.dial("POST /s HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\nContent-Length: 3\r\n\r\none")
		if got, _, _ := strings.Cut(d.seen(c), "\r\n"); got != "HTTP/1.1 404 Not Found" {
			t.Errorf("got %q", got)
		}
		if _, ends := y.seen(); len(ends) != 1 || !errors.Is(ends[0], weir.ErrUpgrade) {
			t.Errorf("got %v, want ErrUpgrade: the body is still to be read", ends)
		}
		c.Close()
	})
}

// A pipe lasts as long as it likes: neither the pace of bodies nor the time of idle connections is for it.
func TestPipeHasNoPace(t *testing.T) {
	atDesk(t, mux(map[string]func(*weir.Response, *weir.Request){"/s": piped(t, echo)}), nil, func(d *desk) {
		c := d.dial("POST /s HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\nContent-Length: 2\r\n\r\nhi")
		for range 3 {
			time.Sleep(untilDone)
			d.write(c, "x")
		}
		if got := d.seen(c); got != switched+"xxx" {
			t.Errorf("got %q", got)
		}
		c.Close()
	})
}

// A peer that shuts down its sending side has sent all, and still reads.
func TestPipeHalfClose(t *testing.T) {
	for name, tt := range map[string]struct {
		half weir.HalfClose
		want []error
	}{"gone": {weir.HalfCloseGone, []error{weir.ErrClientGone}}, "allowed": {weir.HalfCloseAllow, []error{nil}}} {
		for _, way := range []string{"goroutine", "detached", "loop"} {
			t.Run(name+" "+way, func(t *testing.T) {
				var y pipeLog
				var told tally
				m := new(weir.Mux)
				var pipe *weir.Pipe
				pipeWays(t, func(p *weir.Pipe) { pipe = p; p.OnClose(told.tell) }, y.got, func(err error) {
					y.end(err)
					_ = pipe.Send([]byte("bye"))
				})[way](m)
				atDesk(t, m, func(s *weir.Server) { s.HalfClose = tt.half }, func(d *desk) {
					c := d.dial(askEcho + "one")
					_ = c.CloseWrite() // with the head, before there is a pipe
					if got := d.seen(c); got != switched+"bye" || c.Err() != io.EOF {
						t.Errorf("got %q and %v, want bye and FIN", got, c.Err())
					}
					text, ends := y.seen()
					if text != "one" || len(ends) != 1 || ends[0] != io.EOF {
						t.Errorf("got %q and %v", text, ends)
					}
					want := tt.want
					if way == "loop" {
						want = []error{nil} // which has BodyReceiver.End
					}
					if got := told.told(); !slices.Equal(got, want) {
						t.Errorf("OnClose was called with %v, want %v", got, want)
					}
					c.Close()
				})
			})
		}
	}
}

// A handler that has sent all still reads, and ends when it has what the peer sends.
func TestPipeCloseWrite(t *testing.T) {
	for _, way := range []string{"goroutine", "detached", "loop"} {
		for _, pending := range []bool{false, true} {
			t.Run(fmt.Sprint(way, " pending ", pending), func(t *testing.T) {
				var y pipeLog
				var told tally
				m := new(weir.Mux)
				pipeWays(t, func(p *weir.Pipe) {
					p.OnClose(told.tell)
					_ = p.Send([]byte("all"))
					if err := p.CloseWrite(); err != nil {
						t.Errorf("got %v", err)
					}
					if err := p.Send([]byte("late")); err != weir.ErrPipeClosed {
						t.Errorf("got %v, want ErrPipeClosed", err)
					}
					if err := p.CloseWrite(); err != weir.ErrPipeClosed {
						t.Errorf("again: got %v, want ErrPipeClosed", err)
					}
				}, y.got, y.end)[way](m)
				atDesk(t, m, func(s *weir.Server) { s.HalfClose = weir.HalfCloseAllow }, func(d *desk) {
					c := d.Dial()
					if pending {
						c.SetWindow(10)
					}
					d.write(c, askEcho)
					synctest.Wait()
					c.SetWindow(1 << 16)
					if got := d.seen(c); got != switched+"all" || c.Err() != io.EOF {
						t.Errorf("got %q and %v, want FIN behind it", got, c.Err())
					}
					d.write(c, "more")
					if synctest.Wait(); len(told.told()) != 0 {
						t.Errorf("ended with %v", told.told())
					}
					_ = c.CloseWrite()
					synctest.Wait()
					if text, ends := y.seen(); text != "more" || len(ends) != 1 || ends[0] != io.EOF {
						t.Errorf("got %q, %v", text, ends)
					}
					if got := told.told(); !slices.Equal(got, []error{nil}) {
						t.Errorf("OnClose was called with %v, want nil", got)
					}
					if n := d.kernel().Open(); n != 0 {
						t.Errorf("got %d open connections, want none", n)
					}
					c.Close()
				})
			})
		}
	}
}

// One that closes, or is reset, behind its CloseWrite ends as any other.
func TestPipeEndsBehindCloseWrite(t *testing.T) {
	for name, tt := range map[string]struct {
		end    func(p *weir.Pipe)
		client func(c *weirtest.Client)
		want   error
	}{
		"Close":       {func(p *weir.Pipe) { _ = p.Close() }, func(*weirtest.Client) {}, nil},
		"Close, busy": {func(p *weir.Pipe) { _ = p.Close() }, func(c *weirtest.Client) { _, _ = c.Write([]byte("more")) }, nil},
		"return":      {func(*weir.Pipe) {}, func(*weirtest.Client) {}, nil},
		"Abort":       {func(p *weir.Pipe) { p.Abort(errLuck) }, func(*weirtest.Client) {}, errLuck},
		"reset":       {func(p *weir.Pipe) { <-p.Done() }, func(c *weirtest.Client) { c.Reset() }, weir.ErrClientGone},
	} {
		t.Run(name, func(t *testing.T) {
			var told tally
			atDesk(t, mux(map[string]func(*weir.Response, *weir.Request){"/s": piped(t, func(p *weir.Pipe) {
				p.OnClose(told.tell)
				_ = p.CloseWrite()
				time.Sleep(time.Second)
				tt.end(p)
			})}), nil, func(d *desk) {
				c := d.dial(askEcho)
				d.seen(c)
				tt.client(c)
				time.Sleep(10 * time.Second) // lingers behind it
				if got := told.told(); len(got) != 1 || !errors.Is(got[0], tt.want) {
					t.Errorf("got %v, want %v", got, tt.want)
				}
				if n := d.kernel().Open(); n != 0 {
					t.Errorf("got %d open connections, want none", n)
				}
				c.Close()
			})
		})
	}
}

// A pipe that is only written sees the peer disconnect, even while what it has not read fills its room.
func TestPipeThatDoesNotRead(t *testing.T) {
	for _, full := range []bool{false, true} {
		var told tally
		atDesk(t, mux(map[string]func(*weir.Response, *weir.Request){"/s": piped(t, func(p *weir.Pipe) {
			p.OnClose(told.tell)
			<-p.Done()
		})}), nil, func(d *desk) {
			c := d.dial(askEcho)
			if d.seen(c); full {
				go func() { _, _ = c.Write(make([]byte, 1<<20)) }()
				synctest.Wait()
			}
			if len(told.told()) != 0 {
				t.Errorf("got %v before", told.told())
			}
			c.Close()
			synctest.Wait()
			if got := told.told(); len(got) != 1 || !errors.Is(got[0], weir.ErrClientGone) {
				t.Errorf("got %v, want one ErrClientGone", got)
			}
		})
	}
}

// Whatever ends a pipe, and whenever: OnClose is called once, Done is closed, whoever waits returns, nothing is left.
func TestPipeEnds(t *testing.T) {
	gone := func(c *weirtest.Client) { c.Reset() }
	for name, tt := range map[string]struct {
		handle func(p *weir.Pipe) error
		client func(d *desk, c *weirtest.Client)
		want   error
	}{
		"reset at once":          {func(p *weir.Pipe) error { <-p.Done(); return p.Cause() }, func(_ *desk, c *weirtest.Client) { synctest.Wait(); gone(c) }, weir.ErrClientGone},
		"reset while it reads":   {func(p *weir.Pipe) error { _, err := io.ReadAll(p); return err }, func(_ *desk, c *weirtest.Client) { synctest.Wait(); gone(c) }, weir.ErrClientGone},
		"reset behind bytes":     {func(p *weir.Pipe) error { b, err := io.ReadAll(p); return fmt.Errorf("%d %w", len(b), err) }, func(d *desk, c *weirtest.Client) { synctest.Wait(); d.write(c, "xy"); gone(c) }, weir.ErrClientGone},
		"reset while it sends":   {fill, func(_ *desk, c *weirtest.Client) { synctest.Wait(); gone(c) }, weir.ErrClientGone},
		"takes nothing":          {fill, func(*desk, *weirtest.Client) { time.Sleep(time.Minute) }, weir.ErrSlowClient},
		"reset behind its FIN":   {func(p *weir.Pipe) error { _, _ = io.ReadAll(p); return fill(p) }, func(_ *desk, c *weirtest.Client) { _ = c.CloseWrite(); synctest.Wait(); gone(c) }, weir.ErrClientGone},
		"the server is cut":      {func(p *weir.Pipe) error { _, err := io.ReadAll(p); return err }, func(d *desk, _ *weirtest.Client) { synctest.Wait(); d.cut() }, weir.ErrServerClosed},
		"cut while it sends":     {fill, func(d *desk, _ *weirtest.Client) { synctest.Wait(); d.cut() }, weir.ErrServerClosed},
		"closed while it reads":  {func(p *weir.Pipe) error { go p.Close(); _, err := io.ReadAll(p); return err }, func(*desk, *weirtest.Client) {}, weir.ErrPipeClosed},
		"aborted while it reads": {func(p *weir.Pipe) error { go p.Abort(errLuck); _, err := io.ReadAll(p); return err }, func(*desk, *weirtest.Client) {}, errLuck},
		"aborted while it sends": {func(p *weir.Pipe) error { time.AfterFunc(time.Second, func() { p.Abort(errLuck) }); return fill(p) }, func(*desk, *weirtest.Client) { time.Sleep(time.Minute) }, errLuck},
		"closes":                 {(*weir.Pipe).Close, func(*desk, *weirtest.Client) {}, nil},
		"returns":                {func(*weir.Pipe) error { return nil }, func(*desk, *weirtest.Client) {}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var told, result, failed tally
			m := mux(map[string]func(*weir.Response, *weir.Request){"/s": piped(t, func(p *weir.Pipe) {
				p.OnClose(told.tell)
				result.tell(tt.handle(p))
			})})
			atDesk(t, m, func(s *weir.Server) {
				smallMarks(s)
				s.OnError = func(_ *weir.Response, _ *weir.Request, err error) { failed.tell(err) }
			}, func(d *desk) {
				c := d.Dial()
				c.SetWindow(200)
				d.write(c, askEcho)
				tt.client(d, c)
				synctest.Wait()
				got := result.told()
				if len(got) != 1 || !errors.Is(got[0], tt.want) {
					t.Errorf("the handler got %v, want %v", got, tt.want)
				}
				want := tt.want
				if want == weir.ErrPipeClosed {
					want = nil
				}
				if got := told.told(); len(got) != 1 || !errors.Is(got[0], want) {
					t.Errorf("OnClose was called with %v, want %v", got, want)
				}
				if st := d.srv.Stats(); st.StreamsTotal != 1 || st.StreamsActive != 0 || st.BodyBytes != 0 {
					t.Errorf("got %+v", st)
				}
				if n := len(failed.told()); (n == 1) != (want == errLuck || want == weir.ErrSlowClient || want == weir.ErrServerClosed) {
					t.Errorf("OnError was called %d times", n)
				}
				switch d.seen(c); {
				case want == nil && c.Err() != io.EOF, want != nil && !isReset(c.Err()) && !errors.Is(c.Err(), net.ErrClosed):
					t.Errorf("the client got %v", c.Err())
				}
				c.Close()
			})
		})
	}
}

func isReset(err error) bool { return err != nil && strings.Contains(err.Error(), "reset") }

// fill sends until that fails.
func fill(p *weir.Pipe) error {
	for {
		if err := p.Send(make([]byte, 1000)); err != nil {
			return err
		}
	}
}

// A reader that is behind stops the peer, and no byte is lost or counted twice.
func TestPipeReaderBehind(t *testing.T) {
	const size = 5 << 20
	for _, way := range []string{"goroutine", "loop"} {
		t.Run(way, func(t *testing.T) {
			var got, wrong int
			var start chan struct{}
			check := func(p []byte) {
				for _, b := range p {
					if b != byte(got%251) {
						wrong++
					}
					got++
				}
			}
			m := new(weir.Mux)
			var loop *weir.LoopExchange
			if way == "goroutine" {
				m.HandleFunc("/s", piped(t, func(p *weir.Pipe) {
					<-start
					b := make([]byte, 3000)
					for {
						n, err := p.Read(b)
						if check(b[:n]); err != nil {
							return
						}
					}
				}))
			} else {
				m.HandleLoop("/s", looped(func(x *weir.LoopExchange) *receiver {
					if _, err := x.Response().Upgrade("echo"); err != nil {
						t.Error(err)
					}
					x.PauseBody()
					loop = x
					return &receiver{data: func(p []byte) {
						check(p)
						if x.PauseBody(); got < size {
							x.Loop().Post(task(x.ResumeBody))
						} else {
							x.ResumeBody()
						}
					}, end: func(error) { x.End() }}
				}))
			}
			atDesk(t, m, nil, func(d *desk) {
				start = make(chan struct{})
				c := d.dial(askEcho)
				synctest.Wait()
				var sent int
				go func() {
					p := make([]byte, 1000)
					for sent < size {
						for i := range p {
							p[i] = byte((sent + i) % 251)
						}
						n, err := c.Write(p[:min(len(p), size-sent)])
						if sent += n; err != nil {
							t.Error(err)
							return
						}
					}
					_ = c.CloseWrite()
				}()
				synctest.Wait()
				if sent > 300<<10 || got != 0 {
					t.Errorf("sent %d bytes to a handler that reads nothing, which got %d", sent, got)
				}
				if used := d.srv.Stats().BodyBytes; used > 256<<10 {
					t.Errorf("got %d bytes kept", used)
				}
				if close(start); loop != nil {
					loop.Loop().Post(task(loop.ResumeBody))
				}
				d.seen(c)
				if got != size || wrong != 0 {
					t.Errorf("got %d bytes, %d of them wrong, want %d", got, wrong, size)
				}
				if used := d.srv.Stats().BodyBytes; used != 0 {
					t.Errorf("got %d bytes kept at the end", used)
				}
				c.Close()
			})
		})
	}
}

// Bytes for which there is no room end the pipe, not the server.
func TestPipeWithoutRoom(t *testing.T) {
	var told tally
	var release chan struct{}
	m := mux(map[string]func(*weir.Response, *weir.Request){"/s": piped(t, func(p *weir.Pipe) {
		p.OnClose(told.tell)
		<-release
		<-p.Done()
	})})
	atDesk(t, m, func(s *weir.Server) { s.Limits.Bodies = 8 << 10 }, func(d *desk) {
		release = make(chan struct{})
		c := d.dial(askEcho)
		synctest.Wait()
		d.write(c, strings.Repeat("x", 30<<10))
		synctest.Wait()
		if got := told.told(); len(got) != 1 || !errors.Is(got[0], weir.ErrBodiesFull) {
			t.Errorf("got %v, want ErrBodiesFull", got)
		}
		close(release)
		synctest.Wait()
		if st := d.srv.Stats(); st.BodyBytes != 0 || st.StreamsActive != 0 {
			t.Errorf("got %+v", st)
		}
		c.Close()
	})
}

// A client that is behind stops Send, and TrySend does not wait for it.
func TestPipeClientBehind(t *testing.T) {
	sent := 0
	m := mux(map[string]func(*weir.Response, *weir.Request){"/s": piped(t, func(p *weir.Pipe) {
		var err error
		for err == nil {
			if err = p.TrySend(make([]byte, 1000)); err == nil {
				sent++
			}
		}
		if err != weir.ErrBacklog {
			t.Errorf("got %v, want ErrBacklog", err)
		}
		if err := p.Send([]byte("!")); err != nil {
			t.Errorf("got %v", err)
		}
	})})
	atDesk(t, m, smallMarks, func(d *desk) {
		c := d.Dial()
		c.SetWindow(1)
		d.write(c, askEcho)
		if synctest.Wait(); sent > 20 {
			t.Errorf("sent %d KB above the high mark of 16", sent)
		}
		c.SetWindow(1 << 20)
		if got := d.seen(c); len(got) != len(switched)+1000*sent+1 || got[len(got)-1] != '!' {
			t.Errorf("got %d bytes", len(got))
		}
		c.Close()
	})
}

// Deadlines are those of a net.Conn: for what waits and what comes later, until they are moved.
func TestPipeDeadlines(t *testing.T) {
	m := mux(map[string]func(*weir.Response, *weir.Request){"/s": piped(t, func(p *weir.Pipe) {
		late := func(what string, err error, after time.Duration, since time.Time) {
			t.Helper()
			if took := time.Since(since); !errors.Is(err, os.ErrDeadlineExceeded) || took != after {
				t.Errorf("%s: got %v after %v, want a timeout after %v", what, err, took, after)
			}
		}
		read := func() error { _, err := p.Read(make([]byte, 1)); return err }
		now := time.Now()
		_ = p.SetReadDeadline(now.Add(time.Second))
		late("read", read(), time.Second, now)
		late("again", read(), time.Second, now)
		now = time.Now()
		_ = p.SetDeadline(now.Add(time.Minute))
		time.AfterFunc(time.Second, func() { _ = p.SetReadDeadline(time.Now()) })
		late("moved while it waits", read(), time.Second, now)
		_ = p.SetDeadline(time.Time{})
		now = time.Now()
		time.AfterFunc(2*time.Second, func() { _ = p.SetWriteDeadline(time.Now()) })
		late("send", fill(p), 2*time.Second, now)
		late("try", p.TrySend([]byte("x")), 2*time.Second, now)
		_ = p.SetDeadline(now.Add(untilDone))
		if err := p.TrySend([]byte("x")); err != weir.ErrBacklog {
			t.Errorf("got %v, want ErrBacklog", err)
		}
		if p.LocalAddr() == nil || p.RemoteAddr().Network() != "tcp" {
			t.Errorf("got the addresses %v and %v", p.LocalAddr(), p.RemoteAddr())
		}
	})})
	atDesk(t, m, smallMarks, func(d *desk) {
		c := d.Dial()
		c.SetWindow(200)
		d.write(c, askEcho)
		time.Sleep(10 * time.Second)
		c.Close()
	})
}

// A shutdown waits for pipes as for streams, and tells them.
func TestPipeDrains(t *testing.T) {
	var told tally
	m := mux(map[string]func(*weir.Response, *weir.Request){
		"/s": piped(t, func(p *weir.Pipe) {
			p.OnClose(told.tell)
			<-p.Draining()
			if _, ok := p.Deadline(); !ok {
				t.Error("got no deadline")
			}
			_ = p.Send([]byte("bye"))
		}),
		"/stays": piped(t, func(p *weir.Pipe) { p.OnClose(told.tell); echo(p) }),
	})
	m.HandleLoop("/loop", looped(func(x *weir.LoopExchange) *receiver {
		if _, err := x.Response().Upgrade("echo"); err != nil {
			t.Error(err)
		}
		return &receiver{data: func(p []byte) { x.Push(p) }, closed: told.tell}
	}))
	atDesk(t, m, nil, func(d *desk) {
		leaves := d.dial(askEcho)
		stays, loop := d.dial(strings.Replace(askEcho, "/s", "/stays", 1)), d.dial(strings.Replace(askEcho, "/s", "/loop", 1))
		synctest.Wait()
		done := make(chan weir.DrainReport, 1)
		go func() { r, _ := d.srv.Shutdown(context.Background()); done <- r }()
		if got := d.seen(leaves); got != switched+"bye" || leaves.Err() != io.EOF {
			t.Errorf("got %q and %v", got, leaves.Err())
		}
		for _, c := range []*weirtest.Client{stays, loop} {
			if d.write(c, "on"); d.seen(c) != switched+"on" {
				t.Error("a pipe does not go on during a drain")
			}
		}
		if got := told.told(); !slices.Equal(got, []error{nil}) {
			t.Errorf("got %v", got)
		}
		leaves.Close()
		if r := <-done; r.Drained != 1 || r.Cut != 2 {
			t.Errorf("got %+v", r)
		}
		synctest.Wait()
		if got := told.told(); len(got) != 3 || got[1] != weir.ErrServerClosed || got[2] != weir.ErrServerClosed {
			t.Errorf("got %v", got)
		}
	})
}

// Above the limit on streams the response is 503, and the next request is served.
func TestPipesAreLimited(t *testing.T) {
	m := new(weir.Mux)
	m.HandleFunc("/s", func(w *weir.Response, _ *weir.Request) {
		p, err := w.Upgrade("echo")
		if err != nil {
			if !errors.Is(err, weir.ErrBusy) {
				t.Errorf("got %v, want ErrBusy", err)
			}
			return
		}
		echo(p)
	}).MaxStreams(1)
	atDesk(t, m, nil, func(d *desk) {
		first := d.dial(askEcho)
		synctest.Wait()
		c := d.dial(askEcho)
		if got, _, _ := strings.Cut(d.seen(c), "\r\n"); got != "HTTP/1.1 503 Service Unavailable" {
			t.Errorf("got %q", got)
		}
		first.Close()
		synctest.Wait()
		if d.write(c, askEcho+"x"); d.seen(c) != switched+"x" {
			t.Error("got no pipe when there was room again")
		}
		c.Close()
	})
}

// A LoopHandler that keeps a Pipe and receives nothing has made a mistake, which shows.
func TestPipeWithoutReceiver(t *testing.T) {
	var failed tally
	m := new(weir.Mux)
	m.HandleLoop("/s", weir.LoopHandlerFunc(func(x *weir.LoopExchange) weir.BodyReceiver {
		p, err := x.Response().Upgrade("echo")
		if err != nil {
			t.Error(err)
			return nil
		}
		if _, err := p.Read(make([]byte, 1)); err != weir.ErrBlockingOnLoop {
			t.Errorf("got %v, want ErrBlockingOnLoop", err)
		}
		if string(x.Request().PathBytes()) == "/s" && x.Request().RawQuery() == "keep" {
			p.Detach()
		}
		return nil
	}))
	atDesk(t, m, func(s *weir.Server) {
		s.OnError = func(_ *weir.Response, _ *weir.Request, err error) { failed.tell(err) }
	}, func(d *desk) {
		c := d.dial(askEcho)
		if got := d.seen(c); got != switched || c.Err() != io.EOF || len(failed.told()) != 0 {
			t.Errorf("got %q, %v and %v, want a pipe that ends", got, c.Err(), failed.told())
		}
		c.Close()
		c = d.dial(strings.Replace(askEcho, "/s", "/s?keep", 1))
		if d.seen(c); !isReset(c.Err()) || len(failed.told()) != 1 {
			t.Errorf("got %v and %v, want a reset and an error", c.Err(), failed.told())
		}
		c.Close()
	})
}

// Trace and the log see a pipe as a response with status 101.
func TestPipeIsTraced(t *testing.T) {
	var lines []string
	trace := &weir.Trace{
		Head: func(_ *weir.Request, _ any, s weir.ResponseStats) {
			lines = append(lines, fmt.Sprint("head ", s.Status))
		},
		Chunk: func(_ *weir.Request, _ any, _ weir.ResponseStats, n int) {
			lines = append(lines, fmt.Sprint("chunk ", n))
		},
		End: func(_ *weir.Request, _ any, s weir.ResponseStats, err error) {
			lines = append(lines, fmt.Sprint("end ", s.Status, s.Bytes, err))
		},
	}
	atDesk(t, mux(map[string]func(*weir.Response, *weir.Request){"/s": piped(t, func(p *weir.Pipe) { _ = p.Send([]byte("abc")) })}),
		func(s *weir.Server) { s.Trace = trace }, func(d *desk) {
			c := d.dial(askEcho)
			d.seen(c)
			c.Close()
			synctest.Wait()
			if want := []string{"head 101", "chunk 3", "end 101 3 <nil>"}; !slices.Equal(lines, want) {
				t.Errorf("got %q, want %q", lines, want)
			}
		})
}

// Over TCP, with a client of its own.
func TestUpgradeOverTCP(t *testing.T) {
	srv := &weir.Server{Handler: mux(map[string]func(*weir.Response, *weir.Request){"/s": piped(t, echo)}), Loops: 2}
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer shutdown(t, srv)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			c, err := net.Dial("tcp", srv.Addrs()[0].String())
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(patience.Limit))
			payload := bytes.Repeat([]byte("0123456789abcdef"), 64<<10)
			go func() {
				_, _ = c.Write([]byte(askEcho))
				_, _ = c.Write(payload)
				_ = c.(*net.TCPConn).CloseWrite()
			}()
			r := bufio.NewReader(c)
			head := make([]byte, len(switched))
			if _, err := io.ReadFull(r, head); err != nil || string(head) != switched {
				t.Errorf("got %q, %v", head, err)
				return
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, payload) {
				t.Errorf("got %d bytes, %v, want the %d that were sent", len(got), err, len(payload))
			}
		})
	}
	all.Wait()
}

// Over TLS a pipe is as in the clear: bytes in both directions, the end of the peer's, back-pressure, and a broken
// record, which ends it.
func TestPipeOverTLS(t *testing.T) {
	payload := strings.Repeat("0123456789abcdef", 20<<10)
	for _, way := range []string{"goroutine", "detached", "loop"} {
		for name, leave := range map[string]func(c *tls.Conn, raw *memloop.Client){
			"close_notify": func(c *tls.Conn, _ *memloop.Client) { _ = c.CloseWrite() },
			"a broken record": func(_ *tls.Conn, raw *memloop.Client) {
				_, _ = io.WriteString(raw, "\x17\x03\x03\x00\x20"+strings.Repeat("x", 32))
			},
		} {
			t.Run(way+", "+name, func(t *testing.T) {
				var y pipeLog
				var told tally
				var pipe *weir.Pipe
				m := new(weir.Mux)
				pipeWays(t, func(p *weir.Pipe) { pipe = p; p.OnClose(told.tell) }, y.got, func(err error) {
					y.end(err)
					_ = pipe.Send([]byte("bye"))
				})[way](m)
				atSecureDesk(t, m, nil, func(d *secureDesk) {
					c, raw := d.secure(askEcho + "one ")
					if got := d.seenSecure(c); got != switched {
						t.Fatalf("got %q", got)
					}
					if _, err := io.WriteString(c, payload); err != nil {
						t.Error(err)
					}
					synctest.Wait()
					leave(c, raw)
					got := d.seenSecure(c)
					synctest.Wait() // for OnClose's goroutine
					text, ends := y.seen()
					if text != "one "+payload {
						t.Errorf("the handler got %d bytes, want %d", len(text), len(payload)+4)
					}
					if causes := told.told(); name == "close_notify" {
						if got != "bye" || len(ends) != 1 || ends[0] != io.EOF || len(causes) != 1 {
							t.Errorf("got %q, %v and the causes %v, want bye", got, ends, causes)
						}
					} else if got == "bye" || len(causes) != 1 || causes[0] == nil {
						t.Errorf("got %q and the causes %v, want one error", got, causes)
					}
					raw.Close()
				})
			})
		}
	}
}

// CloseWrite is a close_notify, behind which the client can still send.
func TestPipeCloseWriteOverTLS(t *testing.T) {
	var y pipeLog
	var told tally
	m := mux(map[string]func(*weir.Response, *weir.Request){"/s": piped(t, func(p *weir.Pipe) {
		p.OnClose(told.tell)
		_ = p.Send(bytes.Repeat([]byte("x"), 100<<10))
		_ = p.CloseWrite()
		b, err := io.ReadAll(p)
		y.got(b)
		y.end(err)
	})})
	atSecureDesk(t, m, func(s *weir.Server) { s.HalfClose = weir.HalfCloseAllow }, func(d *secureDesk) {
		c, raw := d.secure(askEcho)
		got, err := io.ReadAll(c)
		if len(got) != len(switched)+100<<10 || err != nil {
			t.Errorf("got %d bytes, %v, want a close_notify behind them", len(got), err)
		}
		_, _ = io.WriteString(c, "more")
		_ = c.CloseWrite()
		synctest.Wait()
		if text, ends := y.seen(); text != "more" || len(ends) != 1 || ends[0] != nil || !slices.Equal(told.told(), []error{nil}) {
			t.Errorf("got %q, %v and the causes %v", text, ends, told.told())
		}
		raw.Close()
	})
}

// Several goroutines may read, each a part; the end is for all of them.
func TestPipeReadAtOnce(t *testing.T) {
	var y pipeLog
	m := mux(map[string]func(*weir.Response, *weir.Request){"/s": piped(t, func(p *weir.Pipe) {
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for b := make([]byte, 3); ; {
					n, err := p.Read(b)
					if y.got(b[:n]); err != nil {
						y.end(err)
						return
					}
				}
			})
		}
		all.Wait()
	})})
	atDesk(t, m, nil, func(d *desk) {
		c := d.dial(askEcho)
		d.seen(c)
		d.write(c, strings.Repeat("x", 100))
		synctest.Wait()
		if text, _ := y.seen(); len(text) != 100 {
			t.Errorf("got %d bytes, want 100", len(text))
		}
		_ = c.CloseWrite()
		synctest.Wait()
		if _, ends := y.seen(); len(ends) != 4 {
			t.Errorf("got %v, want four ends", ends)
		}
		c.Close()
	})
}

// A handler on a goroutine whose pipe is received on the loop: every byte comes there, from the first one on, and its
// Closed is the last call, whenever the handler returns.
func TestUpgradeLoop(t *testing.T) {
	const sent = "first bytes\r\n\r\nand the last ones"
	for name, tt := range map[string]struct {
		handle func(p *weir.Pipe)
		want   string
		cause  error
	}{
		"waits":   {func(p *weir.Pipe) { <-p.Done() }, "", weir.ErrClientGone},
		"returns": {func(p *weir.Pipe) {}, "bye", nil},
		"closes":  {func(p *weir.Pipe) { _ = p.Close() }, "bye", nil},
		"says its last": {func(p *weir.Pipe) {
			_ = p.SendLast([]byte("la"), []byte("st"))
			if room, err := p.TrySendParts([]byte("late"), nil); room || err != weir.ErrPipeClosed {
				t.Errorf("got %v, %v behind the last", room, err)
			}
			var b weir.Batch
			if err := b.SendPipe(p, []byte("late")); err != weir.ErrPipeClosed {
				t.Errorf("got %v from a Batch behind the last", err)
			}
		}, "last", nil},
		"aborts": {func(p *weir.Pipe) { p.Abort(errLuck) }, "failed", errLuck},
		"panics": {func(p *weir.Pipe) { panic(errLuck) }, "failed", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var y pipeLog
			var closed tally
			m := mux(map[string]func(*weir.Response, *weir.Request){"/s": func(w *weir.Response, _ *weir.Request) {
				p, err := w.UpgradeLoop("echo")
				if err != nil {
					t.Error(err)
					return
				}
				p.EndWith([]byte("bye"), []byte("failed"))
				if _, err := p.Read(make([]byte, 1)); err != weir.ErrBlockingOnLoop {
					t.Errorf("got %v from Read", err)
				}
				p.Receive(func(x *weir.LoopExchange) weir.BodyReceiver {
					if x.Loop() != p.Loop() {
						t.Error("it has another loop")
					}
					return &receiver{data: y.got, end: y.end, closed: closed.tell}
				})
				tt.handle(p)
			}})
			atDesk(t, m, nil, func(d *desk) {
				c := d.dial(askEcho + sent)
				if got := d.seen(c); got != switched+tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
				if tt.want != "" && c.Err() != io.EOF {
					t.Errorf("got %v, want FIN", c.Err())
				}
				if got, _ := y.seen(); tt.want == "" && got != sent {
					t.Errorf("got %q, want %q", got, sent)
				}
				c.Reset()
				synctest.Wait()
				if got := closed.told(); len(got) != 1 || name != "panics" && !errors.Is(got[0], tt.cause) {
					t.Errorf("Closed was called with %v, want %v", got, tt.cause)
				}
				if st := d.srv.Stats(); st.StreamsActive != 0 || (st.StreamsFailed == 1) != (tt.want == "failed") {
					t.Errorf("got %+v", st)
				}
			})
		})
	}
	m := new(weir.Mux)
	m.HandleLoop("/s", looped(func(x *weir.LoopExchange) *receiver {
		if _, err := x.Response().UpgradeLoop("echo"); err != weir.ErrBlockingOnLoop {
			t.Errorf("got %v on a loop", err)
		}
		x.End()
		return &receiver{}
	}))
	atDesk(t, m, nil, func(d *desk) { d.seen(d.dial(askEcho)) })
}

// A Pipe without a receiver for what the peer sends is a mistake, which shows.
func TestReceiveNothing(t *testing.T) {
	var ends tally
	m := mux(map[string]func(*weir.Response, *weir.Request){"/s": func(w *weir.Response, _ *weir.Request) {
		p, err := w.UpgradeLoop("echo")
		if err != nil {
			t.Error(err)
			return
		}
		p.Receive(func(*weir.LoopExchange) weir.BodyReceiver { return nil })
		<-p.Done()
		ends.tell(p.Cause())
	}})
	atDesk(t, m, nil, func(d *desk) {
		c := d.dial(askEcho + "to nobody")
		d.seen(c)
		if got := ends.told(); len(got) != 1 || got[0] == nil || !strings.Contains(got[0].Error(), "no BodyReceiver") || !isReset(c.Err()) {
			t.Errorf("got %v and %v, want an error and a reset", got, c.Err())
		}
	})
}

// drainer is a receiver that is notified of a shutdown.
type drainer struct {
	receiver
	draining func()
}

func (d *drainer) Draining() { d.draining() }

// A BodyReceiver that wants to know of a shutdown is notified once, on its loop.
func TestDrainer(t *testing.T) {
	var told tally
	m := new(weir.Mux)
	m.HandleLoop("/s", weir.LoopHandlerFunc(func(x *weir.LoopExchange) weir.BodyReceiver {
		p, err := x.Response().Upgrade("echo")
		if err != nil {
			t.Error(err)
		}
		return &drainer{draining: func() {
			_, ok := p.Deadline()
			told.tell(fmt.Errorf("deadline %v", ok))
			x.End()
		}}
	}))
	atDesk(t, m, nil, func(d *desk) {
		c := d.dial(askEcho)
		d.seen(c)
		report := d.Drain()
		if got := told.told(); len(got) != 1 || got[0].Error() != "deadline true" || c.Err() != io.EOF {
			t.Errorf("got %v and %v", got, c.Err())
		}
		if d.Tick(3 * time.Second); (<-report).Drained != 1 {
			t.Error("it was not drained")
		}
	})
}

// A client that must upgrade learns how (RFC 9110 15.5.22), also when the connection closes.
func TestUpgradeRequired(t *testing.T) {
	m := mux(map[string]func(*weir.Response, *weir.Request){"/s": func(w *weir.Response, r *weir.Request) {
		w.UpgradeRequired("echo", "want echo")
	}})
	atDesk(t, m, nil, func(d *desk) {
		c := d.dial("GET /s HTTP/1.1\r\nHost: a\r\n\r\nGET /s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /s")
		got := d.seen(c)
		if n := strings.Count(got, "HTTP/1.1 426 Upgrade Required\r\n"); n != 2 || strings.Count(got, "Connection: Upgrade\r\nUpgrade: echo\r\n") != 2 || !strings.Contains(got, "Connection: close") {
			t.Errorf("got %q", got)
		}
	})
}

// H21: a protocol that cannot be written is never written.
func TestUpgradeRequiredRefused(t *testing.T) {
	var failed tally
	m := mux(map[string]func(*weir.Response, *weir.Request){"/s": func(w *weir.Response, r *weir.Request) {
		w.UpgradeRequired("echo\r\nX-Evil: 1", "want echo")
	}})
	atDesk(t, m, func(s *weir.Server) {
		s.OnError = func(_ *weir.Response, _ *weir.Request, err error) { failed.tell(err) }
	}, func(d *desk) {
		got := d.seen(d.get("/s"))
		if !strings.HasPrefix(got, "HTTP/1.1 500 ") || strings.Contains(got, "Evil") {
			t.Errorf("got %q, want 500", got)
		}
		if errs := failed.told(); len(errs) != 1 || !errors.Is(errs[0], weir.ErrField) {
			t.Errorf("got %v, want ErrField", errs)
		}
	})
}
