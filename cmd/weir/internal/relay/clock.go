package relay

import (
	"time"

	"weir/internal/wheel"
	"weir/reactor"
)

// limit is what a deadline of a flow is for.
type limit uint8

const (
	limitStep  limit = iota // connect, first event, silence: one follows the other
	limitHold               // the head is held no longer
	limitAlive              // the client should hear something
	limitRetry              // the upstream may be asked again
	limitTotal
	limits
)

// clock is a flow's deadlines on one timer. Moving a deadline back costs
// nothing: the timer is moved only forward, and when it runs out the flow looks
// which deadlines have really passed.
type clock struct {
	timer wheel.Timer
	at    time.Time // when the timer runs out; zero = it does not
	due   [limits]time.Time
}

func (c *clock) set(l *reactor.Loop, which limit, in time.Duration) {
	if in <= 0 {
		c.due[which] = time.Time{}
		return
	}
	at := l.Now().Add(in)
	c.due[which] = at
	if c.at.IsZero() || at.Before(c.at) {
		c.at = at
		l.StartTimer(&c.timer, at)
	}
}

func (c *clock) clear(which limit) { c.due[which] = time.Time{} }

func (c *clock) stop(l *reactor.Loop) {
	l.StopTimer(&c.timer)
	c.at = time.Time{}
	c.due = [limits]time.Time{}
}

// passed returns a deadline that has passed, and takes it out.
func (c *clock) passed(now time.Time) (which limit, ok bool) {
	for i, at := range c.due {
		if !at.IsZero() && !now.Before(at) {
			c.due[i] = time.Time{}
			return limit(i), true
		}
	}
	return 0, false
}

// rearm starts the timer for the nearest deadline.
func (c *clock) rearm(l *reactor.Loop) {
	c.at = time.Time{}
	for _, at := range c.due {
		if !at.IsZero() && (c.at.IsZero() || at.Before(c.at)) {
			c.at = at
		}
	}
	if !c.at.IsZero() {
		l.StartTimer(&c.timer, c.at)
	}
}
