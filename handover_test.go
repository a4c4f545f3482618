package weir_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"weir"
	"weir/plugin"
)

// gather is a handler on the loop that takes the whole body and hands over.
func gather(to weir.Handler, told *tally) weir.LoopHandler {
	return looped(func(x *weir.LoopExchange) *receiver {
		x.Response().Header().Set("X-By", "gather")
		var parts [][]byte
		return &receiver{
			data: func(p []byte) { parts = append(parts, bytes.Clone(p)) },
			end: func(err error) {
				if errors.Is(err, io.EOF) {
					x.HandOver(to, parts...)
				}
			},
			closed: told.tell,
		}
	})
}

// after notes what was sent of an answer when it is over.
func after(sent *weir.ResponseStats) weir.Middleware {
	return func(next weir.Handler) weir.Handler {
		return weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
			r.OnClose(func(error) { *sent = w.Stats() })
			next.Serve(w, r)
		})
	}
}

// What is handed over is answered as by a handler that was registered for it, whatever kind of answer it gives.
func TestHandOver(t *testing.T) {
	body := func(w *weir.Response, r *weir.Request) {
		fmt.Fprintf(w, "%s %s %q", r.Pattern(), r.PathValue("id"), r.Body())
	}
	tests := []struct {
		name         string
		to           weir.Handler
		status, body string
		sent         weir.ResponseStats
		cause        string
	}{
		{"buffered", weir.HandlerFunc(body), "200 OK", `PUT /a/{id} 7 "hello"`, weir.ResponseStats{Status: 200, Bytes: 21}, "<nil>"},
		{"stream", weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
			_, _ = w.Stream().Write([]byte("a"))
			_ = w.Stream().Send(r.Body())
		}), "200 OK", "1\r\na\r\n5\r\nhello\r\n0\r\n\r\n", weir.ResponseStats{Status: 200, Chunks: 2, Bytes: 6}, "<nil>"},
		{"native, unary", weir.Native("test/unary"), "201 Created", `PUT /a/7 ?  7  "hello"`, weir.ResponseStats{Status: 201, Bytes: 22}, "<nil>"},
		{"native, stream", weir.Native("test/stream"), "202 Accepted", "1\r\na\r\n1\r\nb\r\n0\r\n\r\n", weir.ResponseStats{Status: 202, Chunks: 2, Bytes: 2}, "<nil>"},
		{"nothing", weir.HandlerFunc(func(*weir.Response, *weir.Request) {}), "200 OK", "", weir.ResponseStats{Status: 200}, "<nil>"},
		{"panic", weir.HandlerFunc(func(*weir.Response, *weir.Request) { panic("ouch") }), "500 Internal Server Error", "Internal Server Error\n",
			weir.ResponseStats{Status: 500, Bytes: 22}, "weir: handler panicked: ouch"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var told tally
			var sent weir.ResponseStats
			m := new(weir.Mux)
			m.HandleLoop("PUT /a/{id}", gather(after(&sent)(tt.to), &told))
			atDesk(t, m, nil, func(d *desk) {
				for _, framing := range []string{"Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"} {
					c := d.dial("PUT /a/7 HTTP/1.1\r\nHost: a\r\n" + framing)
					head, body, _ := strings.Cut(d.seen(c), "\r\n\r\n")
					if !strings.HasPrefix(head, "HTTP/1.1 "+tt.status+"\r\n") || body != tt.body || strings.Contains(head, "X-By: gather") == (tt.name == "panic") {
						t.Errorf("got %q %q, want %s %q", head, body, tt.status, tt.body)
					}
					// The connection goes on, or was closed in good order.
					if d.write(c, "GET /a/7 HTTP/1.1\r\nHost: a\r\n\r\n"); tt.name != "panic" && !strings.HasPrefix(d.seen(c), "HTTP/1.1 405 ") {
						t.Error("got no answer to a second request")
					}
					c.Close()
				}
				synctest.Wait()
				if got := told.told(); len(got) != 2 || fmt.Sprint(got[0]) != tt.cause || fmt.Sprint(got[1]) != tt.cause {
					t.Errorf("OnClose was told %v, want %s twice", got, tt.cause)
				}
				if (sent.Bytes > 0) == sent.First.IsZero() {
					t.Errorf("got %+v: the time of the first byte is there when there is one", sent)
				}
				if sent.First = tt.sent.First; sent != tt.sent {
					t.Errorf("got %+v sent, want %+v", sent, tt.sent)
				}
				if st := d.srv.Stats(); st.StreamsActive != 0 || st.StreamsTotal != 2 {
					t.Errorf("got %+v, want two streams that are over: each request counts once", st)
				}
			})
		})
	}
}

// The slot of a request that is handed over counts until its answer is over, and is the only one that it takes.
func TestHandOverKeepsItsSlot(t *testing.T) {
	var told tally
	m := new(weir.Mux)
	m.HandleLoop("/hold", gather(weir.Native("test/hold"), &told)).MaxStreams(1)
	atDesk(t, m, func(s *weir.Server) { s.Limits.Streams = 1 }, func(d *desk) {
		for range 3 {
			c := d.get("/hold")
			if got := d.seen(c); !strings.HasPrefix(got, "HTTP/1.1 200 ") {
				t.Errorf("got %q", got)
			}
			if status, _ := d.exchange("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"); status != "503 Service Unavailable" {
				t.Errorf("a second one: got %s, want 503", status)
			}
			sink := *nativeSink.Load().(*plugin.Sink)
			c.Close()
			synctest.Wait()
			if !errors.Is(sink.Cause(), weir.ErrClientGone) {
				t.Errorf("got %v, want that the client has left", sink.Cause())
			}
		}
		if got := told.told(); len(got) != 6 || !errors.Is(got[4], weir.ErrBusy) || !errors.Is(got[5], weir.ErrClientGone) {
			t.Errorf("Closed was called with %v", got)
		}
	})
}

// A handler beyond the limit on goroutines is answered 503, as if it had been registered with Handle.
func TestHandOverBeyondTheLimit(t *testing.T) {
	var told tally
	m := new(weir.Mux)
	m.HandleLoop("/hold", gather(weir.Native("test/hold"), &told))
	atDesk(t, m, func(s *weir.Server) { s.Limits.Handlers = 1 }, func(d *desk) {
		c := d.get("/hold")
		synctest.Wait()
		other := d.get("/hold")
		if got := d.seen(other); !strings.HasPrefix(got, "HTTP/1.1 503 ") || !strings.Contains(got, "\r\nRetry-After: 1\r\n") {
			t.Errorf("got %q, want 503 with Retry-After", got)
		}
		other.Close()
		c.Close()
	})
}

// Too early and too late are errors that are told; what is over stays over.
func TestHandOverAtTheWrongTime(t *testing.T) {
	never := weir.HandlerFunc(func(*weir.Response, *weir.Request) { t.Error("it was called") })
	var told tally
	m := new(weir.Mux)
	onlyTold := func(f func(x *weir.LoopExchange)) weir.LoopHandler {
		return looped(func(x *weir.LoopExchange) *receiver {
			f(x)
			return &receiver{closed: told.tell}
		})
	}
	m.HandleLoop("PUT /early", onlyTold(func(x *weir.LoopExchange) { x.HandOver(never) }))
	m.HandleLoop("PUT /late", onlyTold(func(x *weir.LoopExchange) {
		x.Commit()
		x.HandOver(never)
	}))
	m.HandleLoop("PUT /over", onlyTold(func(x *weir.LoopExchange) {
		x.HandOver(never)
		x.End()
	}))
	m.HandleLoop("PUT /pumped", onlyTold(func(x *weir.LoopExchange) {
		x.Response().StreamFrom(weir.NextChunk(0, func(_ *int, dst []byte, _ bool) ([]byte, error) { return dst, nil }))
		x.HandOver(never)
	}))
	m.HandleLoop("PUT /twice", onlyTold(func(x *weir.LoopExchange) {
		x.HandOver(weir.HandlerFunc(func(_ *weir.Response, r *weir.Request) { <-r.Context().Done() }))
		x.HandOver(never)
	}))
	m.HandleLoop("PUT /head", onlyTold(func(x *weir.LoopExchange) { x.HandOver(says("other")) }))
	tests := []struct{ request, status, cause string }{
		{"PUT /head HTTP/1.1\r\nHost: a\r\n\r\n", "200 OK", "<nil>"},
		{"PUT /twice HTTP/1.1\r\nHost: a\r\n\r\n", "500 Internal Server Error", "handed over twice"},
		{"PUT /early HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel", "500 Internal Server Error", "before the request body"},
		{"PUT /late HTTP/1.1\r\nHost: a\r\n\r\n", "cut", "after the response had started"},
		{"PUT /over HTTP/1.1\r\nHost: a\r\n\r\n", "200 OK", "<nil>"},
		{"PUT /pumped HTTP/1.1\r\nHost: a\r\n\r\n", "500 Internal Server Error", "after the response had started"},
	}
	atDesk(t, m, nil, func(d *desk) {
		for i, tt := range tests {
			c := d.dial(tt.request)
			got := d.seen(c)
			if tt.status == "cut" && (!strings.HasPrefix(got, "HTTP/1.1 200 OK") || strings.HasSuffix(got, "0\r\n\r\n")) || tt.status != "cut" && !strings.HasPrefix(got, "HTTP/1.1 "+tt.status) {
				t.Errorf("%.10s: got %q, want %s", tt.request, got, tt.status)
			}
			c.Close()
			synctest.Wait()
			if causes := told.told(); len(causes) != i+1 || !strings.Contains(fmt.Sprint(causes[i]), tt.cause) {
				t.Errorf("%.10s: OnClose was told %v, want %s", tt.request, causes, tt.cause)
			}
		}
	})
}
