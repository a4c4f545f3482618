package reactor_test

import (
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"

	"weir/reactor"
)

func TestEcho(t *testing.T) {
	const size = 10 << 20
	everywhere(t, func(w *world) {
		w.setup = func(p *probe) {
			p.onData = p.echo
			p.onGone = p.conn.Close
		}
		w.start(reactor.Config{})
		c, _ := w.dial()
		go func() {
			c.Write([]byte(strings.Repeat("weir", size/4)))
			c.CloseWrite()
		}()
		got, err := io.ReadAll(c)
		if err != nil || len(got) != size || strings.Count(string(got), "weir") != size/4 {
			w.Errorf("got %d bytes, %v, want %d unchanged", len(got), err, size)
		}
	})
}

func TestPauseKeepsWhatWasNotConsumed(t *testing.T) {
	everywhere(t, func(w *world) {
		w.setup = func(p *probe) {
			p.onData = func(b []byte) int {
				p.said <- "data " + string(b)
				p.conn.Pause()
				return 1
			}
		}
		w.start(reactor.Config{})
		c, p := w.dial()
		c.Write([]byte("abc"))
		p.expect(w, "data abc")
		c.Write([]byte("def"))
		w.settle()
		w.do(func() {
			p.silent(w)
			if got := p.conn.Buffered(); got != 2 {
				w.Errorf("got %d bytes buffered, want 2", got)
			}
			p.onData = nil
			p.conn.Resume()
		})
		var got string
		for got != "bcdef" {
			said := <-p.said
			if got += strings.TrimPrefix(said, "data "); !strings.HasPrefix("bcdef", got) {
				w.Fatalf("got %q, want bcdef", got)
			}
		}
		w.do(func() {
			if got := p.conn.Buffered(); got != 0 {
				w.Errorf("got %d bytes buffered, want none", got)
			}
		})
	})
}

func TestRestIsShownInFrontOfWhatArrives(t *testing.T) {
	everywhere(t, func(w *world) {
		w.setup = func(p *probe) {
			p.onData = func(b []byte) int {
				p.said <- "data " + string(b)
				return min(1, len(b)/4)
			}
		}
		w.start(reactor.Config{})
		c, p := w.dial()
		for _, step := range [][2]string{{"ab", "ab"}, {"c", "abc"}, {"d", "abcd"}, {"e", "bcde"}, {"f", "cdef"}} {
			c.Write([]byte(step[0]))
			p.expect(w, "data "+step[1])
		}
	})
}

// Reads pause by not reading: the peer's departure is told all the same.
func TestDeparture(t *testing.T) {
	fin := func(c client) { c.CloseWrite() }
	closing := func(c client) { c.Close() }
	reset := func(c client) { c.Reset() }
	for _, test := range []struct {
		name   string
		paused bool
		leave  func(c client)
		want   []string
		resume []string // what Resume brings
	}{
		{"fin", false, fin, []string{"data x", "peer closed"}, nil},
		{"close", false, closing, []string{"data x", "peer closed"}, nil},
		{"fin while paused", true, fin, []string{"peer closed"}, []string{"data x", "peer closed"}},
		{"close while paused", true, closing, []string{"peer closed"}, []string{"data x", "peer closed"}},
		{"reset while paused", true, reset, []string{"closed"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			everywhere(t, func(w *world) {
				w.setup = func(p *probe) {
					if test.paused {
						p.conn.Pause()
					}
				}
				w.start(reactor.Config{})
				c, p := w.dial()
				c.Write([]byte("x"))
				test.leave(c)
				p.expect(w, test.want...)
				w.do(func() {
					if !p.conn.PeerGone() {
						w.Error("got a peer that is there")
					}
					if ended := p.conn.InputEnded(); ended == test.paused {
						w.Errorf("got input ended %v while paused is %v", ended, test.paused)
					}
					p.conn.Resume()
				})
				p.expect(w, test.resume...)
				w.settle()
				p.silent(w)
				if test.want[0] == "closed" && !errors.Is(p.cause, syscall.ECONNRESET) {
					w.Errorf("got cause %v, want ECONNRESET", p.cause)
				}
			})
		})
	}
}

func TestResetIsTold(t *testing.T) {
	everywhere(t, func(w *world) {
		w.start(reactor.Config{})
		c, p := w.dial()
		c.Write([]byte("x"))
		p.expect(w, "data x")
		c.Reset()
		p.expect(w, "closed")
		if !errors.Is(p.cause, syscall.ECONNRESET) {
			w.Errorf("got cause %v, want ECONNRESET", p.cause)
		}
		if err := p.err(); !errors.Is(err, syscall.ECONNRESET) {
			w.Errorf("output: got %v, want the same", err)
		}
	})
}

// After FIN alone the server may go on writing; after a full close its first
// write is answered with RST. // L6
func TestHalfCloseIsNotClose(t *testing.T) {
	everywhere(t, func(w *world) {
		w.start(reactor.Config{})
		half, p := w.dial()
		half.CloseWrite()
		p.expect(w, "peer closed")
		p.send("still ")
		p.send("here")
		w.reads(half, "still here")
		w.do(p.conn.Close)
		p.expect(w, "closed")
		w.reads(half, "$")

		full, q := w.dial()
		full.Close()
		q.expect(w, "peer closed")
		q.send("anybody?")
		q.expect(w, "closed")
		if !errors.Is(q.cause, syscall.EPIPE) && !errors.Is(q.cause, syscall.ECONNRESET) {
			w.Errorf("got cause %v, want EPIPE", q.cause)
		}
	})
}

func TestResumeIsRepeatedWithoutHarm(t *testing.T) {
	onMemory(t, func(w *world) {
		w.start(reactor.Config{})
		c, p := w.memory()
		w.do(func() {
			p.conn.Pause()
			p.conn.Resume()
			p.conn.Resume()
			p.conn.Pause()
		})
		c.Write([]byte("x"))
		w.settle()
		p.silent(w)
		w.do(p.conn.Resume)
		p.expect(w, "data x")
	})
}

func TestSetHandler(t *testing.T) {
	onMemory(t, func(w *world) {
		w.start(reactor.Config{})
		c, p := w.memory()
		q := newProbe(p.conn)
		p.onData = func(b []byte) int {
			p.conn.SetHandler(q)
			p.conn.Resume()
			return 1
		}
		c.Write([]byte("abc"))
		q.expect(w, "data bc")
		c.Close()
		q.expect(w, "peer closed")
		p.silent(w)
	})
}

// A peer that sends without end gets its share of a turn, and others theirs.
func TestFastSenderStarvesNobody(t *testing.T) {
	onSockets(t, func(w *world) {
		w.setup = func(p *probe) { p.onData = func(b []byte) int { return len(b) } }
		w.start(reactor.Config{})
		flood, fp := w.dial()
		stop := make(chan struct{})
		flooding := make(chan struct{})
		go func() {
			defer close(flooding)
			block := make([]byte, 1<<20)
			for {
				select {
				case <-stop:
					return
				default:
					flood.Write(block)
				}
			}
		}()
		quiet, qp := w.dial()
		w.do(func() { qp.onData = qp.echo })
		for range 100 {
			quiet.Write([]byte("ping"))
			w.reads(quiet, "ping")
		}
		close(stop)
		<-flooding
		fp.silent(w)
	})
}
