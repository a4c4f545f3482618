package reactor

import (
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
//	                ──> respite: other goroutines run, the kernel's queues empty
//	                ──> what is ready is delivered, timers
//
// A tick that is late by far more than a turn takes is the sign that the
// process was paused: by SIGSTOP, a frozen cgroup, a debugger or its virtual
// machine. The pause is not charged to anybody's deadline whose bytes have come
// meanwhile.
const (
	lateTick   = 50 * time.Millisecond // what no turn takes
	respite    = 50 * time.Millisecond // for other goroutines, once after a pause
	lateRounds = 64                    // for which timers wait for what the loop has not read or run yet
)

// clock is a loop's timers and the poller's alarm for them.
type clock struct {
	wheel *wheel.Wheel
	armed time.Time // when the poller will call Tick; zero = not at all
	rearm bool      // a timer was started in this turn
	rests bool      // the alarm is the end of a respite: no timer runs before it
	waits int       // rounds of a late tick so far
}

// StartTimer lets t run out at the deadline, within a millisecond after it when
// the loop is not busy, and not before what was ready then was delivered.
func (l *Loop) StartTimer(t *wheel.Timer, deadline time.Time) {
	l.clock.wheel.Start(t, deadline)
	l.clock.rearm = true
}

// StopTimer stops t; the poller may still wake once for it.
func (l *Loop) StopTimer(t *wheel.Timer) { l.clock.wheel.Stop(t) }

// Tick is the poller's: the alarm's moment has passed, and what was ready was
// delivered. It returns false to have what is ready now delivered first.
func (l *Loop) Tick() (done bool) {
	l.beginTurn()
	c := &l.clock
	late := !c.armed.IsZero() && l.Now().Sub(c.armed) > lateTick
	if (late || c.rests) && l.behind() && c.waits < lateRounds {
		c.waits++
		return false
	}
	c.waits = 0
	if late && !c.rests {
		c.rests = true
		c.armed = l.Now().Add(respite)
		l.poller.Arm(c.armed)
		return true
	}
	c.armed, c.rests, c.rearm = time.Time{}, false, true
	l.advance()
	l.endTurn()
	return true
}

// behind reports whether the loop has left something unread or not run.
func (l *Loop) behind() bool { return l.postponed || len(l.again) > 0 }

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
	if ok && !c.rests && (c.armed.IsZero() || at.Before(c.armed)) {
		c.armed = at
		l.poller.Arm(at)
	}
}
