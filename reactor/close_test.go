package reactor_test

import (
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/memloop"
	"weir/reactor"
)

func TestCloseDrainsThenLingers(t *testing.T) {
	onMemory(t, func(w *world) {
		w.start(reactor.Config{})
		c, p := w.memory()
		c.SetWindow(4)
		p.send("0123456789")
		w.do(p.conn.Close)
		if err := p.err(); err != reactor.ErrClosed {
			w.Errorf("got %v, want ErrClosed", err)
		}
		w.reads(c, "0123456789$")
		c.Write([]byte("to be thrown away"))
		synctest.Wait()
		p.silent(w)
		if n := w.kernel.Open(); n != 1 {
			w.Errorf("got %d descriptors while lingering, want 1", n)
		}
		c.CloseWrite()
		p.expect(w, "closed")
		if p.cause != reactor.ErrClosed || w.kernel.Open() != 0 || w.r.Connections() != 0 {
			w.Errorf("got %v, %d descriptors, %d connections, want ErrClosed and none", p.cause, w.kernel.Open(), w.r.Connections())
		}
	})
}

// A connection that has shut its sending side still receives, and Close behind
// that is as any other, whether or not all was written before.
func TestCloseWrite(t *testing.T) {
	for _, pending := range []bool{false, true} {
		for _, peer := range []string{"ends first", "ends last", "keeps sending"} {
			onMemory(t, func(w *world) {
				w.start(reactor.Config{})
				c, p := w.memory()
				if pending {
					c.SetWindow(4)
				}
				p.send("0123456789")
				w.do(p.conn.CloseWrite)
				w.do(p.conn.CloseWrite)
				if err := p.err(); err != reactor.ErrClosed {
					w.Errorf("got %v, want ErrClosed", err)
				}
				w.reads(c, "0123456789$")
				c.Write([]byte("hello"))
				p.expect(w, "data hello")
				switch peer {
				case "ends first":
					c.CloseWrite()
					p.expect(w, "peer closed")
					w.do(p.conn.Close)
				case "ends last":
					w.do(p.conn.Close)
					synctest.Wait()
					c.CloseWrite()
				default:
					w.do(p.conn.Close)
					c.Write([]byte("to be thrown away"))
					time.Sleep(time.Minute)
				}
				p.expect(w, "closed")
				if p.cause != reactor.ErrClosed || w.kernel.Open() != 0 {
					w.Errorf("%v, %s: got %v and %d descriptors, want ErrClosed and none", pending, peer, p.cause, w.kernel.Open())
				}
			})
		}
	}
}

func TestCloseTwiceIsOnce(t *testing.T) {
	everywhere(t, func(w *world) {
		w.start(reactor.Config{})
		c, p := w.dial()
		w.do(func() {
			p.conn.Close()
			p.conn.Close()
		})
		w.reads(c, "$")
		c.Close()
		p.expect(w, "closed")
		w.do(func() {
			p.conn.Close()
			p.conn.Abort(io.ErrNoProgress)
			p.conn.Resume()
		})
		w.settle()
		p.silent(w)
	})
}

// Nothing is waited for on a connection on which nothing is in flight. // K8.44
func TestCloseIdle(t *testing.T) {
	for _, tt := range []struct {
		name    string
		before  func(c *memloop.Client, p *probe)
		lingers bool
		reads   string
	}{
		{"idle", func(*memloop.Client, *probe) {}, false, "$"},
		{"response read", func(c *memloop.Client, p *probe) {
			p.send("0123")
			c.Read(make([]byte, 4))
		}, false, "$"},
		{"response not read", func(_ *memloop.Client, p *probe) { p.send("0123") }, true, "0123$"},
		{"response pending", func(c *memloop.Client, p *probe) {
			c.SetWindow(1)
			p.send("01")
		}, true, "01$"},
		{"request not consumed", func(c *memloop.Client, p *probe) {
			p.onData = func([]byte) int { return 0 }
			c.Write([]byte("x"))
		}, true, "$"},
		{"request not read", func(c *memloop.Client, p *probe) {
			p.conn.Loop().Post(reactor.TaskFunc(p.conn.Pause))
			synctest.Wait()
			c.Write([]byte("x"))
		}, true, "$"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onMemory(t, func(w *world) {
				w.start(reactor.Config{})
				c, p := w.memory()
				tt.before(c, p)
				synctest.Wait()
				begin := time.Now()
				w.do(p.conn.CloseIdle)
				w.reads(c, tt.reads)
				p.expect(w, "closed")
				if took := time.Since(begin); p.cause != reactor.ErrClosed || tt.lingers != (took >= 2*time.Second) || !tt.lingers && took > 0 {
					w.Errorf("got %v after %v, want ErrClosed, and a wait: %v", p.cause, took, tt.lingers)
				}
			})
		})
	}
}

// ReadNow shows what no event has told of, and the end.
func TestReadNow(t *testing.T) {
	onMemory(t, func(w *world) {
		w.start(reactor.Config{})
		c, p := w.memory()
		w.do(func() {
			c.Write([]byte("early")) // the loop does not look at events meanwhile
			p.silent(w)
			p.conn.ReadNow()
			p.expect(w, "data early")
			c.CloseWrite()
			p.conn.ReadNow()
			p.expect(w, "peer closed")
			p.conn.Close()
			p.expect(w, "closed")
			p.conn.ReadNow()
		})
		synctest.Wait()
		p.silent(w)
	})
}

func TestLingerIsBounded(t *testing.T) {
	t.Run("in time", func(t *testing.T) {
		onMemory(t, func(w *world) {
			w.start(reactor.Config{})
			c, p := w.memory()
			start := time.Now()
			w.do(p.conn.Close)
			w.reads(c, "$")
			p.expect(w, "closed")
			if got := time.Since(start); got < 2*time.Second || got > 2100*time.Millisecond {
				w.Errorf("got %v, want 2 s", got)
			}
		})
	})
	t.Run("in bytes", func(t *testing.T) {
		onMemory(t, func(w *world) {
			w.start(reactor.Config{LingerBytes: 1000})
			c, p := w.memory()
			w.do(p.conn.Close)
			c.Write(make([]byte, 1000))
			synctest.Wait()
			p.silent(w)
			start := time.Now()
			c.Write(make([]byte, 1)) // is not read any more
			if err := c.CloseWrite(); err != nil {
				w.Error(err)
			}
			p.expect(w, "closed")
			if got := time.Since(start); got < 1900*time.Millisecond {
				w.Errorf("closed after %v, want the whole time", got)
			}
		})
	})
}

func TestStallWhileClosing(t *testing.T) {
	onMemory(t, func(w *world) {
		w.start(reactor.Config{WriteStall: 10 * time.Second})
		c, p := w.memory()
		c.SetWindow(1)
		start := time.Now()
		p.send("01")
		w.do(p.conn.Close)
		p.expect(w, "closed")
		if got := time.Since(start); p.cause != reactor.ErrStalled || got > 11*time.Second {
			w.Errorf("got %v after %v, want ErrStalled after 10 s", p.cause, got)
		}
	})
}

// An answer on top of unread input is not lost to a RST. // L13
func TestCloseWithUnreadInput(t *testing.T) {
	const answer = "413"
	t.Run("in the middle of it", func(t *testing.T) {
		everywhere(t, func(w *world) {
			w.setup = func(p *probe) {
				p.onData = func(b []byte) int {
					p.send(answer)
					p.conn.Close()
					return 0
				}
			}
			w.start(reactor.Config{})
			c, p := w.dial()
			c.Write(make([]byte, 60<<10))
			w.reads(c, answer+"$")
			c.Close()
			p.expect(w, "closed")
		})
	})
	for _, fin := range []bool{false, true} {
		name := map[bool]string{false: "paused", true: "paused, FIN behind it"}[fin]
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(w *world) {
				w.setup = func(p *probe) { p.conn.Pause() }
				w.start(reactor.Config{})
				c, p := w.dial()
				c.Write(make([]byte, 10<<10))
				if fin {
					c.CloseWrite()
					p.expect(w, "peer closed")
				}
				w.settle()
				p.send(answer)
				w.do(p.conn.Close)
				w.settle()
				w.reads(c, answer+"$")
				c.Close()
				p.expect(w, "closed")
				if p.cause != reactor.ErrClosed {
					w.Errorf("got cause %v, want ErrClosed", p.cause)
				}
			})
		})
	}
}

// A client that reads the answer when it has sent everything is not kept from
// sending by an answer that does not fit.
func TestClosingDiscardsInput(t *testing.T) {
	onMemory(t, func(w *world) {
		w.setup = func(p *probe) { p.conn.Pause() }
		w.start(reactor.Config{})
		c, p := w.memory()
		c.SetWindow(1)
		start := time.Now()
		sent := make(chan error)
		go func() {
			_, err := c.Write(make([]byte, 1<<20))
			sent <- err
		}()
		synctest.Wait()
		p.send("answer")
		w.do(p.conn.Close)
		if err := <-sent; err != nil || time.Since(start) != 0 {
			w.Errorf("got %v after %v, want all sent at once", err, time.Since(start))
		}
		w.reads(c, "answer$")
	})
}

// Close discards what the kernel still has, but not into what Data looks at.
func TestCloseLeavesDataItsBytes(t *testing.T) {
	onMemory(t, func(w *world) {
		w.start(reactor.Config{})
		c, p := w.memory()
		seen := make(chan string, 1)
		p.onData = func(b []byte) int {
			c.Write([]byte("UVWXYZ"))
			p.conn.Close()
			seen <- string(b)
			return len(b)
		}
		c.Write([]byte("abcdef"))
		if got := <-seen; got != "abcdef" {
			w.Errorf("got %q after Close, want abcdef", got)
		}
	})
}

func TestAbortIsReset(t *testing.T) {
	everywhere(t, func(w *world) {
		w.start(reactor.Config{})
		c, p := w.dial()
		p.send("unread")
		w.do(func() { p.conn.Abort(io.ErrNoProgress) })
		p.expect(w, "closed")
		if p.cause != io.ErrNoProgress || p.err() != io.ErrNoProgress {
			w.Errorf("got cause %v, output %v, want what Abort was given", p.cause, p.err())
		}
		_, err := io.ReadAll(c)
		if !errors.Is(err, syscall.ECONNRESET) {
			w.Errorf("client: got %v, want ECONNRESET", err)
		}
	})
}

// The descriptor of a connection that ended stays until the goroutine that is
// in write(2) with it is back: its number must not be given to another.
func TestDescriptorOutlivesTheWriter(t *testing.T) {
	onMemory(t, func(w *world) {
		w.start(reactor.Config{})
		c, p := w.memory()
		entered, release := c.HoldWrite()
		done := make(chan struct{})
		go func() {
			defer close(done)
			p.send("late")
		}()
		<-entered
		w.do(func() { p.conn.Abort(io.ErrNoProgress) })
		p.expect(w, "closed")
		if n := w.kernel.Open(); n != 1 {
			w.Errorf("got %d descriptors under a write, want 1", n)
		}
		p.send("not sent")
		other, q := w.memory()
		release()
		<-done
		synctest.Wait()
		if n := w.kernel.Open(); n != 1 || w.r.Connections() != 1 {
			w.Errorf("got %d descriptors and %d connections, want the other's", n, w.r.Connections())
		}
		q.send("mine")
		w.reads(other, "mine")
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			w.Errorf("client: got %v, want ECONNRESET", err)
		}
	})
}

func TestReactorWaitsForTheWriter(t *testing.T) {
	onMemory(t, func(w *world) {
		w.start(reactor.Config{})
		c, p := w.memory()
		entered, release := c.HoldWrite()
		go p.send("late")
		<-entered
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			w.r.Close()
		}()
		p.expect(w, "closed")
		synctest.Wait()
		select {
		case <-closed:
			w.Error("the reactor is closed while a write is in progress")
		default:
		}
		release()
		<-closed
		if n := w.kernel.Open(); n != 0 {
			w.Errorf("got %d descriptors, want none", n)
		}
	})
}

// On sockets the same as a race: connections are aborted under their writers,
// and their descriptors are soon others'.
func TestAbortUnderWriters(t *testing.T) {
	onSockets(t, func(w *world) {
		w.start(reactor.Config{Loops: 2})
		for i := range 50 {
			c, p := w.dial()
			mark := string(rune('a' + i%26))
			written := make(chan struct{})
			go func() {
				defer close(written)
				for p.err() == nil {
					p.send(strings.Repeat(mark, 100))
				}
			}()
			got := make([]byte, 10_000)
			n, _ := io.ReadFull(c, got)
			if strings.Count(string(got[:n]), mark) != n {
				w.Fatalf("got bytes of another connection")
			}
			p.conn.Loop().Post(reactor.TaskFunc(func() { p.conn.Abort(reactor.ErrClosed) }))
			p.expect(w, "closed")
			<-written
			c.Close()
		}
	})
}
