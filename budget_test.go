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
	"weir/weirtest"
)

// put is a request with a body of which all or a part is sent.
func put(path string, announced int, body string) string {
	return fmt.Sprintf("PUT %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", path, announced, body)
}

// keep is a handler on the loop that keeps what it is shown and answers at the end.
var keep = looped(func(x *weir.LoopExchange) *receiver {
	var body []byte
	return &receiver{
		data: func(p []byte) {
			body = append(body, p...)
			if !x.Keep(int64(cap(body))) {
				x.Response().SetStatus(503)
				x.End()
			}
		},
		end: func(err error) {
			if err == io.EOF {
				x.Push([]byte("done"))
				x.End()
			}
		},
	}
})

// Bodies share one budget. Who comes too late is refused and the others are not disturbed; all of it is given back.
func TestBodiesShareABudget(t *testing.T) {
	const limit, size = 100_000, 40_000
	m := new(weir.Mux)
	answer := weir.HandlerFunc(func(w *weir.Response, r *weir.Request) { fmt.Fprint(w, len(r.Body())) })
	m.Handle("PUT /buffered", answer)
	m.Handle("PUT /inline", answer).Inline()
	m.HandleLoop("PUT /loop", keep)
	for _, path := range []string{"/buffered", "/inline", "/loop"} {
		t.Run(path, func(t *testing.T) {
			atDesk(t, m, func(s *weir.Server) { s.Limits.Bodies = limit }, func(d *desk) {
				part := strings.Repeat("x", size-1)
				first, second := d.dial(put(path, size, part)), d.dial(put(path, size, part))
				synctest.Wait()
				if st := d.srv.Stats(); st.BodyBytes < 2*(size-1) || st.BodyBytes > limit || st.BodyLimit != limit {
					t.Errorf("got %d of %d bytes taken, want those of two bodies", st.BodyBytes, st.BodyLimit)
				}
				third := d.dial(put(path, size, part))
				got := d.seen(third)
				if !strings.HasPrefix(got, "HTTP/1.1 503 ") {
					t.Errorf("the third: got %q, want 503", got)
				}
				if path != "/loop" && (!strings.Contains(got, "\r\nRetry-After: 1\r\n") || !strings.Contains(got, "\r\nConnection: close\r\n")) {
					t.Errorf("the third: got %q, want Retry-After and an end of the connection", got)
				}
				third.Close()
				for _, c := range []*weirtest.Client{first, second} {
					d.write(c, "x")
					if got := d.seen(c); !strings.HasPrefix(got, "HTTP/1.1 200 ") {
						t.Errorf("got %q, want 200", got)
					}
				}
				if st := d.srv.Stats(); st.BodyBytes != 0 {
					t.Errorf("got %d bytes taken afterwards, want none", st.BodyBytes)
				}
				first.Close()
				second.Close()
			})
		})
	}
}

// A body that will not fit is refused before it is read, and is not asked for with 100 Continue.
func TestAnnouncedBodyBeyondTheBudget(t *testing.T) {
	m := mux(map[string]func(*weir.Response, *weir.Request){"PUT /a": func(w *weir.Response, r *weir.Request) { fmt.Fprint(w, len(r.Body())) }})
	atDesk(t, m, func(s *weir.Server) { s.Limits.Bodies = 10_000 }, func(d *desk) {
		for _, fields := range []string{"", "Expect: 100-continue\r\n"} {
			c := d.dial("PUT /a HTTP/1.1\r\nHost: a\r\n" + fields + "Content-Length: 10001\r\n\r\n")
			if got := d.seen(c); !strings.HasPrefix(got, "HTTP/1.1 503 ") || !strings.Contains(got, "\r\nConnection: close\r\n") {
				t.Errorf("%q: got %q, want 503", fields, got)
			}
			c.Close()
		}
		// What is refused whole is not taken for further requests.
		c := d.dial(put("/a", 10_001, strings.Repeat("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400)))
		if got := d.seen(c); strings.Count(got, "HTTP/1.1 ") != 1 {
			t.Errorf("got %q, want one response", got)
		}
		c.Close()
		if _, body := d.exchange(put("/a", 10_000, strings.Repeat("x", 10_000))); body != "10000" {
			t.Errorf("got %q for a body that fits", body)
		}
	})
}

// Whatever becomes of a request, what it kept is given back, once.
func TestBudgetIsGivenBack(t *testing.T) {
	const size = 50_000
	half, whole := strings.Repeat("x", size/2), strings.Repeat("x", size)
	type env struct {
		*desk
		c    *weirtest.Client
		gate chan struct{} // who waits in a handler goes on when it is closed
	}
	wait := func(e *env) func(*weir.Response, *weir.Request) {
		return func(w *weir.Response, r *weir.Request) { <-e.gate }
	}
	open := func(e *env) { close(e.gate) }
	leave := func(e *env) { e.c.Close(); synctest.Wait() }
	head := strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 20)
	tests := []struct {
		name    string
		request string
		handle  func(m *weir.Mux, e *env)
		then    []func(e *env)
		settled bool // nothing is kept at the first look
	}{
		{"buffered, complete", put("/", size, whole), func(m *weir.Mux, e *env) { m.HandleFunc("PUT /", wait(e)) }, []func(*env){open}, false},
		{"buffered, panic", put("/", size, whole), func(m *weir.Mux, e *env) {
			m.HandleFunc("PUT /", func(*weir.Response, *weir.Request) { <-e.gate; panic("ouch") })
		}, []func(*env){open}, false},
		{"buffered, detached", put("/", size, whole), func(m *weir.Mux, e *env) {
			m.HandleFunc("PUT /", func(w *weir.Response, r *weir.Request) { <-e.gate; w.Stream().Detach() })
		}, []func(*env){open}, false},
		{"buffered, the client disconnects", put("/", size, whole), func(m *weir.Mux, e *env) { m.HandleFunc("PUT /", wait(e)) }, []func(*env){leave, open}, false},
		{"half, the client disconnects", put("/", size, half), func(m *weir.Mux, e *env) { m.HandleFunc("PUT /", wait(e)) }, []func(*env){leave}, false},
		{"half, reset", put("/", size, half), func(m *weir.Mux, e *env) { m.HandleFunc("PUT /", wait(e)) }, []func(*env){func(e *env) { e.c.Reset() }}, false},
		{"half, too slow", put("/", size, half), func(m *weir.Mux, e *env) { m.HandleFunc("PUT /", wait(e)) }, []func(*env){func(*env) { time.Sleep(time.Hour) }}, false},
		{"half, cut", put("/", size, half), func(m *weir.Mux, e *env) { m.HandleFunc("PUT /", wait(e)) }, []func(*env){func(e *env) { e.cut() }}, false},
		{"half, garbage", "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n61a8\r\n" + half, func(m *weir.Mux, e *env) { m.HandleFunc("PUT /", wait(e)) },
			[]func(*env){func(e *env) { e.write(e.c, "garbage") }}, false},
		{"half, too large", "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n61a8\r\n" + half, func(m *weir.Mux, e *env) { m.HandleFunc("PUT /", wait(e)).MaxBody(size / 2) },
			[]func(*env){func(e *env) { e.write(e.c, "\r\n1\r\n") }}, false},
		{"inline, complete", put("/", size, whole), func(m *weir.Mux, _ *env) {
			m.HandleFunc("PUT /", func(*weir.Response, *weir.Request) {}).Inline()
		}, nil, true},
		{"inline, panic", put("/", size, whole), func(m *weir.Mux, _ *env) {
			m.HandleFunc("PUT /", func(*weir.Response, *weir.Request) { panic("ouch") }).Inline()
		}, nil, true},
		{"reader, not read", put("/", size, whole), func(m *weir.Mux, e *env) { m.HandleFunc("PUT /", wait(e)).StreamBody() }, []func(*env){open}, false},
		{"reader, the client disconnects", put("/", size, half), func(m *weir.Mux, e *env) { m.HandleFunc("PUT /", wait(e)).StreamBody() }, []func(*env){leave, open}, false},
		{"reader, returned early", put("/", size, half), func(m *weir.Mux, e *env) { m.HandleFunc("PUT /", wait(e)).StreamBody() },
			[]func(*env){open, func(e *env) { e.write(e.c, half) }}, false},
		{"reader, panic", put("/", size, half), func(m *weir.Mux, e *env) {
			m.HandleFunc("PUT /", func(*weir.Response, *weir.Request) { <-e.gate; panic("ouch") }).StreamBody()
		}, []func(*env){open}, false},
		{"reader, too slow", put("/", size, half), func(m *weir.Mux, e *env) {
			m.HandleFunc("PUT /", func(_ *weir.Response, r *weir.Request) { <-e.gate; _, _ = io.ReadAll(r.BodyReader()) }).StreamBody()
		}, []func(*env){func(*env) { time.Sleep(time.Hour) }, open}, false},
		{"reader, detached", put("/", size, whole), func(m *weir.Mux, e *env) {
			m.HandleFunc("PUT /", func(w *weir.Response, r *weir.Request) {
				s := w.Stream()
				s.Detach()
				go func() {
					<-e.gate
					_, _ = io.ReadFull(r.BodyReader(), make([]byte, 10))
					_ = s.Close()
				}()
			}).StreamBody()
		}, []func(*env){open}, false},
		{"Keep, the client disconnects", put("/", size, half), func(m *weir.Mux, _ *env) { m.HandleLoop("PUT /", keep) }, []func(*env){leave}, false},
		{"Keep, too slow", put("/", size, half), func(m *weir.Mux, _ *env) { m.HandleLoop("PUT /", keep) }, []func(*env){func(*env) { time.Sleep(time.Hour) }}, false},
		{"Keep, complete", put("/", size, half), func(m *weir.Mux, _ *env) { m.HandleLoop("PUT /", keep) }, []func(*env){func(e *env) { e.write(e.c, half) }}, false},
		{"Keep, cut", put("/", size, half), func(m *weir.Mux, _ *env) { m.HandleLoop("PUT /", keep) }, []func(*env){func(e *env) { e.cut() }}, false},
		{"handed over", put("/", size, whole), func(m *weir.Mux, e *env) { m.HandleLoop("PUT /", handKept(wait(e))) }, []func(*env){open}, false},
		{"handed over, the client disconnects", put("/", size, whole), func(m *weir.Mux, e *env) { m.HandleLoop("PUT /", handKept(wait(e))) }, []func(*env){leave, open}, false},
		{"handed over, panic", put("/", size, whole), func(m *weir.Mux, e *env) {
			m.HandleLoop("PUT /", handKept(func(*weir.Response, *weir.Request) { <-e.gate; panic("ouch") }))
		}, []func(*env){open}, false},
		{"pipelined", "GET / HTTP/1.1\r\nHost: a\r\n\r\n" + put("/", size, whole), func(m *weir.Mux, e *env) { m.HandleFunc("/", wait(e)) }, []func(*env){open}, false},
		{"pipelined, the client disconnects", "GET / HTTP/1.1\r\nHost: a\r\n\r\n" + put("/", size, whole), func(m *weir.Mux, e *env) { m.HandleFunc("/", wait(e)) }, []func(*env){leave, open}, false},
		{"a part of a head", "GET / HTTP/1.1\r\nHost: a\r\n" + head, func(m *weir.Mux, e *env) { m.HandleFunc("/", wait(e)) }, []func(*env){func(*env) { time.Sleep(time.Hour) }}, false},
		{"a long head", "GET / HTTP/1.1\r\nHost: a\r\n" + head + "\r\n", func(m *weir.Mux, e *env) { m.HandleFunc("/", wait(e)) }, []func(*env){open}, false},
		{"a long head, streaming on the loop", "GET / HTTP/1.1\r\nHost: a\r\n" + head + "\r\n", func(m *weir.Mux, e *env) {
			m.HandleFunc("/", func(w *weir.Response, r *weir.Request) { w.Stream().Detach(); _ = w.Stream().Send([]byte("x")) }).Inline()
		}, []func(*env){leave}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, m := new(env), new(weir.Mux)
			atDesk(t, m, nil, func(d *desk) {
				e.desk, e.gate = d, make(chan struct{})
				tt.handle(m, e)
				e.c = d.dial(tt.request)
				defer e.c.Close()
				synctest.Wait()
				if kept := d.srv.Stats().BodyBytes; (kept == 0) != tt.settled {
					t.Errorf("got %d bytes kept while it is served", kept)
				}
				for _, f := range tt.then {
					f(e)
					synctest.Wait()
				}
				if kept := d.srv.Stats().BodyBytes; kept != 0 {
					t.Errorf("got %d bytes kept in the end, want none", kept)
				}
			})
		})
	}
}

// handKept gathers a body in parts, says so, and hands over.
func handKept(f func(*weir.Response, *weir.Request)) weir.LoopHandler {
	return looped(func(x *weir.LoopExchange) *receiver {
		var parts [][]byte
		size := 0
		return &receiver{
			data: func(p []byte) {
				parts = append(parts, append([]byte(nil), p...))
				size += len(p)
				x.Keep(int64(size))
			},
			end: func(err error) {
				if errors.Is(err, io.EOF) {
					x.HandOver(weir.HandlerFunc(f), parts...)
				}
			},
		}
	})
}

// A handler on a goroutine that is not given the room for what it is to read learns of it.
func TestReaderBeyondTheBudget(t *testing.T) {
	y, gate := new(tally), make(chan struct{})
	m := new(weir.Mux)
	m.HandleFunc("PUT /", func(_ *weir.Response, r *weir.Request) {
		<-gate
		_, err := io.ReadAll(r.BodyReader())
		y.tell(err)
	}).StreamBody()
	atDesk(t, m, func(s *weir.Server) { s.Limits.Bodies = 10_000 }, func(d *desk) {
		gate = make(chan struct{})
		c := d.dial(put("/", 50_000, strings.Repeat("x", 5_000)))
		synctest.Wait()
		d.write(c, strings.Repeat("x", 20_000))
		synctest.Wait()
		close(gate)
		if got := d.seen(c); !strings.HasPrefix(got, "HTTP/1.1 503 ") {
			t.Errorf("got %q, want 503", got)
		}
		if got := y.told(); len(got) != 1 || !errors.Is(got[0], weir.ErrBodiesFull) {
			t.Errorf("got %v, want ErrBodiesFull", got)
		}
		c.Close()
	})
}

// A response is not disturbed by what is pipelined behind it and finds no room: it is the connection's last.
func TestPipelinedBeyondTheBudget(t *testing.T) {
	var gate chan struct{}
	m := mux(map[string]func(*weir.Response, *weir.Request){"/": func(w *weir.Response, _ *weir.Request) {
		<-gate
		fmt.Fprint(w, "done")
	}})
	atDesk(t, m, func(s *weir.Server) { s.Limits.Bodies = 10_000 }, func(d *desk) {
		gate = make(chan struct{})
		const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
		c := d.dial(get + strings.Repeat(get, 1000))
		synctest.Wait()
		close(gate)
		if got := d.seen(c); strings.Count(got, "HTTP/1.1 200 OK") != 1 || !strings.HasSuffix(got, "done") {
			t.Errorf("got %q, want one response", got)
		}
		if n, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("got %d bytes, %v, want the end", n, err)
		}
		c.Close()
		if kept := d.srv.Stats().BodyBytes; kept != 0 {
			t.Errorf("got %d bytes kept in the end, want none", kept)
		}
	})
}

// Keep is absolute: what it was told last counts.
func TestKeep(t *testing.T) {
	m := new(weir.Mux)
	var r *weir.Request
	m.HandleFunc("/", func(w *weir.Response, req *weir.Request) {
		w.Stream().Detach()
		r = req
	}).Inline()
	atDesk(t, m, func(s *weir.Server) { s.Limits.Bodies = 1000 }, func(d *desk) {
		c := d.get("/")
		synctest.Wait()
		for _, step := range []struct {
			keep int64
			ok   bool
			want int64
		}{{400, true, 400}, {1000, true, 1000}, {1001, false, 1000}, {10, true, 10}, {0, true, 0}, {700, true, 700}} {
			if ok := r.Keep(step.keep); ok != step.ok || d.srv.Stats().BodyBytes != step.want {
				t.Errorf("Keep(%d): got %v and %d bytes, want %v and %d", step.keep, ok, d.srv.Stats().BodyBytes, step.ok, step.want)
			}
		}
		c.Close()
		synctest.Wait()
		if r.Keep(1) || !r.Keep(0) || d.srv.Stats().BodyBytes != 0 {
			t.Errorf("after the end: got %d bytes, want none, and no room for more", d.srv.Stats().BodyBytes)
		}
		if !r.Clone().Keep(5000) {
			t.Error("a clone has no budget")
		}
	})
}

// Without a limit that was set it is a share of the memory; a negative one is none.
func TestDefaultBudget(t *testing.T) {
	m := new(weir.Mux)
	for _, tt := range []struct{ limit, least, most int64 }{{0, 4 << 20, 1 << 50}, {-1, 1<<63 - 1, 1<<63 - 1}, {5, 5, 5}} {
		atDesk(t, m, func(s *weir.Server) { s.Limits.Bodies = tt.limit }, func(d *desk) {
			if got := d.srv.Stats().BodyLimit; got < tt.least || got > tt.most {
				t.Errorf("Limits.Bodies = %d: got %d, want from %d to %d", tt.limit, got, tt.least, tt.most)
			}
		})
	}
}
