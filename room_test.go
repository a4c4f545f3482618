package weir_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/reactor"
	"weir/weirtest"
)

// full is a server that has room for n connections.
func full(n, loops int) func(*weir.Server) {
	return func(srv *weir.Server) { srv.Limits.Conns, srv.Loops = n, loops }
}

func roomy() *weir.Mux {
	m := new(weir.Mux)
	m.HandleFunc("GET /s", func(w *weir.Response, _ *weir.Request) { w.WriteString("x") })
	m.HandleFunc("GET /inline", func(w *weir.Response, _ *weir.Request) { w.WriteString("x") }).Inline()
	m.HandleFunc("GET /stream", func(w *weir.Response, r *weir.Request) {
		s := w.Stream()
		s.Send([]byte("first"))
		<-s.Done()
	})
	m.HandleFunc("GET /slow", func(w *weir.Response, r *weir.Request) {
		time.Sleep(time.Minute)
		w.WriteString("x")
	})
	return m
}

// ended reports whether the server has closed the connection without a word.
func ended(c *weirtest.Client) bool {
	synctest.Wait()
	if c.Unread() > 0 {
		return false
	}
	c.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := c.Read(make([]byte, 1))
	c.SetReadDeadline(time.Time{})
	return err == io.EOF
}

func (d *desk) wants(c *weirtest.Client, prefix string) {
	d.Helper()
	if got := d.seen(c); !strings.HasPrefix(got, prefix) {
		d.Errorf("got %q, want %q", got, prefix)
	}
}

// gaveWay reports whether the connection was closed for a new one: with a 503 if
// its client has never sent a byte.
func gaveWay(d *desk, c *weirtest.Client, silent bool) bool {
	if text := d.seen(c); strings.HasPrefix(text, "HTTP/1.1 503 ") != silent {
		d.Errorf("got %q, want a refusal: %v", text, silent)
	}
	return ended(c)
}

// At the limit the connection that has been idle longest is closed for a new
// one. A connection that has never sent a byte counts as idle.
func TestLongestIdleGivesWay(t *testing.T) {
	for _, path := range []string{"/s", "/inline"} {
		t.Run(path, func(t *testing.T) {
			atDesk(t, roomy(), full(4, 1), func(d *desk) {
				busy := d.get("/stream")
				used := d.get(path)
				silent := d.dial("")
				d.wants(busy, "HTTP/1.1 200 ")
				d.wants(used, "HTTP/1.1 200 ")
				time.Sleep(5 * time.Second)
				late := d.dial("")
				time.Sleep(5 * time.Second)
				d.write(used, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n")
				d.wants(used, "HTTP/1.1 200 ")
				time.Sleep(5 * time.Second)

				for i, victim := range []*weirtest.Client{silent, late, used} {
					if ended(victim) {
						d.Fatalf("connection %d was closed too early", i)
					}
					d.wants(d.get("/stream"), "HTTP/1.1 200 ")
					if !gaveWay(d, victim, victim != used) {
						d.Fatalf("connection %d was not closed", i)
					}
				}
				d.wants(d.get(path), "HTTP/1.1 503 ") // all are busy
				if ended(busy) {
					d.Error("a stream was closed")
				}
			})
		})
	}
}

// What has something in progress is not closed: a part of a head, a body, a
// handler, and a request of which no event has told yet.
func TestNothingInProgressGivesWay(t *testing.T) {
	const request = "GET /inline HTTP/1.1\r\nHost: a\r\n\r\n"
	for _, test := range []struct {
		name  string
		first string // sent before the other client comes
		wait  time.Duration
		rest  string
	}{
		{"head", request[:10], 0, request[10:]},
		{"body", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab", 0, "cd"},
		{"handler", "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n", time.Minute, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := roomy()
			m.HandleFunc("POST /echo", func(w *weir.Response, r *weir.Request) { w.WriteString("x") })
			atDesk(t, m, full(1, 1), func(d *desk) {
				c := d.dial(test.first)
				time.Sleep(2 * time.Second)
				d.wants(d.get("/s"), "HTTP/1.1 503 ")
				time.Sleep(test.wait)
				d.write(c, test.rest)
				d.wants(c, "HTTP/1.1 200 ")
				d.wants(d.get("/s"), "HTTP/1.1 200 ") // now it is idle
				if !ended(c) {
					d.Error("the idle connection is open")
				}
			})
		})
	}
	t.Run("unread", func(t *testing.T) {
		atDesk(t, roomy(), full(1, 1), func(d *desk) {
			c := d.get("/inline")
			d.wants(c, "HTTP/1.1 200 ")
			loop := d.srv.Reactor().Loops()[0]
			loop.Post(reactor.TaskFunc(func() { time.Sleep(time.Second) }))
			other := d.dial(request) // comes to the loop first
			d.write(c, request)
			time.Sleep(2 * time.Second)
			d.wants(c, "HTTP/1.1 200 ")
			d.wants(other, "HTTP/1.1 503 ")
		})
	})
}

// The one that has been idle longest may be on another loop.
func TestLongestIdleOfAllLoops(t *testing.T) {
	atDesk(t, roomy(), full(3, 3), func(d *desk) {
		var all []*weirtest.Client
		for range 3 {
			all = append(all, d.Dial()) // each on the next loop
			time.Sleep(2 * time.Second)
		}
		for i := range 3 {
			c := d.Dial()
			d.write(c, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
			d.wants(c, "HTTP/1.1 200 ")
			if !gaveWay(d, all[i], true) {
				d.Errorf("the connection of loop %d was not closed", i)
			}
		}
	})
}

// A flood of silent connections pushes out what is idle and then itself. Who
// sends a request is served.
func TestFloodOfSilentConnections(t *testing.T) {
	atDesk(t, roomy(), full(50, 2), func(d *desk) {
		busy := d.get("/stream")
		d.wants(busy, "HTTP/1.1 200 ")
		var last []*weirtest.Client
		for i := range 1000 {
			c := d.Dial()
			if last = append(last, c); len(last) > 40 {
				last = last[1:]
			}
			if i%100 == 99 {
				time.Sleep(2 * time.Second)
				d.wants(d.get("/s"), "HTTP/1.1 200 ")
			}
			time.Sleep(time.Millisecond)
			if n := d.srv.Reactor().Connections(); n > 50 {
				d.Fatalf("got %d connections, want 50 at most", n)
			}
		}
		for _, c := range last[2:] {
			if ended(c) {
				d.Error("a connection was closed although older ones were idle")
			}
		}
		if ended(busy) {
			d.Error("a stream was closed")
		}
	})
}

// However fast they come: a client that has not sent a byte gets the refusal
// before its connection is closed for another one.
func TestSilentConnectionsGetTheRefusal(t *testing.T) {
	const room = 4
	atDesk(t, roomy(), full(room, 1), func(d *desk) {
		var all []*weirtest.Client
		for range 60 {
			all = append(all, d.Dial())
		}
		for _, c := range all[:len(all)-room] {
			d.wants(c, "HTTP/1.1 503 ")
		}
		d.write(all[len(all)-1], "GET /s HTTP/1.1\r\nHost: a\r\n\r\n")
		d.wants(all[len(all)-1], "HTTP/1.1 200 ")
	})
}

// On sockets: 50 idle connections fill the limit, and others are served.
func TestConnectionLimit(t *testing.T) {
	for _, loops := range []int{1, 2} {
		t.Run(fmt.Sprint(loops), func(t *testing.T) {
			srv := &weir.Server{Handler: roomy(), Loops: loops, Limits: weir.Limits{Conns: 50}}
			srv.Timeouts.Drain, srv.Timeouts.Mercy = time.Millisecond, time.Millisecond
			if err := srv.Start("127.0.0.1:0"); err != nil {
				t.Fatal(err)
			}
			defer shutdown(t, srv)
			ask := func(path string) (net.Conn, string) {
				c := dialServer(t, srv)
				t.Cleanup(func() { c.Close() })
				_, _ = io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n") // one that is refused may be reset
				p := make([]byte, 1<<10)
				n, _ := c.Read(p)
				return c, string(p[:n])
			}
			for i := range 50 {
				if _, got := ask("/s"); !strings.HasPrefix(got, "HTTP/1.1 200 ") {
					t.Fatalf("%d: got %q, want 200", i, got)
				}
			}
			for i := range 50 {
				if _, got := ask("/stream"); !strings.HasPrefix(got, "HTTP/1.1 200 ") {
					t.Fatalf("%d beyond the limit: got %q, want 200", i, got)
				}
			}
			c := dialServer(t, srv)
			defer c.Close()
			if got, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 503 ") || !strings.Contains(string(got), "\r\nRetry-After: 1\r\n") {
				t.Errorf("got %q, %v, want 503", got, err)
			}
		})
	}
}
