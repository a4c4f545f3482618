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
//	                ──> respite: other goroutines run and post what they have
//	                ──> what is ready is delivered, timers
//
// A tick that is late by far more than a turn takes is the sign that the
// process was paused: by SIGSTOP, a frozen cgroup, a debugger or its virtual
// machine. The pause is not charged to anybody's deadline whose bytes have come
// meanwhile. A respite ends when nothing was posted for a while, and it is
// bounded by the lateness, so that a machine that is merely slow delays its
// timers little.
const (
	lateTick   = 50 * time.Millisecond // what no turn takes
	lateRounds = 64                    // for which timers wait for what the loop has not read or run yet
	respite    = 50 * time.Millisecond // without a task ends it
	maxRespite = time.Second
)

// clock is a loop's timers and the poller's alarm for them.
type clock struct {
	wheel *wheel.Wheel
	armed time.Time // when the poller will call Tick; zero = not at all
	rearm bool      // a timer was started in this turn
	waits int       // rounds of a late tick so far
	rests time.Time // when the respite is over at the latest; zero = there is none
	heard bool      // a task was posted in the respite
}

// StartTimer lets t run out at the deadline, within a millisecond after it when
// the loop is not busy, and not before what was ready then was delivered.
func (l *Loop) StartTimer(t *wheel.Timer, deadline time.Time) {
	l.check()
	l.clock.wheel.Start(t, deadline)
	l.clock.rearm = true
}

// StopTimer stops t; the poller may still wake once for it.
func (l *Loop) StopTimer(t *wheel.Timer) {
	l.check()
	l.clock.wheel.Stop(t)
}

// Tick is the poller's: the alarm's moment has passed, and what was ready was
// delivered. It returns false to have what is ready now delivered first.
func (l *Loop) Tick() (done bool) {
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
	c.armed, c.rests, c.rearm = time.Time{}, time.Time{}, true
	l.advance()
	l.endTurn()
	return true
}

// late is by how much a tick is late.
func (c *clock) late(now time.Time) time.Duration {
	if c.armed.IsZero() {
		return 0
	}
	return now.Sub(c.armed)
}

func (c *clock) resting() bool { return !c.rests.IsZero() }

// rest begins a respite or prolongs it, and reports whether it has.
func (c *clock) rest(now time.Time, late time.Duration) bool {
	switch {
	case c.resting():
		if !c.heard || !now.Before(c.rests) {
			return false
		}
	case late > lateTick:
		c.rests = now.Add(min(max(late/2, respite), maxRespite))
	default:
		return false
	}
	c.heard = false
	if c.armed = now.Add(respite); c.armed.After(c.rests) {
		c.armed = c.rests
	}
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
	if ok && !c.resting() && (c.armed.IsZero() || at.Before(c.armed)) {
		if at.Before(l.now) {
			at = l.now // the wheel may be behind: what was started in this turn is not late
		}
		c.armed = at
		l.poller.Arm(at)
	}
}
