package h1

import (
	"time"

	"weir/http1"
)

// This file is a connection that switches to another protocol (RFC 9110 7.8):
// behind the response what arrives is passed on as it is, without an end of its
// own and without a pace.

// A Tunnel is a Body that takes what arrives for another protocol. End is called
// when the peer sends no more. Drop is not called.
type Tunnel interface {
	Body
	// Gone is called when the peer has shut its sending side, or disconnected,
	// while there may be something to read, perhaps several times.
	Gone()
}

// MaySwitch reports whether what follows on the connection can be another
// protocol's: the request has arrived, and nothing behind it was dropped. The
// output is locked. Handlers that see the body arrive ask Arriving, too.
func (x *Exchange) MaySwitch() bool { return !x.unread && !x.last }

// Tunnel makes t what the connection is for, behind this response, from when
// Switch is called. The output is locked.
func (x *Exchange) Tunnel(t Tunnel) { x.tunnel, x.last = t, true }

// AppendSwitch appends the first lines of a response that switches to the
// protocol.
func AppendSwitch(dst []byte, protocol string) []byte {
	dst = append(http1.AppendStatusLine(dst, 101), "Connection: Upgrade\r\nUpgrade: "...)
	return append(append(dst, protocol...), "\r\n"...)
}

// Switch begins to pass on what arrives, at the latest at the end of the turn.
// Before x is served it has no effect. Behind the call on the loop must come one
// at the end of its turn.
func (c *Conn) Switch(x *Exchange) {
	if c.x != x || x.Over() {
		return
	}
	if c.phase == phaseResponding {
		c.phase = phaseSwitched
		x.pause = time.Time{}
		c.rc.Resume()
	}
}

// LookAtPeer is for the events of a peer that come without bytes, and at the end
// of the turn of Switch for what has happened before.
func (c *Conn) LookAtPeer(x *Exchange) {
	if c.x != x || c.phase != phaseSwitched || x.Over() {
		return
	}
	if c.rc.InputEnded() && c.rc.Buffered() == 0 {
		c.tunnelEnd()
	}
	if c.rc.PeerGone() {
		x.tunnel.Gone()
	}
}

// CloseWrite shuts the sending side of a connection that was switched.
func (c *Conn) CloseWrite(x *Exchange) {
	if c.x == x && !c.phase.ended() {
		c.rc.CloseWrite()
	}
}

// switching reports whether Switch is to come, or has.
func (c *Conn) switching() bool {
	c.rc.Lock()
	defer c.rc.Unlock()
	return c.x.tunnel != nil
}

// readSwitched passes on what has arrived.
func (c *Conn) readSwitched(p []byte) (n int, more bool) {
	x := c.x
	switch {
	case x.CutOff():
		return len(p), false
	case x.Over():
		return 0, c.nextRequest(len(p))
	case len(p) > 0 && x.paused():
		return 0, false
	case len(p) > 0 && !x.tunnel.Take(p):
		c.endWith(ErrBodiesFull)
		return len(p), false
	}
	if c.rc.InputEnded() {
		c.tunnelEnd()
	}
	return len(p), false
}

// tunnelEnd passes on that the peer sends no more, once.
func (c *Conn) tunnelEnd() {
	if x := c.x; !x.peerEnded {
		x.peerEnded = true
		x.tunnel.End()
		x.tunnel.Gone()
	}
}
