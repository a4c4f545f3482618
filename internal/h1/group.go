package h1

import (
	"math/rand/v2"
	"time"

	"weir/http1"
	"weir/internal/budget"
	"weir/reactor"
)

// A Host has what connections do not know of themselves. Its methods are called
// on their loop.
type Host interface {
	// Exchange returns an exchange, which was Reset, for a request of which
	// bytes have arrived.
	Exchange(c *Conn) *Exchange
	// Secured is called when a TLS handshake is complete. It reports whether
	// another protocol was agreed upon, and the connection was taken over.
	Secured(rc *reactor.Conn) (taken bool)
	// Idle reports whether such a connection has no request.
	Idle(rc *reactor.Conn) bool
	// Closed is called when a connection has ended.
	Closed()
}

// Limits bound what one client may use. They are the weir.Server's, and mean
// what they mean there.
type Limits struct {
	Head      http1.Limits
	Pipelined int
	BodyRate  int
	Bodies    *budget.Budget

	HeadTime, BodyGrace, Idle time.Duration
}

// A Group is the connections of one loop. It is used on that loop only.
type Group struct {
	loop     *reactor.Loop
	host     Host
	limits   *Limits
	conns    Conn          // the head of a circle
	idle     time.Duration // how long a connection may be without a request
	refusing bool          // requests get 503
}

// NewGroup returns the group of a loop.
func NewGroup(loop *reactor.Loop, host Host, limits *Limits) *Group {
	g := &Group{loop: loop, host: host, limits: limits, idle: limits.Idle}
	g.conns.prev, g.conns.next = &g.conns, &g.conns
	return g
}

// Accept makes the handler of a new connection.
func (g *Group) Accept(rc *reactor.Conn) reactor.Handler {
	c := &Conn{group: g, rc: rc}
	c.timer.Init((*overdueTask)(c))
	c.since = g.loop.Now()
	c.startTimer(c.since.Add(g.idle))
	head := &g.conns
	c.prev, c.next = head.prev, head
	head.prev.next, head.prev = c, c
	rc.Rest(c.since)
	return c
}

func (g *Group) remove(c *Conn) {
	c.prev.next, c.next.prev = c.next, c.prev
	c.prev, c.next = nil, nil // who keeps one ended stream must not keep its connection's neighbours
	g.host.Closed()
}

// each calls f for every connection; f may close it.
func (g *Group) each(f func(c *Conn)) {
	for c := g.conns.next; c != &g.conns; {
		next := c.next
		f(c)
		c = next
	}
}

// Pending is how many bytes of output the kernel has not taken.
func (g *Group) Pending() (n int64) {
	g.each(func(c *Conn) {
		c.rc.Lock()
		n += int64(c.rc.Pending())
		c.rc.Unlock()
	})
	return n
}

// Running counts the requests whose responses are not complete, and has the
// loop notified of their ends.
func (g *Group) Running() (n int) {
	g.each(func(c *Conn) {
		if c.running() {
			n++
		}
	})
	return n
}

// Refusing reports whether Refuse was called.
func (g *Group) Refusing() bool { return g.refusing }

// closedAtOnce is how many idle connections a loop closes in a millisecond: so
// that a hundred thousand of them do not hold up its streams.
const closedAtOnce = 50

// Refuse closes what is quiet for a moment, now and from now on. Requests that
// still come are the Handler's to refuse.
func (g *Group) Refuse(moment time.Duration) {
	g.refusing = true
	g.idle = min(g.idle, moment)
	now, quiet := g.loop.Now(), 0
	g.each(func(c *Conn) {
		if c.running() { // the loop is notified of its end
			c.x.up.Draining()
			return
		}
		if c.settle(); c.phase.ended() {
			return
		}
		at := c.due(now)
		if at.Before(now) {
			at = now.Add(time.Duration(quiet/closedAtOnce) * time.Millisecond)
			quiet++
		}
		c.startTimer(at)
	})
}

// Cut ends what still runs, each connection at a random moment within that
// time. It returns how many requests these are. What was taken over is for
// others to end.
func (g *Group) Cut(within time.Duration) (n int) {
	g.each(func(c *Conn) {
		if c.phase == phaseTaken {
			return
		}
		if c.running() {
			n++
		}
		c.alarm = atCut
		c.startTimer(g.loop.Now().Add(rand.N(max(1, within))))
	})
	return n
}
