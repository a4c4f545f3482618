package reactor_test

import (
	"fmt"
	"testing"
	"time"

	"weir/reactor"
)

// deadlines are timers of a loop, one a connection, that data stops. Only the
// loop uses them.
type deadlines struct {
	timers []*reactor.Timer
	passed int
	met    int
}

func (d *deadlines) Run() { d.passed++ }

// watch makes data stop a new timer of p's connection.
func (d *deadlines) watch(p *probe) {
	t := timerOf(d)
	d.timers = append(d.timers, t)
	p.onData = func(b []byte) int {
		if t.Running() {
			d.met++
		}
		p.conn.Loop().StopTimer(t)
		return len(b)
	}
}

func (d *deadlines) start(l *reactor.Loop, after time.Duration) {
	at := time.Now().Add(after)
	for _, t := range d.timers {
		l.StartTimer(t, at)
	}
}

// pause keeps the loop for d while during runs: what a paused process looks like.
func (w *world) pause(d time.Duration, before, during func()) {
	w.Helper()
	held, resume := make(chan struct{}), make(chan struct{})
	w.loop().Post(reactor.TaskFunc(func() {
		before()
		over := time.After(d)
		close(held)
		<-resume
		<-over
	}))
	<-held
	during()
	close(resume)
}

// after returns when the loop has run its timers up to at.
func (w *world) after(at time.Time) {
	rang := make(alarmed, 1)
	timer := timerOf(rang)
	w.do(func() { w.loop().StartTimer(timer, at) })
	<-rang
}

// What was ready when a deadline passed is delivered before the timers run, of
// however many connections: more than one round of the poller tells of.
func TestEventsComeBeforeTimers(t *testing.T) {
	for _, test := range []struct {
		conns int
		pause time.Duration
	}{{3, 10 * time.Millisecond}, {700, 10 * time.Millisecond}, {700, 500 * time.Millisecond}} {
		t.Run(fmt.Sprintf("%d, %v", test.conns, test.pause), func(t *testing.T) {
			everywhere(t, func(w *world) {
				var d deadlines
				w.setup = d.watch
				w.start(reactor.Config{MaxConns: test.conns})
				var clients []client
				for range test.conns {
					c, _ := w.dial()
					clients = append(clients, c)
				}
				w.pause(test.pause, func() { d.start(w.loop(), test.pause/10) }, func() {
					for _, c := range clients {
						c.Write([]byte("x"))
					}
				})
				w.after(time.Now())
				w.do(func() {
					if d.passed != 0 || d.met != test.conns {
						w.Errorf("got %d deadlines passed and %d met, want %d met", d.passed, d.met, test.conns)
					}
				})
			})
		})
	}
}

// After a pause, what a turn has had no time for is delivered first, too:
// tasks beyond a turn's number, and the rest of what a connection has sent.
func TestRestComesBeforeTimers(t *testing.T) {
	t.Run("tasks", func(t *testing.T) {
		onMemory(t, func(w *world) {
			const tasks = 10_000
			w.start(reactor.Config{})
			d := new(deadlines)
			d.timers = []*reactor.Timer{timerOf(d)}
			w.pause(time.Second, func() { d.start(w.loop(), time.Millisecond) }, func() {
				for range tasks {
					w.loop().Post(reactor.TaskFunc(func() {}))
				}
				w.loop().Post(reactor.TaskFunc(func() { w.loop().StopTimer(d.timers[0]) }))
			})
			w.after(time.Now())
			w.do(func() {
				if d.passed != 0 {
					w.Error("the deadline has passed, although a task that stops it had been posted")
				}
			})
		})
	})
	t.Run("bytes", func(t *testing.T) {
		onSockets(t, func(w *world) {
			const size = 512 << 10 // twice a turn's share; the kernel holds it
			d := new(deadlines)
			d.timers = []*reactor.Timer{timerOf(d)}
			left := size
			w.setup = func(p *probe) {
				p.onData = func(b []byte) int {
					if left -= len(b); left == 0 {
						p.conn.Loop().StopTimer(d.timers[0])
						d.met++
					}
					return len(b)
				}
			}
			w.start(reactor.Config{})
			c, _ := w.dial()
			w.pause(time.Second, func() { d.start(w.loop(), time.Millisecond) }, func() {
				c.Write(make([]byte, size))
			})
			w.after(time.Now())
			w.do(func() {
				if d.passed != 0 || d.met != 1 {
					w.Errorf("got %d deadlines passed and %d met, want one met", d.passed, d.met)
				}
			})
		})
	})
}

// After a pause the timers wait for a moment more: a goroutine may have to run
// before the loop hears of what has come. Without a pause they do not.
func TestRespite(t *testing.T) {
	const ms = time.Millisecond
	for _, test := range []struct {
		name   string
		pause  time.Duration // from the beginning; the deadline is at 200 ms
		posts  time.Duration // from the pause's end, one every 30 ms that stops no timer
		comes  time.Duration // from the pause's end: what stops the timer
		passes time.Duration // from the beginning; 0: the deadline is met
	}{
		{"no pause", 0, 0, 300 * ms, 200 * ms},
		{"a long turn", 220 * ms, 0, 1 * ms, 220 * ms},
		{"met", 5000 * ms, 0, 10 * ms, 0},
		{"met late", 5000 * ms, 0, 140 * ms, 0},
		{"not met", 5000 * ms, 0, 200 * ms, 5150 * ms},
		{"behind others", 5000 * ms, 900 * ms, 900 * ms, 0},
		{"behind others for too long", 5000 * ms, 2000 * ms, 1500 * ms, 6000 * ms},
		{"a short pause has a short respite", 500 * ms, 2000 * ms, 1500 * ms, 650 * ms},
	} {
		t.Run(test.name, func(t *testing.T) {
			onMemory(t, func(w *world) {
				w.start(reactor.Config{})
				begin := time.Now()
				var passed time.Duration
				timer := timerOf(reactor.TaskFunc(func() { passed = time.Since(begin) }))
				go func() {
					time.Sleep(test.pause + test.comes)
					w.loop().Post(reactor.TaskFunc(func() { w.loop().StopTimer(timer) }))
				}()
				go func() {
					time.Sleep(test.pause)
					for at := time.Duration(0); at < test.posts; at += 30 * ms {
						time.Sleep(30 * ms)
						w.loop().Post(reactor.TaskFunc(func() {}))
					}
				}()
				w.loop().Post(reactor.TaskFunc(func() {
					w.loop().StartTimer(timer, begin.Add(200*ms))
					time.Sleep(test.pause)
				}))
				time.Sleep(10 * time.Second)
				w.do(func() {
					if off := passed - test.passes; off < 0 || off > 49*ms || test.passes == 0 && off != 0 {
						w.Errorf("got the deadline passed after %v, want %v", passed, test.passes)
					}
				})
			})
		})
	}
}

// A wheel that has had nothing to do is behind the clock: the first timer
// after that is not late.
func TestTimerAfterIdleness(t *testing.T) {
	onMemory(t, func(w *world) {
		w.start(reactor.Config{})
		idle := timerOf(reactor.TaskFunc(func() {}))
		w.do(func() { w.loop().StartTimer(idle, w.loop().Now().Add(75*time.Second)) })
		time.Sleep(5 * time.Second)
		begin, passed := time.Now(), make(chan time.Duration, 1)
		timer := timerOf(reactor.TaskFunc(func() { passed <- time.Since(begin) }))
		w.do(func() { w.loop().StartTimer(timer, w.loop().Now().Add(20*time.Millisecond)) })
		if got := <-passed; got > 21*time.Millisecond {
			w.Errorf("got the deadline passed after %v, want 20ms", got)
		}
		w.do(func() { w.loop().StopTimer(idle) })
	})
}

// A loop that always has something to do keeps time.
func TestBusyLoopKeepsTime(t *testing.T) {
	for _, pause := range []time.Duration{0, 200 * time.Millisecond} {
		t.Run(fmt.Sprint(pause), func(t *testing.T) {
			onSockets(t, func(w *world) {
				w.start(reactor.Config{})
				rang := make(alarmed, 1)
				timer := timerOf(rang)
				stop := false
				var again reactor.TaskFunc
				again = func() {
					if !stop {
						w.loop().Post(again)
					}
				}
				w.pause(pause, func() {
					w.loop().StartTimer(timer, time.Now().Add(time.Millisecond))
					for range 5000 { // more than a turn runs
						w.loop().Post(again)
					}
				}, func() {})
				<-rang
				w.do(func() { stop = true })
			})
		})
	}
}
