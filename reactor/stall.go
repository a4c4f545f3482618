package reactor

import "time"

// A peer makes progress when it acknowledges bytes. Room in the kernel's send
// buffer is not that: the buffer grows by itself, and it takes bytes of which
// the peer never sees one. While output is blocked, the connection's timer
// looks how much is acknowledged.
//
// What the peer's kernel acknowledges the peer need not have read; but that is
// bounded by its receive buffer, and then nothing more is acknowledged. The
// other way round, a kernel that was full says that there is room again when
// some of its buffer is free (a segment, on Linux): a peer that reads less than
// that in Config.WriteStall cannot be distinguished from one that reads
// nothing.

// stallLook is how often a blocked connection is looked at, at least.
const stallLook = 500 * time.Millisecond

// progress is what the loop knows of a peer's acknowledgements.
type progress struct {
	acked  int64     // bytes, when last looked at
	since  time.Time // when they were first seen to be so many
	looked time.Time
}

// watchStall begins to watch a connection whose output is blocked.
func (c *Conn) watchStall() {
	if c.timer.Running() || c.loop.reactor.cfg.WriteStall == Never {
		return
	}
	now := c.loop.Now()
	if now.Sub(c.progress.looked) > 2*c.lookInterval() {
		c.progress.since = now // it was not watched meanwhile
	}
	c.look(now)
	c.lookLater(now)
}

// overdue is what a connection's own timer runs: the end of lingering, or the
// next look at a peer that is behind.
type overdue Conn

func (t *overdue) Run() {
	c := (*Conn)(t)
	if c.phase == lingering {
		c.destroy(ErrClosed, false)
		return
	}
	now := c.loop.Now()
	switch blocked := c.look(now); {
	case !blocked:
	case now.Sub(c.progress.since) >= c.loop.reactor.cfg.WriteStall:
		c.destroy(ErrStalled, true)
	default:
		c.lookLater(now)
	}
}

// look notes how much the peer has acknowledged, and reports whether output is
// still blocked.
func (c *Conn) look(now time.Time) (blocked bool) {
	o := c.lock()
	acked := o.taken
	if n, err := c.loop.sys.Unacknowledged(c.fd); err == nil {
		acked -= int64(n)
	}
	blocked = o.blocked
	o.mu.Unlock()
	p := &c.progress
	p.looked = now
	if acked != p.acked { // it may fall: a unix socket counts its overhead
		p.acked, p.since = acked, now
	}
	return blocked
}

func (c *Conn) lookLater(now time.Time) {
	at := now.Add(c.lookInterval())
	if due := c.progress.since.Add(c.loop.reactor.cfg.WriteStall); due.Before(at) {
		at = due
	}
	c.loop.StartTimer(&c.timer, at)
}

func (c *Conn) lookInterval() time.Duration {
	return min(stallLook, c.loop.reactor.cfg.WriteStall/4)
}
