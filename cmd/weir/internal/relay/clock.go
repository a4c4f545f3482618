package relay

import (
	"time"

	"weir/reactor"
)

// limit is what a deadline of a flow is for.
type limit uint8

const (
	limitStep  limit = iota // connect, first event, silence: one follows the other
	limitAlive              // a comment to the client is due
	limitHold               // the head is held no longer
	limitRetry              // the upstream may be tried again
	limitTotal
	limits
)

// clock is a flow's deadlines on one timer. Moving a deadline back costs
// nothing: the timer is moved only forward, and when it expires the flow checks
// which deadlines have really passed.
type clock struct {
	base  time.Time             // of the request's head: what the others count from
	at    time.Duration         // when the timer expires; 0 = it is stopped
	due   [limits]time.Duration // 0 = none
	timer reactor.Timer
}

func (c *clock) set(l *reactor.Loop, which limit, in time.Duration) {
	if in <= 0 {
		c.due[which] = 0
		return
	}
	at := l.Now().Sub(c.base) + in
	c.due[which] = at
	if c.at == 0 || at < c.at {
		c.at = at
		l.StartTimer(&c.timer, c.base.Add(at))
	}
}

func (c *clock) clear(which limit) { c.due[which] = 0 }

func (c *clock) stop(l *reactor.Loop) {
	l.StopTimer(&c.timer)
	c.at, c.due = 0, [limits]time.Duration{}
}

// passed returns a deadline that has passed, and removes it.
func (c *clock) passed(now time.Time) (which limit, ok bool) {
	for i, at := range c.due {
		if at != 0 && at <= now.Sub(c.base) {
			c.due[i] = 0
			return limit(i), true
		}
	}
	return 0, false
}

// rearm starts the timer for the nearest deadline.
func (c *clock) rearm(l *reactor.Loop) {
	c.at = 0
	for _, at := range c.due {
		if at != 0 && (c.at == 0 || at < c.at) {
			c.at = at
		}
	}
	if c.at != 0 {
		l.StartTimer(&c.timer, c.base.Add(c.at))
	}
}
