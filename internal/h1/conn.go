package h1

import (
	"time"

	"weir/reactor"
)

// A Conn is the server's side of one HTTP/1.1 connection. Its methods must be
// called on its loop, except for Loop, Wire, Abort, Completed and those that
// say so.
type Conn struct {
	group *Group
	rc    *reactor.Conn
	x     *Exchange // the current one; nil in idle and behind
	phase phase
	alarm alarm
	input int64     // bytes taken from the budget for what was not consumed
	since time.Time // idle: of its beginning; head: of its first byte

	// What a request does not need is behind the first cache line.
	timer      reactor.Timer
	prev, next *Conn // in the group
}

// Loop returns the loop that the connection lives on.
func (c *Conn) Loop() *reactor.Loop { return c.rc.Loop() }

// Wire returns what the connection's responses are written to.
func (c *Conn) Wire() *reactor.Conn { return c.rc }

// Data implements reactor.Handler: bytes have arrived, or the loop continues
// with unconsumed ones.
func (c *Conn) Data(p []byte) (consumed int) {
	for {
		n, more := c.step(p[consumed:])
		consumed += n
		if !more {
			break
		}
	}
	if rest := len(p) - consumed; (rest > fewInput || c.input > 0) && !c.keepInput(rest) {
		c.dropInput()
		return len(p)
	}
	return consumed
}

// step makes one move and reports whether another is possible.
func (c *Conn) step(p []byte) (n int, more bool) {
	switch c.phase {
	case phaseIdle, phaseHead:
		return c.readHead(p)
	case phaseExpecting, phaseBody:
		return c.readBody(p)
	case phaseResponding:
		if len(p) == 0 && !c.x.sealed && !c.rc.InputEnded() {
			return 0, false // look again when there is something to do
		}
		if c.answered() {
			return 0, c.nextRequest(len(p))
		}
		if len(p) >= c.group.limits.Pipelined {
			c.rc.Pause()
		}
	case phaseSwitched:
		return c.readSwitched(p)
	}
	return 0, false
}

// answered reports whether the response is complete, and if not, requests that
// the loop be notified.
func (c *Conn) answered() bool {
	x := c.x
	if x.Over() {
		return !x.CutOff() // which does not change any more
	}
	c.rc.Lock()
	defer c.rc.Unlock()
	if x.Over() {
		return !x.CutOff()
	}
	x.awaited = true
	return false
}

// settle checks whether the current response is complete.
func (c *Conn) settle() {
	if !c.phase.serving() || !c.answered() {
		return
	}
	if c.phase.arriving() && !c.x.last {
		return // the body is still being skipped
	}
	if c.nextRequest(c.rc.Buffered()) {
		c.rc.Resume()
	}
}

// nextRequest ends a served request. It reports whether another one may be read
// now; left is how much of it has arrived. A client that does not read its
// responses gets no further ones: what it has not read is bounded.
func (c *Conn) nextRequest(left int) bool {
	x := c.x
	last, full := x.last, x.full
	if !x.sealed { // else nobody changes these any more
		c.rc.Lock()
		last, full = x.last, c.rc.Backlogged()
		c.rc.Unlock()
	}
	c.since = x.Ended
	c.x = nil
	x.up.Done()
	if last || c.rc.InputEnded() && left == 0 {
		c.close()
		return false
	}
	if full {
		c.phase = phaseBehind
		c.rc.Pause()
	} else {
		c.phase = phaseIdle
		c.rc.Rest(c.since)
	}
	c.hasten()
	return !full
}

// hasten sees to it that the connection does not stay as long as usual without
// a request once they are refused.
func (c *Conn) hasten() {
	if c.group.refusing {
		c.startTimer(c.since.Add(c.group.idle))
	}
}

// running reports whether there is a request whose response is not complete,
// and makes its end notify the loop.
func (c *Conn) running() bool {
	return c.phase.arriving() || c.phase.responding() && !c.answered()
}

// Secured implements reactor's: the TLS handshake is complete.
func (c *Conn) Secured() {
	switch {
	case c.group.host.Secured(c.rc):
		c.phase = phaseTaken
		c.Loop().StopTimer(&c.timer)
	case c.quiet():
		c.rc.Rest(c.Loop().Now())
	}
}

// GiveUp implements reactor.Rester: there are too many connections. One between
// two requests is closed, unless the next has arrived and no event has reported
// it yet.
func (c *Conn) GiveUp() bool {
	if c.phase == phaseTaken {
		return c.group.host.Idle(c.rc)
	}
	c.settle()
	if !c.quiet() {
		return false
	}
	c.rc.ReadNow()
	if !c.quiet() {
		return false
	}
	c.phase = phaseOver
	return true
}

// quiet reports whether no request, and no part of one, is here.
func (c *Conn) quiet() bool { return c.phase == phaseIdle && c.rc.Buffered() == 0 }

// Drained implements reactor.Handler: a client that was behind has caught up.
func (c *Conn) Drained() {
	if c.phase == phaseBehind {
		c.phase = phaseIdle
		c.since = c.Loop().Now()
		c.rc.Rest(c.since)
		c.hasten()
		c.rc.Resume()
	}
	if c.x != nil {
		c.x.up.Drained()
	}
}

var (
	_ reactor.Handler = (*Conn)(nil)
	_ reactor.Rester  = (*Conn)(nil)
)
