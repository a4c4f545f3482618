package reactor

import (
	"sync/atomic"
	"time"
)

// At the limit of connections, one that rests is closed for a new one: the one
// that has rested longest, on whichever loop. Each loop keeps its resting
// connections in a list, in the order in which they came to rest, to within a
// second: one that is used again and again is not moved each time. One that has
// something in progress stays in the list until it comes to the front, and is
// taken out then. So neither costs more than a few instructions, and nothing
// scans all connections.
//
// In a flood of new connections that stay silent, those of it push out first
// what was idle before, and then one another: a new one stays for as long as
// the flood takes to fill the limit once more. A client that sends its request
// within that time is served, one that is slower gets the refusal, and one
// whose request is in progress is not touched.
const (
	restGrain = time.Second // connections that came to rest within it are in any order
	restLooks = 256         // at connections that turned out to have something in progress, for a new one
)

// A Rester is a [Handler] whose connection may be closed for a new one while it
// rests. GiveUp is called on the connection's loop.
type Rester interface {
	Handler
	// GiveUp reports whether the connection has nothing in progress; if so, it
	// is closed. It is called at most once after each [Conn.Rest].
	GiveUp() (idle bool)
}

// rest is a connection's place among those of its loop that rest.
type rest struct {
	prev, next *Conn
	since      time.Time // it came here; zero = it is not here
}

// resting is a loop's list of connections that rest, or did when they were last
// looked at.
type resting struct {
	first, last *Conn
	oldest      atomic.Int64 // since when first rests, in nanoseconds; 0 = there is none
}

// Rest reports that the connection has had nothing in progress since then. Its
// handler must be a [Rester].
func (c *Conn) Rest(since time.Time) {
	c.loop.check()
	if c.phase != open || !c.rest.since.IsZero() && since.Sub(c.rest.since) < restGrain {
		return
	}
	l := &c.loop.resting
	l.remove(c)
	c.rest = rest{prev: l.last, since: since}
	if l.last == nil {
		l.first = c
		l.publish()
	} else {
		l.last.rest.next = c
	}
	l.last = c
}

func (l *resting) remove(c *Conn) {
	r := c.rest
	if r.since.IsZero() {
		return
	}
	c.rest = rest{}
	if r.next == nil {
		l.last = r.prev
	} else {
		r.next.rest.prev = r.prev
	}
	if r.prev != nil {
		r.prev.rest.next = r.next
		return
	}
	l.first = r.next
	l.publish()
}

func (l *resting) publish() {
	oldest := int64(0)
	if l.first != nil {
		oldest = l.first.rest.since.UnixNano()
	}
	l.oldest.Store(oldest)
}

// makeRoom closes the connection of this loop that has rested longest.
func (l *Loop) makeRoom() (made bool) {
	for range restLooks {
		c := l.resting.first
		if c == nil {
			break
		}
		l.resting.remove(c)
		if h, ok := c.handler.(Rester); ok && !c.shakingHands() {
			l.guard(c, func() { made = h.GiveUp() && c.giveWay() })
		}
		if made {
			break
		}
	}
	l.turn = nil
	return made
}

// giveWay closes a connection with nothing in progress, for a new one, and
// reports whether its place is free. A client that has not sent a byte may be
// about to: it is sent the refusal, as the new one would have been, and if many are
// being refused, its connection is closed without waiting for the client to read
// that.
func (c *Conn) giveWay() (made bool) {
	r := c.loop.reactor
	if c.spoken {
		c.CloseIdle()
		return c.phase == closed
	}
	if r.refusing.Add(1) <= refusalsOpen {
		r.countOut(accepted)
		c.turnAway()
		return true
	}
	r.countOut(refusal)
	r.reportRefused(c.ends)
	if text := r.refusal(c.lis); len(text) > 0 {
		_, _ = c.loop.sys.Write(c.fd, text) // who does not get it sees the end instead
	}
	c.destroy(ErrClosed, false)
	return true
}

// turnAway makes the connection one that is being refused, and counts it so.
func (c *Conn) turnAway() {
	h := c.handler
	c.handler, c.origin = refused{}, refusal
	c.loop.reactor.reportRefused(c.ends)
	h.Closed(ErrClosed)
	c.sendRefusal()
}

// restful returns the loop with the connection that has rested longest; nil if
// none rests.
func (r *Reactor) restful() (found *Loop) {
	least := int64(0)
	for _, l := range r.all {
		if at := l.resting.oldest.Load(); at != 0 && (found == nil || at < least) {
			found, least = l, at
		}
	}
	return found
}

// squeeze accepts a connection for which there is no room, if another can be
// closed for it, and otherwise refuses it. It is already counted.
func (r *Reactor) squeeze(to, here *Loop, fd int, at ends) {
	from := r.restful()
	if from != nil && from != here {
		if r.refusing.Add(1) <= refusalsOpen {
			from.Post(&swap{arrival{to, fd, at}, from})
			return
		}
		r.refusing.Add(-1) // enough are under way: look here
	}
	switch {
	case from != nil && here.makeRoom():
		here.pass(to, fd, at)
	case r.refusing.Add(1) > refusalsOpen:
		r.countOut(refusal)
		r.countOut(accepted)
		refuseNow(here.sys, fd, r.refusal(at.lis))
		r.reportRefused(at)
	default:
		r.countOut(accepted)
		here.refuse(fd, at)
		r.reportRefused(at)
	}
}

// pass passes a connection that is already counted to its loop.
func (l *Loop) pass(to *Loop, fd int, at ends) {
	if to == l {
		l.welcome(fd, at)
	} else {
		to.Post(&arrival{to, fd, at})
	}
}

// excess is a new connection for which there is no room, on its way to its
// loop.
type excess struct{ arrival }

func (e *excess) Run() { e.to.reactor.squeeze(e.to, e.to, e.fd, e.at) }

// swap is a new connection on its way to its loop by way of another, which
// closes one of its own for it. It counts as one that is being refused until
// then.
type swap struct {
	arrival
	from *Loop
}

func (s *swap) Run() {
	r := s.from.reactor
	if s.from.makeRoom() {
		r.countOut(refusal)
		s.from.pass(s.to, s.fd, s.at)
		return
	}
	r.countOut(accepted)
	s.from.refuse(s.fd, s.at)
}

// Dropped implements [Dropper].
func (s *swap) Dropped() {
	s.from.reactor.countOut(refusal)
	s.arrival.Dropped()
}
