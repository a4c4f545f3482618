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
)

// A handler on the loop is shown its body while it arrives, and answers in callbacks.
func TestHandleInlineBody(t *testing.T) {
	m := new(weir.Mux)
	m.HandleInlineBody("PUT /echo", weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
		s := w.Stream()
		s.Detach()
		r.OnBody(func(p []byte, err error) {
			_ = s.Push(p) // an empty one is nothing
			if errors.Is(err, io.EOF) {
				_ = s.Close()
			} else if err != nil {
				s.Abort(err)
			}
		})
	}))
	m.HandleInlineBody("PUT /at-once", weir.HandlerFunc(func(w *weir.Response, _ *weir.Request) { w.WriteString("no need") }))
	tests := []struct{ name, request, status, body string }{
		{"whole", "PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "200 OK", "5\r\nhello\r\n0\r\n\r\n"},
		{"in chunks", "PUT /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "200 OK", "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"},
		{"no body", "PUT /echo HTTP/1.1\r\nHost: a\r\n\r\n", "200 OK", "0\r\n\r\n"},
		{"a bad chunk at once", "PUT /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx", "500 Internal Server Error", "Internal Server Error\n"},
		{"answered at once", "PUT /at-once HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "200 OK", "no need"},
	}
	atDesk(t, m, nil, func(d *desk) {
		for _, test := range tests {
			if status, body := d.exchange(test.request); status != test.status || body != test.body {
				t.Errorf("%s: got %s %q, want %s %q", test.name, status, body, test.status, test.body)
			}
		}
	})
}

// Push takes what it is given; Behind says when to stop and when to go on.
func TestBehind(t *testing.T) {
	pushed, resumed := 0, 0
	m := new(weir.Mux)
	m.HandleInline("GET /s", weir.HandlerFunc(func(w *weir.Response, _ *weir.Request) {
		s := w.Stream()
		s.Detach()
		var fill func()
		fill = func() {
			for pushed < 100 {
				if s.Behind(func() { resumed++; fill() }) {
					return
				}
				_ = s.Push(make([]byte, 1<<10))
				pushed++
			}
			_ = s.Close()
		}
		fill()
	}))
	atDesk(t, m, smallMarks, func(d *desk) {
		c := d.kernel.Dial(d.srv.Reactor(), 0)
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

// PauseBody holds the client up until ResumeBody.
func TestPauseBody(t *testing.T) {
	var (
		request *weir.Request
		loop    func(f func())
		got     int
	)
	m := new(weir.Mux)
	m.HandleInlineBody("PUT /s", weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
		s := w.Stream()
		s.Detach()
		request, loop = r, func(f func()) { w.Loop().Post(task(f)) }
		r.OnBody(func(p []byte, err error) {
			got += len(p)
			r.PauseBody()
			if err != nil {
				_ = s.Push(fmt.Append(nil, got))
				_ = s.Close()
			}
		})
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
			loop(request.ResumeBody)
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
		m.HandleInlineBody("PUT /s", weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
			s := w.Stream()
			s.Detach()
			s.OnClose(func(err error) { cause = err })
			r.OnBody(func([]byte, error) { r.PauseBody() })
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

type task func()

func (t task) Run() { t() }

// A handler that promises to let go of its requests has them served from the
// same memory, one after the other: each begins empty, and done is told once
// for each that was answered in full.
func TestRecycle(t *testing.T) {
	seen, done, ended, early := map[*weir.Stream]int{}, 0, 0, 0
	m := new(weir.Mux)
	m.HandleInlineBody("PUT /echo/{word}", weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
		if w.Header().Len() > 0 || w.Status() != 200 || r.Body() != nil {
			t.Errorf("a request begins with %q, status %d and body %q of another", fields(w.Header()), w.Status(), r.Body())
		}
		s := w.Stream()
		seen[s]++
		s.Detach()
		r.Recycle(func() {
			if done++; ended != done-early {
				t.Errorf("got %d ends reported, %d of %d requests without, want each before it is done", ended, early, done)
			}
		})
		word := r.PathValue("word")
		_ = w.Header().Set("Word", word)
		w.SetStatus(201)
		if word == "early" {
			early++
			_ = s.End()
			return
		}
		s.OnClose(func(error) { ended++ })
		var body []byte
		r.OnBody(func(p []byte, err error) {
			body = append(body, p...)
			switch {
			case err != nil && word == "broken":
				s.Abort(errors.New("broken"))
			case err != nil:
				_ = s.Push(body)
				_, _ = s.End(), s.End() // the second is nothing
				if s.Cause() != nil || !s.Ended() {
					t.Errorf("after End: cause %v, ended %v", s.Cause(), s.Ended())
				}
			}
		})
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
		if len(seen) != 1 || done != rounds*len(tests) {
			t.Errorf("got %d streams for %d requests on one connection, %d told as done, want 1 and all", len(seen), rounds*len(tests), done)
		}
		d.write(c, "PUT /echo/broken HTTP/1.1\r\nHost: a\r\n\r\n")
		if d.seen(c); done != rounds*len(tests) {
			t.Error("a request that failed was told as done")
		}
	})
}

// Requests that are pipelined behind one that End answers come in their turn.
func TestEndPipelined(t *testing.T) {
	n := 0
	m := new(weir.Mux)
	m.HandleInline("GET /s", weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
		n++
		s := w.Stream()
		s.Detach()
		r.Recycle(func() {})
		_ = s.Push(fmt.Appendf(nil, "%d", n))
		_ = s.End()
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
