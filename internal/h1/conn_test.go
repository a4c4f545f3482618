package h1_test

import (
	"testing"
	"testing/synctest"
	"time"
)

const (
	get   = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
	later = "GET /later HTTP/1.1\r\nHost: a\r\n\r\n"
	okA   = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n/a"
)

// What a connection sends, and what it calls, for what arrives in one piece.
func TestExchanges(t *testing.T) {
	for _, tt := range []struct {
		name, in, out string
		calls         []string
	}{
		{"one request", get, okA, []string{"Begin /a", "Serve", "Done"}},
		{"two", get + get, okA + okA, []string{"Begin /a", "Serve", "Done", "Begin /a", "Serve", "Done"}},
		{"HTTP/1.0", "GET /a HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n/aFIN",
			[]string{"Begin /a", "Serve", "Done"}},
		{"HTTP/1.0 that stays", "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
			"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n/a", []string{"Begin /a", "Serve", "Done"}},
		{"a body", "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + get, okA + okA,
			[]string{"Begin /a", "Plan whole=true ask=false", "End 3", "Serve", "Done", "Begin /a", "Serve", "Done"}},
		{"a body in chunks", "PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", okA,
			[]string{"Begin /a", "Plan whole=false ask=false", "End 3", "Serve", "Done"}},
		{"a body above its limit", "PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n",
			"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\nConnection: close\r\n\r\nnoFIN",
			[]string{"Begin /a", "Plan whole=false ask=false", "Refuse: weir: request body is too large", "Done"}},
		{"100 Continue", "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n",
			[]string{"Begin /a", "Plan whole=false ask=true"}},
		{"an early response, the body is here", "PUT /early HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + get,
			"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n/early" + okA,
			[]string{"Begin /early", "Plan whole=true ask=false", "Serve", "Done", "Begin /a", "Serve", "Done"}},
		{"an early response, it is not", "PUT /early HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab",
			"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n/earlyFIN",
			[]string{"Begin /early", "Plan whole=false ask=false", "Serve", "Done"}},
		{"refused", "GET /refused HTTP/1.1\r\nHost: a\r\n\r\n" + get,
			"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\nConnection: close\r\n\r\nnoFIN",
			[]string{"Begin /refused", "Refuse: weir: server closed", "Done"}},
		{"what waits behind a response", later + get, "", []string{"Begin /later", "Serve"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				c := w.send(tt.in)
				defer c.Close()
				if got := w.seen(c); got != tt.out {
					t.Errorf("got %q, want %q", got, tt.out)
				}
				w.called(tt.calls...)
			})
		})
	}
}

// A handler that has left the loop does not notify it when it is done: its
// response is found complete when the next request arrives, or after a second.
func TestLeft(t *testing.T) {
	inWorld(t, func(w *world) {
		c := w.send(later)
		defer c.Close()
		w.called("Begin /later", "Serve")
		rc := w.open.conn.Wire()
		rc.Lock()
		w.open.respond(200, "done")
		rc.FlushWith(nil, nil)
		w.called()
		w.more(c, get)
		w.called("Done", "Begin /a", "Serve", "Done")

		w.more(c, later)
		w.called("Begin /later", "Serve")
		rc.Lock()
		w.open.respond(200, "done")
		rc.FlushWith(nil, nil)
		time.Sleep(2 * time.Second)
		w.called("Done")
	})
}

// Each phase has its time.
func TestDeadlines(t *testing.T) {
	const refused = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\nConnection: close\r\n\r\nnoFIN"
	for _, tt := range []struct {
		name, in, out string
		after         time.Duration
		calls         []string
	}{
		{"nothing", "", "FIN", time.Minute, nil},
		{"a part of a head", "GET /a", refused, 10 * time.Second, []string{"Refuse: weir: request took too long to arrive", "Done"}},
		{"a part of a body", "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab", refused, 5 * time.Second,
			[]string{"Begin /a", "Plan whole=false ask=false", "Refuse: weir: request took too long to arrive", "Done"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				c := w.send(tt.in)
				defer c.Close()
				time.Sleep(tt.after - time.Second)
				if got := w.seen(c); got != "" {
					t.Errorf("got %q a second early", got)
				}
				time.Sleep(2 * time.Second)
				if got := w.seen(c); got != tt.out {
					t.Errorf("got %q, want %q", got, tt.out)
				}
				w.called(tt.calls...)
			})
		})
	}
}

// A client that sends no more gets its response; one that disconnects in its
// body ends the request.
func TestPeerClosed(t *testing.T) {
	inWorld(t, func(w *world) {
		c := w.send(later)
		synctest.Wait()
		_ = c.CloseWrite()
		w.called("Begin /later", "Serve", "Depart")
		w.open.conn.Wire().Lock()
		w.open.respond(200, "done")
		w.open.conn.Wire().FlushWith(nil, nil)
		w.open.conn.Completed(false)
		if got, want := w.seen(c), "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndoneFIN"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		w.called("Done")

		c = w.send("PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab")
		synctest.Wait()
		_ = c.Close()
		w.called("Begin /a", "Plan whole=false ask=false", "Drop", "Cut: weir: client disconnected", "Closed")
	})
}

// A drain closes what is quiet, and cuts what still runs.
func TestDrain(t *testing.T) {
	inWorld(t, func(w *world) {
		quiet, busy := w.send(get), w.send(later)
		defer quiet.Close()
		defer busy.Close()
		if got := w.seen(quiet); got != okA {
			t.Errorf("got %q", got)
		}
		w.onLoop(func() {
			if n := w.group.Running(); n != 1 {
				t.Errorf("got %d running, want 1", n)
			}
			w.group.Refuse(time.Second)
		})
		time.Sleep(2 * time.Second)
		if got := w.seen(quiet); got != "FIN" {
			t.Errorf("got %q on a quiet connection, want FIN", got)
		}
		w.calls = nil
		w.onLoop(func() { w.group.Cut(time.Second) })
		time.Sleep(2 * time.Second)
		if got := w.seen(busy); got != "FIN" {
			t.Errorf("got %q, want FIN", got)
		}
		w.called("Cut: weir: server closed")
	})
}
