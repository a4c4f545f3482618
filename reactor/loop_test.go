package reactor_test

import (
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"weir/reactor"
)

// A panic in a callback costs its connection and nothing else. // L14
func TestPanics(t *testing.T) {
	boom := func() { panic("boom") }
	for _, test := range []struct {
		name  string
		setup func(p *probe)
		cause func(w *world, c client, p *probe)
	}{
		{"Accept", func(*probe) { boom() }, func(*world, client, *probe) {}},
		{"Data", func(p *probe) { p.onData = func([]byte) int { boom(); return 0 } },
			func(_ *world, c client, _ *probe) { c.Write([]byte("x")) }},
		{"Data after Resume", func(p *probe) {
			p.onData = func([]byte) int {
				p.onData = func([]byte) int { boom(); return 0 }
				p.conn.Resume()
				return 0
			}
		}, func(_ *world, c client, _ *probe) { c.Write([]byte("x")) }},
		{"PeerClosed", func(p *probe) { p.onGone = boom }, func(_ *world, c client, _ *probe) { c.CloseWrite() }},
		{"Closed", func(p *probe) { p.onClosed = boom },
			func(w *world, _ client, p *probe) { w.do(func() { p.conn.Abort(reactor.ErrClosed) }) }},
		{"Drained", func(p *probe) { p.onDrained = boom }, func(w *world, _ client, p *probe) {
			w.do(func() {
				p.conn.Lock()
				add(p.conn, make([]byte, 20))
				p.conn.Backlogged()
				p.conn.Defer()
			})
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			everywhere(t, func(w *world) {
				w.start(reactor.Config{HighMark: 10, LowMark: 1})
				other, q := w.dial()
				w.do(func() { w.setup = test.setup })
				c := w.connect()
				var p *probe
				if test.name != "Accept" {
					p = <-w.came
				}
				test.cause(w, c, p)
				for err := error(nil); !errors.Is(err, syscall.ECONNRESET); {
					if _, err = c.Read(make([]byte, 100)); err != nil && !errors.Is(err, syscall.ECONNRESET) {
						w.Fatalf("client: got %v, want ECONNRESET", err)
					}
				}
				w.do(func() { q.onData = q.echo })
				other.Write([]byte("ping"))
				w.reads(other, "ping")
				if n := w.r.Connections(); n != 1 {
					w.Errorf("got %d connections, want the other", n)
				}
				if log := w.logged(); strings.Count(log, "boom\n") != 1 || !strings.Contains(log, "loop_test.go") {
					w.Errorf("got log %q, want the panic once, with its stack", log)
				}
				if slices.Contains([]string{"Data", "PeerClosed", "Drained"}, test.name) && !strings.Contains(p.cause.Error(), "boom") {
					w.Errorf("got cause %v, want the panic", p.cause)
				}
			})
		})
	}
}

func TestPanicsOfNobody(t *testing.T) {
	onMemory(t, func(w *world) {
		w.start(reactor.Config{})
		c, p := w.memory()
		timer := timerOf(reactor.TaskFunc(func() { panic("in a timer") }))
		next := make(alarmed, 1)
		later := timerOf(next)
		w.do(func() {
			w.loop().StartTimer(timer, time.Now().Add(time.Second))
			w.loop().StartTimer(later, time.Now().Add(2*time.Second))
			w.loop().Post(reactor.TaskFunc(func() { panic("in a task") }))
		})
		<-next
		c.Write([]byte("alive"))
		p.expect(w, "data alive")
		for _, want := range []string{"in a timer", "in a task"} {
			if log := w.logged(); !strings.Contains(log, want) {
				w.Errorf("got log %q, want %q in it", log, want)
			}
		}
	})
}

// alarmed tells when its timer ran out.
type alarmed chan time.Time

func (a alarmed) Run() { a <- time.Now() }

func TestTimers(t *testing.T) {
	everywhere(t, func(w *world) {
		early, late, never := make(alarmed, 1), make(alarmed, 1), make(alarmed, 1)
		timers := []*reactor.Timer{timerOf(early), timerOf(late), timerOf(never)}
		w.start(reactor.Config{})
		start := time.Now()
		w.do(func() {
			l := w.loop()
			l.StartTimer(timers[1], start.Add(60*time.Millisecond))
			l.StartTimer(timers[2], start.Add(40*time.Millisecond))
		})
		w.do(func() {
			w.loop().StartTimer(timers[0], start.Add(20*time.Millisecond)) // the clock is set to a later one
			w.loop().StopTimer(timers[2])
		})
		if got := (<-early).Sub(start); got < 20*time.Millisecond {
			w.Errorf("got %v, want 20 ms at least", got)
		}
		if got := (<-late).Sub(start); got < 60*time.Millisecond {
			w.Errorf("got %v, want 60 ms at least", got)
		}
		if len(never) != 0 {
			w.Error("a stopped timer ran out")
		}
	})
}

func TestSetup(t *testing.T) {
	everywhere(t, func(w *world) {
		fired := make(alarmed, 1)
		timer := timerOf(fired)
		var got []*reactor.Loop
		w.start(reactor.Config{Loops: 2, Setup: func(l *reactor.Loop) {
			got = append(got, l)
			if l.ID() == 1 {
				l.StartTimer(timer, time.Now().Add(time.Millisecond))
			}
		}})
		<-fired // although nothing else happens on that loop
		if !slices.Equal(got, w.r.Loops()) || got[0].ID() != 0 || got[1].ID() != 1 {
			w.Errorf("got Setup called with %v, want with each loop in order", got)
		}
	})
}

func TestPostKeepsOrder(t *testing.T) {
	const n = 5000 // several turns' worth
	everywhere(t, func(w *world) {
		w.start(reactor.Config{})
		var got []int
		done := make(chan struct{})
		note := func(i int) { w.loop().Post(reactor.TaskFunc(func() { got = append(got, i) })) }
		w.do(func() { // so that all wait at once
			for i := range n {
				note(i)
			}
			w.loop().Post(reactor.TaskFunc(func() {
				note(n + 1)
				w.loop().Post(reactor.TaskFunc(func() { close(done) }))
			}))
			note(n)
		})
		<-done
		if len(got) != n+2 || !slices.IsSorted(got) {
			w.Errorf("got %d tasks, sorted: %v, want %d in order", len(got), slices.IsSorted(got), n+2)
		}
	})
}

// Later runs in the same turn, after what is left of it, and before a task that
// was posted earlier; what panics there costs nothing else.
func TestLater(t *testing.T) {
	everywhere(t, func(w *world) {
		w.start(reactor.Config{Logger: slog.New(slog.DiscardHandler)})
		var got []string
		note := func(text string) reactor.TaskFunc { return func() { got = append(got, text) } }
		done := make(chan struct{})
		w.do(func() {
			l := w.loop()
			l.Post(note("posted"))
			l.Later(reactor.TaskFunc(func() {
				note("later")()
				l.Later(note("later still"))
				panic("in a task")
			}))
			l.Later(note("later too"))
			note("now")()
			l.Post(reactor.TaskFunc(func() { close(done) }))
		})
		<-done
		if want := []string{"now", "later", "later too", "later still", "posted"}; !slices.Equal(got, want) {
			w.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestPostFromEverywhere(t *testing.T) {
	onSockets(t, func(w *world) {
		w.start(reactor.Config{})
		const each = 2000
		counts := make(chan int, 4)
		for range 4 {
			go func() {
				seen := 0
				for i := range each {
					w.loop().Post(reactor.TaskFunc(func() {
						if seen == i {
							seen++
						}
						if i == each-1 {
							counts <- seen
						}
					}))
				}
			}()
		}
		for range 4 {
			if got := <-counts; got != each {
				w.Errorf("got %d tasks in order, want %d", got, each)
			}
		}
	})
}

func TestReactorClose(t *testing.T) {
	everywhere(t, func(w *world) {
		descriptors := openDescriptors()
		w.start(reactor.Config{Loops: 3})
		var clients []client
		var probes []*probe
		for range 5 {
			c, p := w.dial()
			clients, probes = append(clients, c), append(probes, p)
		}
		w.r.Close()
		w.r.Close()
		for i, p := range probes {
			p.expect(w, "closed")
			if p.cause != reactor.ErrStopped {
				w.Errorf("got cause %v, want ErrStopped", p.cause)
			}
			if _, err := clients[i].Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				w.Errorf("client: got %v, want ECONNRESET", err)
			}
			clients[i].Close()
			p.send("not sent")
		}
		w.loop().Post(reactor.TaskFunc(func() { w.Error("a task ran after Close") }))
		if n := w.r.Connections(); n != 0 {
			w.Errorf("got %d connections, want none", n)
		}
		if n := openDescriptors(); n > descriptors {
			w.Errorf("got %d descriptors, want the %d from before", n, descriptors)
		}
		if w.kernel != nil && w.kernel.Open() != 0 {
			w.Errorf("got %d in-memory descriptors, want none", w.kernel.Open())
		}
	})
}

// openDescriptors is 0 where the system does not tell.
func openDescriptors() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}

func TestStoppedReactorTakesNothing(t *testing.T) {
	onMemory(t, func(w *world) {
		w.start(reactor.Config{})
		w.r.Close()
		c := w.connect()
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			w.Errorf("client: got %v, want ECONNRESET", err)
		}
		if w.kernel.Open() != 0 || w.r.Connections() != 0 {
			w.Errorf("got %d descriptors, %d connections, want none", w.kernel.Open(), w.r.Connections())
		}
		if _, err := w.r.Listen("127.0.0.1:0"); !errors.Is(err, reactor.ErrStopped) {
			w.Errorf("got %v, want ErrStopped", err)
		}
	})
}

func TestConfig(t *testing.T) {
	if _, err := reactor.New(reactor.Config{HighMark: 10, LowMark: 10}); err == nil {
		t.Error("got no error for a low mark that is not below the high one")
	}
}

// Closing from Accept is told to the handler that Accept returns.
func TestAbortInAccept(t *testing.T) {
	everywhere(t, func(w *world) {
		w.setup = func(p *probe) { p.conn.Abort(reactor.ErrClosed) }
		w.start(reactor.Config{})
		c, p := w.dial()
		p.expect(w, "closed")
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			w.Errorf("client: got %v, want ECONNRESET", err)
		}
		w.settle()
		p.silent(w)
	})
}

// Two connections that wake each other for ever leave room for others.
func TestPingPongStarvesNobody(t *testing.T) {
	onMemory(t, func(w *world) {
		w.start(reactor.Config{})
		a, p := w.memory()
		b, q := w.memory()
		rounds := 0
		again := func(it *probe) func([]byte) int {
			return func([]byte) int {
				if rounds++; rounds < 1000 {
					it.conn.Resume()
				}
				return 0
			}
		}
		w.do(func() { p.onData = again(p) })
		a.Write([]byte("x"))
		b.Write([]byte("y"))
		q.expect(w, "data y")
		synctest.Wait()
		if rounds != 1000 {
			w.Errorf("got %d rounds, want 1000", rounds)
		}
	})
}
