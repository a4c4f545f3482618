package weir_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir"
)

// shouts is middleware that changes a buffered body, off the loop, and takes
// its time.
func shouts(next weir.Handler) weir.Handler {
	return weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
		next.Serve(w, r)
		if body := w.Body(); body != nil {
			w.Offload(func() {
				time.Sleep(time.Second)
				w.Header().Set("X-Path", r.Path())
				w.SetBody([]byte(strings.ToUpper(string(w.Body()))))
			})
		}
	})
}

// What is offloaded runs off the loop, and is part of the response, wherever the
// handler ran.
func TestOffload(t *testing.T) {
	m := new(weir.Mux)
	m.Use(shouts)
	m.Handle("GET /own", says("own"))
	m.Handle("GET /inline", says("inline")).Inline()
	m.HandleLoop("GET /loop", atOnce(says("loop")))
	m.HandleFunc("GET /stream", func(w *weir.Response, _ *weir.Request) { _ = w.Stream().Send([]byte("stream")) }).Inline()
	m.HandleFunc("GET /bad", func(w *weir.Response, _ *weir.Request) { w.Header().Set("a b", "") }).Inline()
	atDesk(t, m, nil, func(d *desk) {
		for _, tt := range []struct {
			request, want string
			changed       bool
		}{
			{"GET /own", "OWN  ", true},
			{"GET /inline", "INLINE  ", true},
			{"HEAD /inline", "", true},
			{"GET /loop", "LOOP  ", true},
			{"GET /none", "404 PAGE NOT FOUND\n", true},
			{"GET /stream", "6\r\nstream\r\n0\r\n\r\n", false},
			{"GET /bad", "Internal Server Error\n", false},
		} {
			c := d.dial(tt.request + " HTTP/1.1\r\nHost: a\r\n\r\n")
			time.Sleep(2 * time.Second)
			head, body, _ := strings.Cut(d.seen(c), "\r\n\r\n")
			if body != tt.want || strings.Contains(head, "\r\nX-Path: /") != tt.changed {
				t.Errorf("%s: got %q %q, want %q", tt.request, head, body, tt.want)
			}
			c.Close()
		}
	})
}

// The loop goes on while something is offloaded, and responses of one connection
// keep their order. Later requests do not see what was set for an earlier one.
func TestOffloadPipelined(t *testing.T) {
	m := new(weir.Mux)
	m.Handle("GET /slow", says("slow"), shouts).Inline()
	m.Handle("GET /fast", says("fast")).Inline()
	atDesk(t, m, nil, func(d *desk) {
		const slow, fast = "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n", "GET /fast HTTP/1.1\r\nHost: a\r\n\r\n"
		c := d.dial(strings.Repeat(slow+fast, 3))
		if status, body := d.exchange(fast); status != "200 OK" || body != "fast  " {
			t.Errorf("another connection: got %s %q", status, body)
		}
		time.Sleep(10 * time.Second)
		got := d.seen(c)
		for range 3 {
			for _, want := range []string{"SLOW  ", "fast  "} {
				_, rest, ok := strings.Cut(got, "\r\n\r\n")
				if !ok || !strings.HasPrefix(rest, want) {
					t.Fatalf("got %q, want %s", rest, want)
				}
				got = rest[len(want):]
			}
		}
		c.Close()
	})
}

// A client that disconnects, a drain, a panic, and the limit on goroutines end an
// offloaded response as they do others.
func TestOffloadEnds(t *testing.T) {
	ended := make(chan error, 1)
	inline := func(f func(w *weir.Response)) *weir.Mux {
		m := new(weir.Mux)
		m.HandleFunc("GET /", func(w *weir.Response, r *weir.Request) {
			r.OnClose(func(cause error) { ended <- cause })
			_, _ = io.WriteString(w, "body")
			f(w)
		}).Inline()
		return m
	}
	waits := func(w *weir.Response) { w.Offload(func() { time.Sleep(time.Minute) }) }
	const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	atDesk(t, inline(waits), nil, func(d *desk) {
		c := d.dial(get)
		synctest.Wait()
		c.Reset()
		synctest.Wait()
		if err := <-ended; err == nil {
			t.Error("a disconnect: got no cause")
		}
		time.Sleep(time.Hour)
	})
	atDesk(t, inline(func(w *weir.Response) { w.Offload(func() { panic("boom") }) }), nil, func(d *desk) {
		if status, _ := d.exchange(get); status != "500 Internal Server Error" {
			t.Errorf("a panic: got %s", status)
		}
		<-ended
	})
	atDesk(t, inline(func(w *weir.Response) { w.Offload(func() { panic("not called") }); panic("boom") }), nil, func(d *desk) {
		if status, _ := d.exchange(get); status != "500 Internal Server Error" {
			t.Errorf("a panic of the handler: got %s", status)
		}
		<-ended
	})
	atDesk(t, inline(waits), func(s *weir.Server) { s.Limits.Handlers = 1 }, func(d *desk) {
		c := d.dial(get)
		synctest.Wait()
		if status, body := d.exchange(get); status != "200 OK" || body != "body" {
			t.Errorf("beyond the limit: got %s %q, want the response as it is", status, body)
		}
		<-ended
		time.Sleep(2 * time.Minute)
		if got := d.seen(c); !strings.HasSuffix(got, "\r\n\r\nbody") {
			t.Errorf("within it: got %q", got)
		}
		<-ended
		c.Close()
	})
	// An empty body is none, also of a connection that has had others.
	empty := inline(func(w *weir.Response) {
		w.SetBody(w.Body()[:0])
		w.Offload(func() { t.Error("an empty body: called") })
	})
	atDesk(t, empty, nil, func(d *desk) {
		c := d.Dial()
		for range 2 {
			d.write(c, get)
			d.seen(c)
			<-ended
		}
		c.Close()
	})
	// OnHeaders has nothing to offload.
	atDesk(t, inline(func(*weir.Response) {}), func(s *weir.Server) {
		s.OnHeaders = func(w *weir.Response, r *weir.Request) bool {
			w.Offload(func() { t.Error("called") })
			return r.RawQuery() == ""
		}
	}, func(d *desk) {
		for _, query := range []string{"", "?x"} {
			if status, _ := d.exchange(fmt.Sprintf("GET /%s HTTP/1.1\r\nHost: a\r\n\r\n", query)); status != "200 OK" {
				t.Errorf("%s: got %s", query, status)
			}
		}
		<-ended
	})
}
