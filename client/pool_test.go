package client_test

import (
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"weir/client"
	"weir/internal/memloop"
	"weir/reactor"
)

// A connection is used again, the one that was used last first.
func TestReuse(t *testing.T) {
	atDesk(t, client.Config{}, func(d *desk) {
		a, b := d.ask(get), d.ask(get)
		first, second := d.server(), d.server()
		d.serve(first, a)
		d.serve(second, b)
		d.idle(2)

		c := d.ask(get)
		if !c.call.Connected() || !c.call.Reused() || c.call.Responded() {
			t.Errorf("got connected %v, reused %v, answered %v, want a kept connection without an answer",
				c.call.Connected(), c.call.Reused(), c.call.Responded())
		}
		d.serve(second, c)
		d.expects(first, "")
		d.serve(second, d.ask(get))
		if a.call.Reused() || !c.call.Responded() {
			t.Error("got what later calls on the connection are, want what the call was")
		}

		e, f := d.ask(get), d.ask(get)
		d.serve(second, e)
		d.serve(first, f)
		d.idle(2)
		d.alone()
	})
}

// Who asks again when the answer is complete has the same connection.
func TestReuseInDone(t *testing.T) {
	atDesk(t, client.Config{}, func(d *desk) {
		again := d.probe()
		p := d.probe()
		p.onDone = func(error) { again.ask(get) }
		d.do(func() { p.ask(get) })
		s := d.server()
		d.serve(s, p)
		d.idle(0)
		d.serve(s, again)
		d.idle(1)
		d.alone()
	})
}

func TestIdleTime(t *testing.T) {
	for _, test := range []struct {
		name      string
		set, want time.Duration
	}{
		{"by default", 0, 4 * time.Second},
		{"set", time.Minute, time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			atDesk(t, client.Config{Idle: test.set}, func(d *desk) {
				s := d.exchange()
				since := time.Now()
				d.serve(s, d.ask(get)) // each use starts the time anew
				if _, err := s.Read(make([]byte, 1)); err == nil {
					t.Error("got a byte, want the end")
				}
				if got := time.Since(since); got < test.want || got > test.want+2*time.Millisecond {
					t.Errorf("got dropped after %v, want %v", got, test.want)
				}
				d.idle(0)
			})
		})
	}
}

func TestMaxIdle(t *testing.T) {
	for _, test := range []struct{ set, want int }{{0, 64}, {2, 2}, {-1, 0}} {
		atDesk(t, client.Config{MaxIdle: test.set}, func(d *desk) {
			var probes []*probe
			var servers []*memloop.Client
			for range test.want + 2 {
				probes = append(probes, d.ask(get))
				servers = append(servers, d.server())
			}
			for i, s := range servers {
				d.serve(s, probes[i])
			}
			d.idle(test.want)
			for _, s := range servers[test.want:] {
				d.hungUp(s)
				s.Close()
			}
		})
	}
}

// What the upstream does to a connection between two requests is known at
// once, and the next request does not meet it.
func TestIdleConnectionEnds(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(d *desk, s *memloop.Client)
	}{
		{"closed", func(_ *desk, s *memloop.Client) { s.Close() }},
		{"half closed", func(_ *desk, s *memloop.Client) { s.CloseWrite() }},
		{"reset", func(_ *desk, s *memloop.Client) { s.Reset() }},
		{"an answer that nobody asked for", func(d *desk, s *memloop.Client) { d.says(s, "HTTP/1.1 408 Request Timeout\r\n\r\n") }},
		{"a byte", func(d *desk, s *memloop.Client) { d.says(s, "\n") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			atDesk(t, client.Config{}, func(d *desk) {
				s := d.exchange()
				d.idle(1)
				test.do(d, s)
				d.idle(0)
				if n := d.kernel.Open(); n != 0 {
					t.Errorf("got %d open descriptors, want none", n)
				}
				d.exchange()
			})
		})
	}
}

// Calls in flight go on when their pool is closed; what they leave is not kept.
func TestPoolClose(t *testing.T) {
	atDesk(t, client.Config{}, func(d *desk) {
		a, b := d.ask(get), d.ask(get)
		first, second := d.server(), d.server()
		d.serve(first, a)
		p := d.ask(get) // on the first
		d.serve(second, b)
		d.idle(1)
		d.do(d.pool.Close)
		d.idle(0)
		d.hungUp(second)

		d.serve(first, p)
		d.idle(0)
		d.hungUp(first)
		first.Close()

		d.hungUp(d.exchange()) // further calls are answered, too
		d.do(d.pool.Close)
		d.idle(0)
	})
}

// A call whose kept connection was stale goes on when the pool is closed.
func TestPoolCloseBeforeRetry(t *testing.T) {
	atDesk(t, client.Config{}, func(d *desk) {
		s := d.exchange()
		p := d.ask(get)
		d.do(d.pool.Close)
		s.Close()
		s = d.server()
		d.serve(s, p)
		d.hungUp(s)
	})
}

func TestAddr(t *testing.T) {
	if got := client.NewPool(nil, client.Config{Addr: addr}).Addr(); got != addr {
		t.Errorf("got %q, want %q", got, addr)
	}
}

// When there is no descriptor for a connection, one that is kept gives way, whichever pool it is of.
func TestKeptConnectionsGiveWay(t *testing.T) {
	for _, err := range []error{nil, os.NewSyscallError("socket", syscall.EMFILE)} {
		synctest.Test(t, func(t *testing.T) {
			d := openDeskFor(t, 2, client.Config{})
			defer d.leave()
			const elsewhere = "127.0.0.1:9999"
			defer d.kernel.Listen(elsewhere, func(c *memloop.Client) { d.came <- c })()
			a, b := d.ask(get), d.ask(get)
			first, second := d.server(), d.server()
			d.serve(first, a)
			time.Sleep(time.Second)
			d.serve(second, b)
			d.idle(2)

			other := client.NewPool(d.loop(), client.Config{Addr: elsewhere})
			here := d.pool
			d.pool = other
			if err != nil { // it is the kernel that has none
				d.kernel.FailDials(err)
				if d.do(func() {
					_, got := other.Do(client.RawRequest{Method: "GET", Head: []byte(getHead)}, &probe{d: d})
					err = got
				}); !reactor.LocalShortage(err) {
					t.Errorf("got %v, want a local shortage when none is left to give way", err)
				}
				d.kernel.FailDials(nil)
				if n := idle(d, here); n != 0 {
					t.Errorf("got %d kept, want all given up", n)
				}
				return
			}
			p := d.ask(get)
			if n := idle(d, here); n != 1 {
				t.Errorf("got %d kept, want one to have given way", n)
			}
			if n, err := first.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("got %d, %v, want the one closed that was kept longest", n, err)
			}
			q := d.ask(get)
			if n := idle(d, here); n != 0 {
				t.Errorf("got %d kept, want both to have given way", n)
			}
			d.do(func() {
				if _, err := other.Do(client.RawRequest{Method: "GET", Head: []byte(getHead)}, &probe{d: d}); !errors.Is(err, reactor.ErrDialLimit) {
					t.Errorf("got %v, want ErrDialLimit", err)
				}
			})
			d.serve(d.server(), p)
			d.serve(d.server(), q)
			d.idle(2)
		})
	}
}

// idle returns the number of a pool's idle connections.
func idle(d *desk, p *client.Pool) (n int) {
	d.do(func() { n = p.IdleConns() })
	return n
}
