package weir_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/plugin"
)

// nativeSink is the sink of the last call of test/hold.
var nativeSink atomic.Value

func init() {
	plugin.Register("test/unary", plugin.Handler{Unary: func(c plugin.Call, r plugin.Reply) error {
		if c.Query("fail") != "" {
			r.Write([]byte("part"))
			return errLuck
		}
		r.SetStatus(201)
		if err := r.SetHeader("X-Kind", "native"); err != nil {
			return err
		}
		if r.SetHeader("Content-Length", "1") == nil {
			return errors.New("a framing field was taken")
		}
		_, err := fmt.Fprintf(writer(r.Write), "%s %s ?%s %s %s %s %q", c.Method(), c.Path(), c.RawQuery(), c.Query("q"), c.PathValue("id"), c.Header("x"), c.Body())
		return err
	}})
	plugin.Register("test/stream", plugin.Handler{Stream: func(c plugin.Call, s plugin.Sink) error {
		if c.Query("early") != "" {
			return errLuck
		}
		s.SetStatus(202)
		if err := s.SetHeader("Content-Type", "text/plain"); err != nil {
			return err
		}
		for _, chunk := range []string{"a", "", "b"} {
			if err := s.Send([]byte(chunk)); err != nil {
				return err
			}
		}
		if c.Query("late") != "" {
			return errLuck
		}
		s.SetStatus(500)
		if s.SetHeader("X", "late") == nil {
			return errors.New("a field was taken after the head")
		}
		return nil
	}})
	plugin.Register("test/hold", plugin.Handler{Limit: 1, Stream: func(c plugin.Call, s plugin.Sink) error {
		nativeSink.Store(&s)
		if err := s.Flush(); err != nil {
			return err
		}
		<-c.Done()
		return s.Send([]byte("x"))
	}})
}

type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func nativeMux() *weir.Mux {
	m := new(weir.Mux)
	m.Handle("/unary/{id}", weir.Native("test/unary"))
	m.Handle("/stream", weir.Native("test/stream"))
	m.Handle("/hold", weir.Native("test/hold"))
	m.Handle("/hold-too", weir.Native("test/hold"))
	native := weir.Native("test/unary")
	m.HandleFunc("/inline", func(w *weir.Response, r *weir.Request) { native.Serve(w, r) }).Inline()
	return m
}

func TestNative(t *testing.T) {
	tests := []struct{ request, status, body string }{
		{"POST /unary/7?q=1 HTTP/1.1\r\nHost: a\r\nX: 2\r\nContent-Length: 2\r\n\r\nhi", "201 Created", `POST /unary/7 ?q=1 1 7 2 "hi"`},
		{"GET /unary/7?fail=1 HTTP/1.1\r\nHost: a\r\n\r\n", "500 Internal Server Error", "Internal Server Error\n"},
		{"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n", "202 Accepted", "1\r\na\r\n1\r\nb\r\n0\r\n\r\n"},
		{"HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n", "202 Accepted", ""},
		{"GET /stream HTTP/1.0\r\n\r\n", "202 Accepted", "ab"},
		{"GET /stream?early=1 HTTP/1.1\r\nHost: a\r\n\r\n", "500 Internal Server Error", "Internal Server Error\n"},
		{"GET /inline HTTP/1.1\r\nHost: a\r\n\r\n", "500 Internal Server Error", "Internal Server Error\n"}, // it would block the loop
	}
	atDesk(t, nativeMux(), nil, func(d *desk) {
		for _, test := range tests {
			if status, body := d.exchange(test.request); status != test.status || body != test.body {
				t.Errorf("%q: got %s %q, want %s %q", test.request, status, body, test.status, test.body)
			}
		}
	})
}

// C3: an error after the first chunk cuts the connection.
func TestNativeFailsLate(t *testing.T) {
	atDesk(t, nativeMux(), nil, func(d *desk) {
		c := d.get("/stream?late=1")
		if body := d.truncated(c); body == "" {
			t.Error("got nothing, want what was sent")
		}
	})
}

// The limit holds over all routes of a native handler; its end gives the place back.
func TestNativeLimitAndCancellation(t *testing.T) {
	atDesk(t, nativeMux(), nil, func(d *desk) {
		c := d.get("/hold")
		synctest.Wait()
		sink := *nativeSink.Load().(*plugin.Sink)
		if sink.Cancelled() || sink.Cause() != nil {
			t.Error("cancelled while the client is there")
		}
		refused := d.get("/hold-too")
		if got := d.seen(refused); !strings.HasPrefix(got, "HTTP/1.1 503 ") || !strings.Contains(got, "\r\nRetry-After: 1\r\n") {
			t.Errorf("got %q, want 503 with Retry-After", got)
		}
		refused.Close()
		c.Close()
		synctest.Wait()
		if !sink.Cancelled() || !errors.Is(sink.Cause(), weir.ErrClientGone) || !errors.Is(sink.TrySend([]byte("x")), weir.ErrClientGone) {
			t.Errorf("got %v, %v, want cancelled by the client", sink.Cancelled(), sink.Cause())
		}
		if err := sink.Close(); !errors.Is(err, weir.ErrClientGone) {
			t.Errorf("Close: got %v", err)
		}
		time.Sleep(time.Second)
		again := d.get("/hold-too")
		if got := d.seen(again); !strings.HasPrefix(got, "HTTP/1.1 200 ") {
			t.Errorf("got %q, want the place that was given back", got)
		}
		again.Close()
	})
}
