package weir

import "time"

// A connection has one timer for the deadline of its phase. It is moved
// forward only when a nearer deadline comes up, not at every request: when it
// runs out it looks how far the deadline has moved meanwhile.

// reviewAfter is how long an idle connection may keep the memory of a request
// that a goroutine has served, which does not wake the loop when it is done.
const reviewAfter = time.Second

func (c *conn) startTimer(at time.Time) { c.loop().StartTimer(&c.timer, at) }

// overdue is what the timer runs.
func (c *conn) overdue() {
	now := c.loop().Now()
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
	case c.phase == phaseOver:
	case now.Before(due):
		c.startTimer(due)
	case c.phase == phaseHead, c.phase == phaseBody:
		c.refuse(ErrTimeout)
	default:
		c.leave()
	}
}

// due returns when the current phase has lasted too long.
func (c *conn) due(now time.Time) time.Time {
	t := &c.srv.Timeouts
	switch c.phase {
	case phaseIdle:
		return c.since.Add(c.shard.idle)
	case phaseHead:
		return c.since.Add(t.Head)
	case phaseBody:
		if c.pause.IsZero() {
			return c.bodyDue
		}
		return now.Add(t.BodyGrace)
	case phaseExpecting:
		return now.Add(t.BodyGrace)
	case phaseResponding:
		if c.answered() {
			return c.ex.ended.Add(c.shard.idle)
		}
	}
	return now.Add(t.Idle) // behind: the reactor bounds the time for reading responses
}

// earn moves the moment at which more of the body must have come. Each byte
// earns the time that it takes at Limits.BodyRate, but what is earned never
// reaches further than BodyGrace: the body is refused after that long without a
// byte, or when it falls short of the rate by as much, however much came
// before.
func (c *conn) earn(n int) {
	ahead := min(n, c.ahead)
	c.ahead -= ahead
	n -= ahead
	most := c.loop().Now().Add(c.srv.Timeouts.BodyGrace)
	rate := int64(c.srv.Limits.BodyRate)
	if rate < 0 {
		c.bodyDue = most
		return
	}
	c.bodyDue = c.bodyDue.Add(time.Duration(int64(n) * int64(time.Second) / rate)) // n is of one read: no overflow
	if c.bodyDue.After(most) {
		c.bodyDue = most
	}
}

// earnAhead is earn for what has arrived of a TLS record that is not whole: a
// slow client must not be refused because its records are large.
func (c *conn) earnAhead() {
	if n := c.rc.Unshown(); n > c.ahead {
		before := c.ahead
		c.ahead = 0
		c.earn(n - before)
		c.ahead = n
	}
}
