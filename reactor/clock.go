package reactor

import (
	"runtime"
	"sync/atomic"
	"time"

	"weir/internal/wheel"
)

// Events come before timers. A deadline says that something has not happened,
// and it must not say so while what has happened lies in the kernel, in the
// list of tasks, or with a goroutine that could not run yet:
//
//	deadline passed ──> what is ready is delivered, by the poller
//	     in time    ──> timers
//	     late       ──> ... until the loop has nothing left to read or to run,
//	                    but for some rounds at most
//	                ──> respite: other goroutines run and post what they have
//	                ──> what is ready is delivered, timers
//
// A tick that is late by far more than a turn takes is the sign that the
// process was paused: by SIGSTOP, a frozen cgroup, a debugger or its virtual
// machine. The pause does not count for a deadline whose bytes have arrived
// meanwhile. A respite ends when nothing was posted or read for some steps; it
// has as many steps at most as half the lateness has, and each step lasts until
// the scheduler has let the other goroutines run, so that a process that gets
// little time does not look like a quiet one.
const (
	lateTick   = 50 * time.Millisecond // what no turn takes
	lateRounds = 64                    // for which timers wait for what the loop has not read or run yet
	respite    = 50 * time.Millisecond // a step, at least
	maxSteps   = 20
	quietSteps = 3  // in a row, in which nothing comes, are the last
	yields     = 64 // of a goroutine in a step: as often the others run
)

// clock has a loop's timers and the poller's alarm for them.
type clock struct {
	wheel *wheel.Wheel
	armed time.Time    // when the poller will call Tick; zero = not at all
	rearm bool         // a timer was started in this turn
	waits int          // rounds of a late tick so far
	steps int          // of the respite that are left, the current one included; 0 = there is none
	quiet int          // steps in a row in which nothing has come
	heard bool         // something was posted or read in this step
	ran   *atomic.Bool // the other goroutines have run in this step
}

// A Timer runs a task on a loop when a deadline has passed. It belongs to that
// loop and must be used on it. The zero value is a stopped timer that needs
// Init; a timer must not be copied while it is running.
type Timer struct{ timer wheel.Timer }

// Init sets what t runs, once, before t is started. The task may start and stop
// any timer of its loop, t included. It must not block.
func (t *Timer) Init(task Task) { t.timer.Task = task }

// Run runs t's task, as the loop does when t has expired. It is for what stands
// for an event loop elsewhere.
func (t *Timer) Run() { t.timer.Task.Run() }

// Running reports whether t was started and has neither expired nor been
// stopped.
func (t *Timer) Running() bool { return t.timer.Running() }

// StartTimer makes t expire once at the deadline: within a millisecond after it
// if the loop is not busy, and not before the loop has delivered the events
// that were ready then. A running timer is moved. It costs the same however
// many timers are running, and allocates nothing.
func (l *Loop) StartTimer(t *Timer, deadline time.Time) {
	l.check()
	l.clock.wheel.Start(&t.timer, deadline)
	l.clock.rearm = true
}

// StopTimer stops t, if it is running. The loop may still wake once for it.
func (l *Loop) StopTimer(t *Timer) {
	l.check()
	l.clock.wheel.Stop(&t.timer)
}

// Tick is called when the alarm's moment has passed and what was ready was
// delivered. It returns false if what is ready now is to be delivered first.
func (s *sink) Tick() (done bool) {
	l := (*Loop)(s)
	l.beginTurn()
	c := &l.clock
	late := c.late(l.Now())
	if (late > lateTick || c.resting()) && l.behind() && c.waits < lateRounds {
		c.waits++
		return false
	}
	c.waits = 0
	if c.rest(l.Now(), late) {
		l.poller.Arm(c.armed)
		return true
	}
	c.armed, c.steps, c.rearm = time.Time{}, 0, true
	l.advance()
	l.endTurn()
	return true
}

// late returns by how much a tick is late.
func (c *clock) late(now time.Time) time.Duration {
	if c.armed.IsZero() {
		return 0
	}
	return now.Sub(c.armed)
}

func (c *clock) resting() bool { return c.steps > 0 }

// rest begins or continues a respite, and reports whether it has.
func (c *clock) rest(now time.Time, late time.Duration) bool {
	switch {
	case c.resting() && !c.ran.Load(): // the step is not over
		c.armed = now.Add(respite)
		return true
	case c.resting():
		if c.quiet++; c.heard {
			c.quiet = 0
		}
		if c.steps--; c.quiet == quietSteps || c.steps == 0 {
			return false
		}
	case late > lateTick:
		c.steps, c.quiet = int(min(max(late/2/respite, 1), maxSteps)), 0
	default:
		return false
	}
	c.heard, c.ran = false, new(atomic.Bool)
	c.armed = now.Add(respite)
	go yield(c.ran)
	return true
}

// yield goes to the end of the scheduler's queue again and again.
func yield(ran *atomic.Bool) {
	for range yields {
		runtime.Gosched()
	}
	ran.Store(true)
}

// behind reports whether something is unread or has not run.
func (l *Loop) behind() bool { return l.postponed || l.again.len() > 0 }

func (l *Loop) advance() {
	l.turn = nil
	defer l.rescue()
	l.clock.wheel.Advance(l.Now())
}

// setClock sets the alarm for the nearest deadline.
func (l *Loop) setClock() {
	c := &l.clock
	c.rearm = false
	at, ok := c.wheel.Next()
	if at.Before(l.now) {
		at = l.now // the wheel may be behind: what was started in this turn is not late
	}
	if ok && !c.resting() && (c.armed.IsZero() || at.Before(c.armed)) { // an alarm that is overdue stays
		c.armed = at
		l.poller.Arm(at)
	}
}
