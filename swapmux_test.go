package weir_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"weir"
)

// A SwapMux routes by the Mux that was set last, also what a loop has routed before.
func TestSwapMux(t *testing.T) {
	sw := new(weir.SwapMux)
	atDesk(t, sw, nil, func(d *desk) {
		c := d.dial("")
		defer c.Close()
		ask := func(path, want string) {
			t.Helper()
			d.write(c, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n")
			if got := d.seen(c); !strings.HasPrefix(got, "HTTP/1.1 "+want[:3]) || !strings.HasSuffix(got, want[4:]) {
				t.Errorf("%s: got %q, want %s", path, got, want)
			}
		}
		ask("/a", "404 not found\n")
		for i := range 3 {
			m := new(weir.Mux)
			m.Handle("GET /a", says(fmt.Sprint("a", i))).Inline()
			m.Handle("GET /b/{id}", says(fmt.Sprint("b", i)))
			sw.Set(m)
			for range 2 {
				ask("/a", fmt.Sprintf("200 a%d  ", i))
				ask("/b/7", fmt.Sprintf("200 b%d 7 ", i))
			}
		}
		sw.Set(new(weir.Mux))
		ask("/a", "404 not found\n")
	})
}

// A request goes on with what it was routed to: its path values do not change when the Mux does, while its body
// arrives or its answer goes on.
func TestSwapMuxSparesWhatRuns(t *testing.T) {
	sw := new(weir.SwapMux)
	first, second := new(weir.Mux), new(weir.Mux)
	first.Handle("PUT /slow/{id}", says("slow"))
	first.HandleFunc("GET /on/{id}", func(w *weir.Response, r *weir.Request) {
		s := w.Stream()
		s.Detach()
		sw.Set(second) // before the request is taken out of the loop's buffer
		weir.LoopOf(w).Post(task(func() {
			_ = s.Send([]byte(r.PathValue("id") + r.PathValue("other")))
			_ = s.Close()
		}))
	}).Inline()
	second.Handle("/{other}/{rest...}", says("second"))
	atDesk(t, sw, nil, func(d *desk) {
		sw.Set(first)
		c := d.dial("PUT /slow/7 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx")
		synctest.Wait()
		sw.Set(second)
		d.write(c, "y")
		if got := d.seen(c); !strings.HasSuffix(got, "\r\n\r\nslow 7 ") {
			t.Errorf("got %q, want the answer of the first Mux", got)
		}
		sw.Set(first)
		d.write(c, "GET /on/8 HTTP/1.1\r\nHost: a\r\n\r\n")
		if got := d.seen(c); !strings.HasSuffix(got, "\r\n\r\n1\r\n8\r\n0\r\n\r\n") {
			t.Errorf("got %q, want the value of the first Mux's pattern", got)
		}
		d.write(c, "GET /on/8 HTTP/1.1\r\nHost: a\r\n\r\n")
		if got := d.seen(c); !strings.HasSuffix(got, "\r\n\r\nsecond  8") {
			t.Errorf("got %q, want the second Mux", got)
		}
		c.Close()
	})
}

// Setting and routing at once, for the race detector.
func TestSwapMuxAtOnce(t *testing.T) {
	sw := new(weir.SwapMux)
	srv := &weir.Server{Handler: sw, Loops: 2}
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer shutdown(t, srv)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	var all sync.WaitGroup
	all.Go(func() {
		for i := range 200 {
			m := new(weir.Mux)
			m.Handle("GET /{id}", says(fmt.Sprint(i)))
			sw.Set(m)
		}
	})
	for range 4 {
		all.Go(func() {
			for range 50 {
				res, err := client.Get("http://" + srv.Addrs()[0].String() + "/x")
				if err != nil {
					t.Error(err)
					return
				}
				text, err := io.ReadAll(res.Body)
				if err := errors.Join(err, res.Body.Close()); err != nil || res.StatusCode == 200 && !strings.HasSuffix(string(text), " x ") {
					t.Errorf("got %d %q, %v", res.StatusCode, text, err)
				}
			}
		})
	}
	all.Wait()
}

// Allowed tells a handler of "/" what other methods a path has.
func TestAllowed(t *testing.T) {
	m := new(weir.Mux)
	m.Handle("GET /a/{id}", says("get"))
	m.Handle("POST /a/{id}", says("post"))
	m.HandleFunc("/", func(w *weir.Response, r *weir.Request) { fmt.Fprint(w, m.Allowed(r)) })
	atDesk(t, m, nil, func(d *desk) {
		for request, want := range map[string]string{"PUT /a/7": "[GET HEAD POST]", "PUT /b": "[]", "GET /a/7": "get 7 "} {
			if _, got := d.exchange(request + " HTTP/1.1\r\nHost: a\r\n\r\n"); got != want {
				t.Errorf("%s: got %q, want %q", request, got, want)
			}
		}
	})
}
