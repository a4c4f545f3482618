package h1

import "time"

// A connection has one timer for the deadline of its phase. It is moved
// forward only when a nearer deadline comes up, not at every request: when it
// runs out it looks how far the deadline has moved meanwhile.

// reviewAfter is how long an idle connection may keep the memory of a request
// that a goroutine has served, which does not wake the loop when it is done.
const reviewAfter = time.Second

func (c *Conn) startTimer(at time.Time) { c.Loop().StartTimer(&c.timer, at) }

// overdueTask is a connection as what its timer runs.
type overdueTask Conn

func (t *overdueTask) Run() { (*Conn)(t).overdue() }

func (c *Conn) overdue() {
	now := c.Loop().Now()
	if c.alarm == atCut {
		c.cut()
		return
	}
	c.alarm = atDeadline
	if c.phase.arriving() {
		c.earnAhead()
	}
	c.settle()
	due := c.due(now)
	switch {
	case c.phase.ended():
	case now.Before(due):
		c.startTimer(due)
	case c.phase == phaseHead, c.phase == phaseBody:
		c.refuse(ErrTimeout)
	default:
		c.leave()
	}
}

// due returns when the current phase has lasted too long.
func (c *Conn) due(now time.Time) time.Time {
	l := c.group.limits
	switch c.phase {
	case phaseIdle:
		return c.since.Add(c.group.idle)
	case phaseHead:
		return c.since.Add(l.HeadTime)
	case phaseBody:
		if !c.x.paused() {
			return c.x.due
		}
		return now.Add(l.BodyGrace)
	case phaseExpecting:
		return now.Add(l.BodyGrace)
	case phaseResponding:
		if c.answered() {
			return c.x.Ended.Add(c.group.idle)
		}
	}
	return now.Add(l.Idle) // switched; behind: the reactor bounds the time for reading responses
}

// graceEnd is when a body must have come that earns nothing from now on.
func (c *Conn) graceEnd() time.Time { return c.Loop().Now().Add(c.group.limits.BodyGrace) }

// Earn returns the moment at which more of a body must have come, after n
// bytes, when without them it was due. Each byte earns the time that it takes at
// that rate in a second, but what is earned never reaches further than most,
// which is BodyGrace from now: the body is refused after that long without a
// byte, or when it falls short of the rate by as much, however much came
// before. A negative rate asks only for a byte.
func Earn(due, most time.Time, n, rate int) time.Time {
	if rate < 0 {
		return most
	}
	due = due.Add(time.Duration(int64(n) * int64(time.Second) / int64(rate))) // n is of one read: no overflow
	if due.After(most) {
		return most
	}
	return due
}

// earn moves the moment at which more of the body must have come.
func (c *Conn) earn(n int) {
	x := c.x
	ahead := min(n, x.ahead)
	x.ahead -= ahead
	x.due = Earn(x.due, c.graceEnd(), n-ahead, c.group.limits.BodyRate)
}

// earnAhead is earn for what has arrived of a TLS record that is not whole: a
// slow client must not be refused because its records are large.
func (c *Conn) earnAhead() {
	x := c.x
	if n := c.rc.Unshown(); n > x.ahead {
		before := x.ahead
		x.ahead = 0
		c.earn(n - before)
		x.ahead = n
	}
}
