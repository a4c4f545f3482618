package weir_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/chunked"
	"weir/weirtest"
)

// A handler on the loop is called with its body while that arrives, and responds as it likes.
func TestHandleLoop(t *testing.T) {
	m := new(weir.Mux)
	m.HandleLoop("PUT /echo", looped(func(x *weir.LoopExchange) *receiver {
		return &receiver{
			data: func(p []byte) { x.Push(p) },
			end: func(err error) {
				if errors.Is(err, io.EOF) {
					x.End()
				} else {
					x.Abort(err)
				}
			},
		}
	}))
	m.HandleLoop("PUT /at-once", atOnce(weir.HandlerFunc(func(w *weir.Response, _ *weir.Request) { w.WriteString("no need") })))
	m.HandleLoop("PUT /begun-at-once", weir.LoopHandlerFunc(func(x *weir.LoopExchange) weir.BodyReceiver {
		x.Push([]byte("a"))
		return nil
	}))
	m.HandleLoop("PUT /written", looped(func(x *weir.LoopExchange) *receiver {
		x.Response().WriteString("a")
		return &receiver{end: func(error) { x.Push([]byte("b")); x.End() }}
	}))
	m.HandleLoop("PUT /error", looped(func(x *weir.LoopExchange) *receiver {
		return &receiver{end: func(error) { x.Response().Error(502, "bad luck") }}
	}))
	tests := []struct{ name, request, status, body string }{
		{"whole", "PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "200 OK", "5\r\nhello\r\n0\r\n\r\n"},
		{"in chunks", "PUT /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "200 OK", "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"},
		{"no body", "PUT /echo HTTP/1.1\r\nHost: a\r\n\r\n", "200 OK", "0\r\n\r\n"},
		{"a bad chunk at once", "PUT /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx", "500 Internal Server Error", "Internal Server Error\n"},
		{"without a receiver", "PUT /at-once HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "200 OK", "no need"},
		{"without a receiver, begun", "PUT /begun-at-once HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "200 OK", "1\r\na\r\n0\r\n\r\n"},
		{"written before", "PUT /written HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "200 OK", "1\r\na\r\n1\r\nb\r\n0\r\n\r\n"},
		{"an error", "PUT /error HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "502 Bad Gateway", "bad luck\n"},
	}
	atDesk(t, m, nil, func(d *desk) {
		for _, test := range tests {
			if status, body := d.exchange(test.request); status != test.status || body != test.body {
				t.Errorf("%s: got %s %q, want %s %q", test.name, status, body, test.status, test.body)
			}
		}
	})
}

// A receiver hears of everything once and in its order, of nothing once it has ended the exchange, and of the end last.
func TestReceiver(t *testing.T) {
	nothing := func(*weir.LoopExchange, string) {}
	on := func(call string, f func(x *weir.LoopExchange)) func(*weir.LoopExchange, string) {
		return func(x *weir.LoopExchange, got string) {
			if got == call {
				f(x)
			}
		}
	}
	end, fail := (*weir.LoopExchange).End, func(x *weir.LoopExchange) { x.Abort(errLuck) }
	leave := func(d *desk, c *weirtest.Client) { c.Close() }
	more := func(text string) func(*desk, *weirtest.Client) {
		return func(d *desk, c *weirtest.Client) { d.write(c, text) }
	}
	stay := func(*desk, *weirtest.Client) {}
	hour := func(*desk, *weirtest.Client) { time.Sleep(time.Hour) }
	tests := []struct {
		name, request string
		do            func(x *weir.LoopExchange, call string)
		then          func(d *desk, c *weirtest.Client)
		want          string
	}{
		{"whole", put("/", 2, "ab"), on("end EOF", end), stay, "serve, data ab, end EOF, closed <nil>"},
		{"in two pieces", put("/", 2, "a"), on("end EOF", end), more("b"), "serve, data a, data b, end EOF, closed <nil>"},
		{"no body", put("/", 0, ""), on("end EOF", end), stay, "serve, end EOF, closed <nil>"},
		{"ended at the head", put("/", 2, "a"), on("serve", end), more("b"), "serve, closed <nil>"},
		{"ended in the body", put("/", 2, "a"), on("data a", end), more("b"), "serve, data a, closed <nil>"},
		{"failed at the head", put("/", 2, "a"), on("serve", fail), more("b"), "serve, closed no luck"},
		{"failed in the body", put("/", 2, "a"), on("data a", fail), stay, "serve, data a, closed no luck"},
		{"ended twice", put("/", 0, ""), on("end EOF", func(x *weir.LoopExchange) { x.End(); x.Abort(errLuck); x.End() }), stay, "serve, end EOF, closed <nil>"},
		{"panic", put("/", 2, "a"), on("data a", func(*weir.LoopExchange) { panic("boom") }), more("b"), "serve, data a, closed panic"},
		{"the client disconnects in the body", put("/", 2, "a"), nothing, leave, "serve, data a, closed gone"},
		{"the client disconnects behind it", put("/", 2, "ab"), nothing, leave, "serve, data ab, end EOF, closed gone"},
		{"too slow", put("/", 2, "a"), nothing, hour, "serve, data a, end late, closed late"},
		{"too large", put("/", 11, "0123456789a"), nothing, stay, ""},
		{"a bad chunk", "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nx", nothing, stay, "serve, data a, end chunk, closed chunk"},
		{"a bad chunk, and its own response", "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nx", on("end chunk", end), stay, "serve, data a, end chunk, closed <nil>"},
		{"not read for a length", put("/", 2, "ab"), on("end EOF", func(x *weir.LoopExchange) {
			x.Response().SetContentLength(1)
			x.Push([]byte("xx"))
		}), stay, "serve, data ab, end EOF, closed length"},
		{"HEAD", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", on("end EOF", func(x *weir.LoopExchange) {
			if x.Push([]byte("x")) || x.Err() != weir.ErrNoBody {
				t.Errorf("got %v, want ErrNoBody", x.Err())
			}
		}), stay, "serve, end EOF, closed no body"},
		{"handed over", put("/", 2, "ab"), on("end EOF", func(x *weir.LoopExchange) { x.HandOver(says("other")) }), stay, "serve, data ab, end EOF, closed <nil>"},
		{"half-closed", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", nothing, func(d *desk, c *weirtest.Client) { _ = c.CloseWrite() }, "serve, end EOF, closed gone"},
		{"half-closed before", "GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", nothing, func(d *desk, c *weirtest.Client) {
			_ = c.CloseWrite()
			time.Sleep(time.Minute)
		}, "serve, closed gone"},
		{"beyond the limit", "GET /limited HTTP/1.1\r\nHost: a\r\n\r\n", nothing, stay, "serve, closed busy"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var calls []string
			h := looped(func(x *weir.LoopExchange) *receiver {
				call := func(what string) {
					calls = append(calls, what)
					tt.do(x, what)
				}
				call("serve")
				return &receiver{
					data: func(p []byte) { call("data " + string(p)) },
					end:  func(err error) { call("end " + inAWord(err)) },
					closed: func(cause error) {
						call("closed " + inAWord(cause))
						if x.Push([]byte("late")) {
							t.Error("Push reports room after the end")
						}
					},
				}
			})
			m := new(weir.Mux)
			m.HandleLoop("/{$}", h).MaxBody(10)
			m.HandleLoop("/limited", h).MaxStreams(1)
			m.HandleFunc("/slow", func(*weir.Response, *weir.Request) { time.Sleep(time.Second) })
			atDesk(t, m, nil, func(d *desk) {
				if strings.Contains(tt.request, "limited") {
					d.get("/limited")
					synctest.Wait()
					calls = nil
				}
				c := d.dial(tt.request)
				synctest.Wait()
				tt.then(d, c)
				synctest.Wait()
				if got := strings.Join(calls, ", "); got != tt.want {
					t.Errorf("got  %s\nwant %s", got, tt.want)
				}
				c.Close()
				synctest.Wait()
				if n := strings.Count(strings.Join(calls, ", "), "closed"); n > 1 && tt.name != "beyond the limit" {
					t.Errorf("got Closed called %d times", n)
				}
			})
		})
	}
}

// inAWord names an error of those that end an exchange.
func inAWord(err error) string {
	var (
		bad      *chunked.Error
		panicked *weir.PanicError
	)
	switch {
	case errors.As(err, &bad):
		return "chunk"
	case errors.As(err, &panicked):
		return "panic"
	}
	for word, is := range map[string]error{
		"<nil>": nil, "EOF": io.EOF, "gone": weir.ErrClientGone, "busy": weir.ErrBusy, "late": weir.ErrTimeout, "no body": weir.ErrNoBody,
	} {
		if errors.Is(err, is) {
			return word
		}
	}
	if strings.Contains(err.Error(), "length") {
		return "length"
	}
	return err.Error()
}

// Push takes what it is given; its result and Drained say when to stop and when to continue.
func TestPush(t *testing.T) {
	pushed, resumed := 0, 0
	m := new(weir.Mux)
	m.HandleLoop("GET /s", looped(func(x *weir.LoopExchange) *receiver {
		fill := func() {
			for pushed < 100 {
				pushed++
				if !x.Push(make([]byte, 1<<10)) {
					return
				}
			}
			x.End()
		}
		fill()
		return &receiver{drained: func() { resumed++; fill() }}
	}))
	atDesk(t, m, smallMarks, func(d *desk) {
		c := d.Dial()
		c.SetWindow(1)
		d.write(c, getS)
		synctest.Wait()
		if pushed < 15 || pushed > 17 {
			t.Errorf("got %d KiB pushed for a client that takes none, want the high mark of 16", pushed)
		}
		c.SetWindow(1000)
		if got := d.seen(c); strings.Count(got, "400\r\n") != 100 || !strings.HasSuffix(got, "\r\n0\r\n\r\n") || resumed < 5 {
			t.Errorf("got %d chunks, resumed %d times", strings.Count(got, "400\r\n"), resumed)
		}
		c.Close()
	})
}

// What would wait is an error on the loop.
func TestSendOnTheLoop(t *testing.T) {
	var err error
	m := new(weir.Mux)
	m.HandleLoop("GET /s", looped(func(x *weir.LoopExchange) *receiver {
		x.Push(make([]byte, 1<<20))
		return &receiver{end: func(error) { _, err = x.Response().Write([]byte("x")) }}
	}))
	atDesk(t, m, smallMarks, func(d *desk) {
		c := d.Dial()
		c.SetWindow(1)
		d.write(c, getS)
		if synctest.Wait(); !errors.Is(err, weir.ErrBacklog) {
			t.Errorf("got %v, want ErrBacklog", err)
		}
		c.Close()
	})
}

// PauseBody holds the client up until ResumeBody.
func TestPauseBody(t *testing.T) {
	var (
		exchange *weir.LoopExchange
		got      int
	)
	m := new(weir.Mux)
	m.HandleLoop("PUT /s", looped(func(x *weir.LoopExchange) *receiver {
		exchange = x
		return &receiver{
			data: func(p []byte) { got += len(p); x.PauseBody() },
			end:  func(error) { x.Push(fmt.Append(nil, got)); x.End() },
		}
	}))
	atDesk(t, m, nil, func(d *desk) {
		c := d.dial("PUT /s HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\nx")
		synctest.Wait()
		go func() { _, _ = c.Write(make([]byte, 199_999)) }() // ends when the server reads
		time.Sleep(time.Minute)
		synctest.Wait()
		if got != 1 {
			t.Fatalf("got %d bytes in a pause, want 1", got)
		}
		for range 20 {
			exchange.Loop().Post(task(exchange.ResumeBody))
			synctest.Wait()
		}
		if answer := d.seen(c); !strings.Contains(answer, "200000") {
			t.Errorf("got %d bytes and %q", got, answer)
		}
		c.Close()
	})
}

// G3: a client that leaves its stream while its body is held up is not waited
// for, unless half-closed clients are.
func TestLeaveInPausedBody(t *testing.T) {
	for policy, want := range map[weir.HalfClose]error{weir.HalfCloseGone: weir.ErrClientGone, weir.HalfCloseAllow: nil} {
		var cause error
		m := new(weir.Mux)
		m.HandleLoop("PUT /s", looped(func(x *weir.LoopExchange) *receiver {
			return &receiver{data: func([]byte) { x.PauseBody() }, closed: func(err error) { cause = err }}
		}))
		atDesk(t, m, func(s *weir.Server) { s.HalfClose = policy }, func(d *desk) {
			c := d.dial("PUT /s HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx")
			synctest.Wait()
			d.write(c, "y") // nobody reads it
			_ = c.CloseWrite()
			synctest.Wait()
			if !errors.Is(cause, want) {
				t.Errorf("policy %v: got %v, want %v", policy, cause, want)
			}
			c.Close()
		})
	}
}

// A body that is paused at the head waits, 100 Continue and time limits included, until somebody has decided.
func TestPauseBodyAtTheHead(t *testing.T) {
	for _, decided := range []string{"yes", "no"} {
		var exchange *weir.LoopExchange
		body := ""
		m := new(weir.Mux)
		m.HandleLoop("PUT /s", looped(func(x *weir.LoopExchange) *receiver {
			exchange = x
			x.PauseBody()
			return &receiver{
				data: func(p []byte) { body += string(p) },
				end:  func(error) { x.Push([]byte(body)); x.End() },
			}
		}))
		for name, request := range map[string]string{
			"with the body": put("/s", 5, "hello"),
			"100-continue":  "PUT /s HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
		} {
			atDesk(t, m, nil, func(d *desk) {
				body = ""
				c := d.dial(request)
				time.Sleep(time.Hour)
				if got := d.seen(c); got != "" || body != "" {
					t.Errorf("%s: got %q, and the body %q, before it was decided", name, got, body)
				}
				if decided == "no" {
					exchange.Loop().Post(task(func() { exchange.Response().Error(403, "no") }))
					if got := d.seen(c); !strings.HasPrefix(got, "HTTP/1.1 403 ") || body != "" {
						t.Errorf("%s: got %q, want 403 and no body", name, got)
					}
					c.Close()
					return
				}
				exchange.Loop().Post(task(exchange.ResumeBody))
				if name == "100-continue" {
					if got := d.seen(c); got != "HTTP/1.1 100 Continue\r\n\r\n" {
						t.Errorf("%s: got %q", name, got)
					}
					d.write(c, "hello")
				}
				if got := d.seen(c); !strings.HasPrefix(got, "HTTP/1.1 200 ") || !strings.Contains(got, "hello") {
					t.Errorf("%s: got %q", name, got)
				}
				c.Close()
			})
		}
	}
}

type task func()

func (t task) Run() { t() }

// A handler that releases its exchanges has them served from the same memory, one after the other: each begins
// empty, and its end was reported before.
func TestRelease(t *testing.T) {
	seen, closed := map[*weir.LoopExchange]int{}, 0
	m := new(weir.Mux)
	m.HandleLoop("PUT /echo/{word}", looped(func(x *weir.LoopExchange) *receiver {
		w, r := x.Response(), x.Request()
		if w.Header().Len() > 0 || w.Status() != 200 || r.Body() != nil {
			t.Errorf("a request begins with %q, status %d and body %q of another", fields(w.Header()), w.Status(), r.Body())
		}
		seen[x]++
		x.Release()
		word := r.PathValue("word")
		w.Header().Set("Word", word)
		w.SetStatus(201)
		if word == "early" {
			x.End()
		}
		if word == "given" {
			w.Stream()
		}
		var body []byte
		return &receiver{
			data: func(p []byte) { body = append(body, p...) },
			end: func(error) {
				if word == "broken" {
					x.Abort(errors.New("broken"))
					return
				}
				x.Push(body)
				x.End()
				if x.End(); x.Err() != weir.ErrStreamEnded { // the second is nothing
					t.Errorf("after End: got %v", x.Err())
				}
			},
			closed: func(error) {
				if closed++; r.PathValue("word") != word {
					t.Errorf("got another request, %q, before the end of %q was reported", r.PathValue("word"), word)
				}
			},
		}
	}))
	tests := []struct{ name, request, status, body string }{
		{"with a length", "PUT /echo/a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "201 Created", "5\r\nhello\r\n0\r\n\r\n"},
		{"in chunks", "PUT /echo/b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n0\r\n\r\n", "201 Created", "2\r\nhe\r\n0\r\n\r\n"},
		{"no body", "PUT /echo/c HTTP/1.1\r\nHost: a\r\n\r\n", "201 Created", "0\r\n\r\n"},
		{"answered before its body", "PUT /echo/early HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "201 Created", "0\r\n\r\n"},
	}
	atDesk(t, m, nil, func(d *desk) {
		c := d.dial("")
		const rounds = 3
		for range rounds {
			for _, test := range tests {
				d.write(c, test.request)
				got := d.seen(c)
				if !strings.HasPrefix(got, "HTTP/1.1 "+test.status+"\r\n") || !strings.HasSuffix(got, "\r\n\r\n"+test.body) || strings.Count(got, "Word: ") != 1 {
					t.Errorf("%s: got %q, want %s with %q", test.name, got, test.status, test.body)
				}
			}
		}
		if len(seen) != 1 || closed != rounds*len(tests) {
			t.Errorf("got %d exchanges for %d requests on one connection, %d ends, want 1 and all", len(seen), rounds*len(tests), closed)
		}
		for range 2 { // a Stream may be in any hands
			d.write(c, "PUT /echo/given HTTP/1.1\r\nHost: a\r\n\r\n")
			d.seen(c)
		}
		if len(seen) != 2 {
			t.Errorf("got %d exchanges, want those whose Stream was given away to be left alone", len(seen))
		}
		d.write(c, "PUT /echo/broken HTTP/1.1\r\nHost: a\r\n\r\n")
		d.seen(c)
		c.Close()
	})
}

// Requests that are pipelined behind one that End answers come in their turn.
func TestEndPipelined(t *testing.T) {
	n := 0
	m := new(weir.Mux)
	m.HandleLoop("GET /s", looped(func(x *weir.LoopExchange) *receiver {
		n++
		x.Release()
		x.Push(fmt.Appendf(nil, "%d", n))
		x.End()
		return &receiver{}
	}))
	atDesk(t, m, nil, func(d *desk) {
		c := d.dial("")
		d.write(c, strings.Repeat(getS, 3)+"GET /s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		got := d.seen(c)
		for i := 1; i <= 4; i++ {
			if want := fmt.Sprintf("\r\n1\r\n%d\r\n0\r\n\r\n", i); strings.Count(got, want) != 1 {
				t.Errorf("got %q, want one %q", got, want)
			}
		}
		if n != 4 || strings.Count(got, "Connection: close") != 1 {
			t.Errorf("got %d requests served, %q, want 4 and the last one closing", n, got)
		}
	})
}

// A handler that pauses in the last piece of a body does not keep the connection
// from its further requests, however many have arrived.
func TestPauseInLastPiece(t *testing.T) {
	m := new(weir.Mux)
	m.HandleLoop("PUT /p", looped(func(x *weir.LoopExchange) *receiver {
		return &receiver{
			data: func([]byte) { x.PauseBody() },
			end: func(error) {
				x.Push([]byte("done"))
				x.End()
			},
		}
	}))
	m.Handle("GET /q", says("done")).Inline()
	atDesk(t, m, nil, func(d *desk) {
		const get = "GET /q HTTP/1.1\r\nHost: a\r\n\r\n"
		c := d.dial(put("/p", 3, "abc") + get)
		defer c.Close()
		if got := d.seen(c); strings.Count(got, "done") != 2 {
			t.Errorf("got %q, want two responses", got)
		}
		d.write(c, get)
		if got := d.seen(c); !strings.Contains(got, "done") {
			t.Errorf("got %q, want a third", got)
		}
	})
}
