package weir_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/sse"
)

// seenFailure is one call of OnError.
type seenFailure struct {
	err       error
	status    int
	committed bool
	pattern   string
}

// witness is an OnError, and the lines of a Logger.
type witness struct {
	mu    sync.Mutex
	calls []seenFailure
	lines []string
}

func (y *witness) onError(w *weir.Response, r *weir.Request, err error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.calls = append(y.calls, seenFailure{err, w.Status(), w.Committed(), r.Pattern()})
	w.Header().Set("X-Error", "yes")
	_, _ = w.WriteString("shaped\n")
}

func (y *witness) take() (calls []seenFailure, lines []string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	calls, lines, y.calls, y.lines = y.calls, y.lines, nil, nil
	return calls, lines
}

// Enabled, Handle, WithAttrs and WithGroup make it a slog.Handler.
func (y *witness) Enabled(context.Context, slog.Level) bool { return true }

func (y *witness) Handle(_ context.Context, line slog.Record) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%v %s", line.Level, line.Message)
	line.Attrs(func(a slog.Attr) bool {
		if a.Key != "stack" && a.Key != "client" {
			fmt.Fprintf(&b, " %s", a)
		}
		return true
	})
	y.mu.Lock()
	defer y.mu.Unlock()
	y.lines = append(y.lines, b.String())
	return nil
}
func (y *witness) WithAttrs([]slog.Attr) slog.Handler { return y }
func (y *witness) WithGroup(string) slog.Handler      { return y }

// failing has a route for each way in which a handler's response fails.
func failing() *weir.Mux {
	m := mux(map[string]func(*weir.Response, *weir.Request){
		"GET /abort":        func(w *weir.Response, _ *weir.Request) { w.Stream().Abort(errLuck) },
		"GET /abort-busy":   func(w *weir.Response, _ *weir.Request) { w.Stream().Abort(weir.ErrBusy) },
		"GET /abort-late":   func(w *weir.Response, _ *weir.Request) { _ = w.Stream().Send([]byte("a")); w.Stream().Abort(errLuck) },
		"GET /panics":       func(*weir.Response, *weir.Request) { panic("ouch") },
		"GET /panics-late":  func(w *weir.Response, _ *weir.Request) { _ = w.Stream().Send([]byte("a")); panic("ouch") },
		"GET /source":       func(w *weir.Response, _ *weir.Request) { w.StreamFrom(&unlucky{after: 0}) },
		"GET /source-late":  func(w *weir.Response, _ *weir.Request) { w.StreamFrom(&unlucky{after: 2}) },
		"GET /short":        func(w *weir.Response, _ *weir.Request) { w.SetContentLength(9); _ = w.Stream().Send([]byte("a")) },
		"GET /seq":          func(w *weir.Response, _ *weir.Request) { _ = w.StreamSeq(unluckySeq(0)) },
		"GET /seq-late":     func(w *weir.Response, _ *weir.Request) { _ = w.StreamSeq(unluckySeq(1)) },
		"GET /own":          func(w *weir.Response, _ *weir.Request) { w.Error(500, "the handler's own") },
		"POST /body":        func(*weir.Response, *weir.Request) {},
		"GET /hold":         func(w *weir.Response, r *weir.Request) { _ = w.Stream().Send([]byte("a")); <-r.Context().Done() },
		"GET /hold-nothing": func(_ *weir.Response, r *weir.Request) { <-r.Context().Done() },
		"GET /flood": func(w *weir.Response, _ *weir.Request) {
			for w.Stream().Send(make([]byte, 32<<10)) == nil {
			}
		},
	})
	m.Handle("GET /events", weir.Events(func(*weir.Request) iter.Seq2[*sse.Event, error] {
		return func(yield func(*sse.Event, error) bool) { yield(nil, errLuck) }
	}))
	m.Handle("GET /unary", weir.Native("test/unary"))
	m.Handle("GET /native", weir.Native("test/stream"))
	m.HandleFunc("GET /inline-late", func(w *weir.Response, _ *weir.Request) {
		_ = w.Stream().Send([]byte("a"))
		w.Stream().Abort(errLuck)
	}).Inline()
	busy := func(w *weir.Response, _ *weir.Request) { w.Refuse(weir.ErrBusy) }
	m.HandleFunc("GET /refuse", busy)
	m.HandleFunc("GET /refuse-inline", busy).Inline()
	m.HandleLoop("GET /refuse-loop", weir.LoopHandlerFunc(func(x *weir.LoopExchange) weir.BodyReceiver {
		x.Response().Refuse(weir.ErrBusy)
		return nil
	}))
	m.HandleFunc("GET /refuse-late", func(w *weir.Response, r *weir.Request) {
		_ = w.Stream().Send([]byte("a"))
		busy(w, r)
		w.Stream().Abort(errLuck)
	})
	m.HandleFunc("GET /full", func(w *weir.Response, _ *weir.Request) { w.Stream() }).MaxStreams(1)
	return m
}

// unlucky is a source that fails after some chunks.
type unlucky struct{ after int }

func (u *unlucky) Next(dst []byte) ([]byte, error) {
	if u.after--; u.after < 0 {
		return nil, errLuck
	}
	return append(dst, 'a'), nil
}
func (u *unlucky) Close(error) {}

func unluckySeq(after int) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for range after {
			if !yield([]byte("a"), nil) {
				return
			}
		}
		yield(nil, errLuck)
	}
}

// OnError is called once for each response that fails, before and after its
// head, and the log has one line for it.
func TestEveryFailedResponseIsReported(t *testing.T) {
	const (
		routing  = "DEBUG weir: request failed status="
		failed   = "ERROR weir: request failed pattern=GET %s status=500 bytes=0 err=no luck"
		stream   = "ERROR weir: request failed pattern=GET %s stream=1 status=500 bytes=0 err=no luck"
		cut      = "ERROR weir: response aborted pattern=GET %s stream=1 status=%d bytes="
		panicked = "ERROR weir: handler panicked pattern=GET %s panic=ouch"
	)
	long := strings.Repeat("a", 9<<10)
	tests := []struct {
		request   string
		err       error // nil: OnError is not called
		status    int
		committed bool
		line      string
	}{
		{"GET /nowhere", weir.ErrNotFound, 404, false, routing},
		{"PUT /abort", weir.ErrMethodNotAllowed, 405, false, routing},
		{"BREW /nowhere", weir.ErrNotImplemented, 501, false, routing},
		{"CONNECT a:1", weir.ErrNotImplemented, 501, false, routing},
		{"GET /%00", weir.ErrBadPath, 400, false, routing},
		{"GET /" + long, nil, 414, false, routing},
		{"GET / x", nil, 400, false, routing},
		{"GET /abort", errLuck, 500, false, stream},
		{"GET /abort-busy", weir.ErrBusy, 503, false, "WARN weir: request failed pattern=GET %s stream=1 status=503 bytes=0 err=weir: concurrency limit"},
		{"GET /source", errLuck, 500, false, stream},
		{"GET /seq", errLuck, 500, false, stream},
		{"GET /events", errLuck, 500, false, stream},
		{"GET /unary?fail=1", errLuck, 500, false, failed},
		{"GET /native?early=1", errLuck, 500, false, stream},
		{"GET /panics", nil, 500, false, panicked},
		{"GET /refuse", weir.ErrBusy, 503, false, "WARN weir: request failed pattern=GET %s status=503 bytes=0 err=weir: concurrency limit"},
		{"GET /refuse-inline", weir.ErrBusy, 503, false, "WARN weir: request failed pattern=GET %s status=503"},
		{"GET /refuse-loop", weir.ErrBusy, 503, false, "WARN weir: request failed pattern=GET %s status=503"},
		{"GET /refuse-late", errLuck, 200, true, cut},
		{"GET /abort-late", errLuck, 200, true, cut},
		{"GET /inline-late", errLuck, 200, true, cut},
		{"GET /source-late", errLuck, 200, true, cut},
		{"GET /seq-late", errLuck, 200, true, cut},
		{"GET /native?late=1", errLuck, 202, true, cut},
		{"GET /panics-late", nil, 200, true, panicked},
		{"GET /short", nil, 200, true, cut},
	}
	for _, test := range tests {
		t.Run(test.request[:min(20, len(test.request))], func(t *testing.T) {
			y := new(witness)
			atDesk(t, failing(), func(s *weir.Server) { s.OnError, s.Logger = y.onError, slog.New(y) }, func(d *desk) {
				c := d.dial(test.request + " HTTP/1.1\r\nHost: a\r\n\r\n")
				got := d.seen(c)
				calls, lines := y.take()
				if len(calls) != 1 || test.err != nil && !errors.Is(calls[0].err, test.err) || calls[0].status != test.status || calls[0].committed != test.committed {
					t.Errorf("got the calls %v of OnError, want one with %d, %v, committed %v", calls, test.status, test.err, test.committed)
				}
				if shaped := strings.Contains(got, "\r\nX-Error: yes\r\n") && strings.HasSuffix(got, "\r\n\r\nshaped\n"); shaped == test.committed {
					t.Errorf("got %q, shaped by OnError: %v, want %v", got, shaped, !test.committed)
				}
				path, _, _ := strings.Cut(strings.Fields(test.request)[1], "?")
				want := strings.NewReplacer("%s", path, "%d", strconv.Itoa(test.status)).Replace(test.line)
				if len(lines) != 1 || !strings.HasPrefix(lines[0], want) {
					t.Errorf("got the lines %q, want one that begins with %q", lines, want)
				}
				c.Close()
				synctest.Wait()
				if calls, lines := y.take(); len(calls) > 0 || len(lines) > 0 {
					t.Errorf("got %v and %q when the connection was over, want nothing more", calls, lines)
				}
			})
		})
	}
}

// Bodies that are refused are reported, too, before and after the head.
func TestRefusedBodiesAreReported(t *testing.T) {
	y := new(witness)
	atDesk(t, failing(), func(s *weir.Server) { s.OnError, s.Logger, s.Limits.Body = y.onError, slog.New(y), 8 }, func(d *desk) {
		for _, test := range []struct {
			request string
			err     error
			status  int
		}{
			{"Content-Length: 9\r\n\r\n", weir.ErrBodyTooLarge, 413},
			{"Transfer-Encoding: chunked\r\n\r\nzz\r\n", nil, 400},
			{"Content-Length: 5\r\n\r\na", weir.ErrTimeout, 408},
			{"X: " + strings.Repeat("x", 17<<10) + "\r\n\r\n", nil, 431},
		} {
			c := d.dial("POST /body HTTP/1.1\r\nHost: a\r\n" + test.request)
			time.Sleep(time.Minute)
			got := d.seen(c)
			calls, lines := y.take()
			if len(calls) != 1 || calls[0].status != test.status || test.err != nil && !errors.Is(calls[0].err, test.err) || !strings.HasSuffix(got, "shaped\n") {
				t.Errorf("%.30q: got %v, %q, want one call with %d and %v", test.request, calls, got, test.status, test.err)
			}
			if len(lines) != 1 || !strings.HasPrefix(lines[0], "DEBUG weir: request failed ") {
				t.Errorf("%.30q: got the lines %q", test.request, lines)
			}
			c.Close()
		}
	})
}

// What clients do is not a failure of the response, but for those that stop
// reading, which the server cuts. What a drain cuts is reported.
func TestCutsAreReported(t *testing.T) {
	y := new(witness)
	atDesk(t, failing(), func(s *weir.Server) { s.OnError, s.Logger = y.onError, slog.New(y) }, func(d *desk) {
		for _, path := range []string{"/hold", "/hold-nothing"} {
			c := d.get(path)
			d.seen(c)
			c.Reset()
			synctest.Wait()
		}
		if status, body := d.exchange("GET /own HTTP/1.1\r\nHost: a\r\n\r\n"); status != "500 Internal Server Error" || body != "the handler's own\n" {
			t.Errorf("got %s %q, want the handler's own error", status, body)
		}
		if calls, lines := y.take(); len(calls) > 0 || len(lines) > 0 {
			t.Errorf("got %v and %q, want nothing for clients that disconnect and for a handler's own error", calls, lines)
		}
		c := d.get("/flood")
		time.Sleep(5 * time.Minute)
		calls, lines := y.take()
		if len(calls) != 1 || !errors.Is(calls[0].err, weir.ErrSlowClient) || !calls[0].committed || len(lines) != 1 {
			t.Errorf("got %v and %q, want ErrSlowClient", calls, lines)
		}
		c.Close()
		held := d.get("/hold")
		d.seen(held)
		d.cut()
		calls, lines = y.take()
		if len(calls) != 1 || !errors.Is(calls[0].err, weir.ErrServerClosed) || len(lines) != 1 {
			t.Errorf("got %v and %q, want ErrServerClosed", calls, lines)
		}
		held.Close()
	})
}

// Of what clients can bring about as often as they like some lines a second are
// logged, and how many were not.
func TestFailuresAreLoggedWithinABudget(t *testing.T) {
	y := new(witness)
	atDesk(t, failing(), func(s *weir.Server) { s.OnError, s.Logger = y.onError, slog.New(y) }, func(d *desk) {
		for range 100 {
			d.exchange("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
		}
		d.exchange("GET /abort HTTP/1.1\r\nHost: a\r\n\r\n") // of another level
		time.Sleep(time.Second)
		d.exchange("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
		calls, lines := y.take()
		if len(calls) != 102 {
			t.Errorf("got %d calls of OnError, want 102", len(calls))
		}
		if len(lines) != 12 || !strings.HasPrefix(lines[10], "ERROR") || !strings.HasSuffix(lines[11], " not_logged=90") {
			t.Errorf("got %d lines, %q, want 10, one of an error and one that says that 90 were not logged", len(lines), lines[max(0, len(lines)-2):])
		}
	})
}

// An OnError that does what it should not does not keep the error response back.
func TestOnErrorMisbehaves(t *testing.T) {
	for name, onError := range map[string]func(*weir.Response, *weir.Request, error){
		"panics":          func(*weir.Response, *weir.Request, error) { panic("ouch") },
		"aborts":          func(w *weir.Response, _ *weir.Request, _ error) { w.Stream().Abort(errLuck) },
		"streams":         func(w *weir.Response, _ *weir.Request, _ error) { w.StreamFrom(new(unlucky)) },
		"sets all it can": func(w *weir.Response, _ *weir.Request, _ error) { w.SetStatus(599); w.SetContentLength(5) },
	} {
		t.Run(name, func(t *testing.T) {
			atDesk(t, failing(), func(s *weir.Server) { s.OnError = onError }, func(d *desk) {
				for _, path := range []string{"/nowhere", "/abort", "/panics"} {
					if status, body := d.exchange("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n"); status < "404" || body == "" {
						t.Errorf("%s: got %q %q, want an error response", path, status, body)
					}
				}
				c := d.get("/abort-late")
				d.seen(c)
				c.Close()
			})
		})
	}
}

// L4: a producer that waits for a client learns at once that its stream was
// aborted, however long what is pending takes.
func TestAbortWakesSend(t *testing.T) {
	broken := errors.New("the model broke down")
	m := new(weir.Mux)
	var ends chan error
	m.HandleFunc("GET /s", func(w *weir.Response, _ *weir.Request) {
		s := w.Stream()
		time.AfterFunc(time.Second, func() { s.Abort(broken) })
		var err error
		for err == nil {
			err = s.Send(make([]byte, 1<<10))
		}
		ends <- err
	})
	atDesk(t, m, nil, func(d *desk) {
		ends = make(chan error)
		begun := time.Now()
		c := d.Dial()
		c.SetWindow(1)
		d.write(c, "GET /s HTTP/1.1\r\nHost: a\r\n\r\n")
		if err := <-ends; !errors.Is(err, broken) || time.Since(begun) != time.Second {
			t.Errorf("got %v after %v, want %v after 1s", err, time.Since(begun), broken)
		}
		c.Reset()
	})
}
