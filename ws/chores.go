package ws

import (
	"math/rand/v2"
	"time"

	"github.com/gobwas/ws"

	"weir/reactor"
)

// chores are what a connection does by the clock, with one timer of its loop.
type chores struct {
	timer reactor.Timer
	born  time.Time

	// When something is due, since born.
	ping  time.Duration
	idle  time.Duration
	leave time.Duration // by Lifetime, or a shutdown
	cut   time.Duration // behind a Close

	why    string // for leave
	seen   int64  // of moved, when idleness began
	heard  bool   // something has come since the last ping
	pinged bool
}

// startChores begins with them. On the loop.
func (c *Conn) startChores() {
	c.timer.Init((*choreTask)(c))
	c.born = c.link.loop().Now()
	c.ping, c.idle, c.cut = c.set.Ping, c.set.Idle, never
	c.leave, c.why = c.set.Lifetime, "lifetime is over"
	if c.leave != never {
		c.leave -= rand.N(c.leave/10 + 1) // those that came together do not come back together
	}
	(*receiver)(c).Draining()
	c.startTimer()
}

func (c *Conn) age() time.Duration { return c.link.loop().Now().Sub(c.born) }

func (c *Conn) startTimer() {
	if next := min(c.ping, c.idle, c.leave, c.cut); next < never {
		c.link.loop().StartTimer(&c.timer, c.born.Add(next))
	}
}

// choreTask is what the timer runs.
type choreTask Conn

func (t *choreTask) Run() {
	c := (*Conn)(t)
	now := c.age()
	switch {
	case now >= c.cut:
		if c.end != nil {
			c.conclude(c.end) // its handler has not come to it
		}
		c.link.end()
		return
	case now >= c.leave:
		c.leave = never
		_ = c.Close(GoingAway, c.why) // closed before: it ends anyway
	case now >= c.idle:
		c.checkIdle(now)
	}
	if now >= c.ping && !c.checkPong(now) {
		return
	}
	c.startTimer()
}

func (c *Conn) checkIdle(now time.Duration) {
	if n := c.moved.Load(); n != c.seen {
		c.seen, c.idle = n, now+c.set.Idle
		return
	}
	c.idle = never
	_ = c.Close(GoingAway, "no message for too long") // closed before: it ends anyway
}

// checkPong sends a ping, unless the last one was not answered, not even by
// another sign of life: then it disconnects the peer, and reports false. Of a peer
// that is not read nothing is expected.
func (c *Conn) checkPong(now time.Duration) bool {
	if c.pinged && !c.heard && !c.paused {
		c.lose(ErrNoPong)
		return false
	}
	c.heard = c.paused
	c.pinged = c.link.trySend(finBit|byte(ws.OpPing), nil) == nil
	c.ping = now + c.set.Ping
	return true
}

// beginClosing gives the peer, and the handler, their time for the end. On the
// loop.
func (c *Conn) beginClosing() {
	if c.cut == never {
		c.ping, c.idle, c.leave = never, never, never
		c.cut = c.age() + c.set.CloseTimeout
		c.startTimer()
	}
}

// Draining implements weir.Drainer: the server shuts down, and the connection is
// closed at a random moment of the time that is left for that.
func (r *receiver) Draining() {
	c := (*Conn)(r)
	at, ok := c.link.drain()
	if !ok || c.cut != never {
		return
	}
	left := max(0, at.Sub(c.link.loop().Now()))
	within := max(left-c.set.CloseTimeout, left/2)
	c.leave, c.why = c.age()+rand.N(within+1), "the server shuts down"
	c.startTimer()
}

// stopTimerTask gives the timer's hold of a connection up that has ended.
type stopTimerTask Conn

func (t *stopTimerTask) Run() { t.link.loop().StopTimer(&t.timer) }
