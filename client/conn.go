package client

import (
	"weir/chunked"
	"weir/http1"
	"weir/internal/wheel"
	"weir/reactor"
)

// phase is what a connection expects from the upstream.
type phase uint8

const (
	phaseIdle phase = iota // nothing
	phaseHead
	phaseBody
)

// conn is one connection to the upstream.
type conn struct {
	pool    *Pool
	rc      *reactor.Conn
	call    *Call
	head    http1.Response
	decoder chunked.Decoder
	timer   wheel.Timer // of idleness
	left    int64
	phase   phase
	kind    http1.BodyKind
	ready   bool // connected
	used    bool // was in the pool
	heard   bool // a byte of the present answer has arrived
}

// Connected is the reactor's.
func (c *conn) Connected() {
	c.ready = true
	if c.call == nil {
		c.rc.Drop(ErrCancelled)
		return
	}
	moved := c.call.moved
	c.start(c.call)
	if moved && c.call != nil {
		c.call.recv.Drained()
	}
}

// start sends the request.
func (c *conn) start(call *Call) {
	c.call, call.conn = call, c
	c.phase, c.heard = phaseHead, false
	c.head.Reset()
	c.rc.Lock()
	if c.rc.Err() == nil {
		b := c.rc.Buffer()
		b.B = append(append(b.B, call.req.Head...), call.req.Body...)
	}
	c.rc.Defer()
}

// fail ends the call and the connection.
func (c *conn) fail(err error) {
	if call := c.call; call != nil {
		call.finish(err)
	}
	c.rc.Drop(err)
}

// drop ends an unused connection.
func (c *conn) drop(cause error) {
	c.leavePool()
	c.rc.Drop(cause)
}

func (c *conn) leavePool() {
	for i, other := range c.pool.idle {
		if other == c {
			c.pool.idle = append(c.pool.idle[:i], c.pool.idle[i+1:]...)
			c.pool.loop.StopTimer(&c.timer)
			return
		}
	}
}

// Timeout is the wheel's: the connection was idle for too long.
func (c *conn) Timeout(*wheel.Timer) { c.drop(ErrCancelled) }

// Drained is the reactor's.
func (c *conn) Drained() {
	if c.call != nil {
		c.call.recv.Drained()
	}
}

// PeerClosed is the reactor's: the upstream sends nothing more.
func (c *conn) PeerClosed() {
	switch {
	case c.call == nil:
		c.drop(ErrCancelled)
	case !c.rc.InputEnded(): // paused: what has arrived comes first
	case c.phase == phaseBody && c.kind == http1.BodyUntilClose:
		c.complete(0)
	default:
		c.gone()
	}
}

// Closed is the reactor's last word.
func (c *conn) Closed(cause error) {
	c.leavePool()
	if c.call != nil {
		c.lost(cause)
	}
}

// gone is a connection that ended before its answer did.
func (c *conn) gone() {
	c.lost(nil)
	c.rc.Drop(reactor.ErrPeerClosed)
}

// lost gives the call up, or tries it again where that cannot be noticed.
func (c *conn) lost(cause error) {
	call := c.call
	c.call = nil
	if c.used && !c.heard && !call.moved {
		if err := call.pool.dial(call); err == nil {
			return
		}
	}
	err := ErrTruncated
	switch {
	case !c.ready:
		err = ErrConnect
	case !c.heard:
		err = ErrNoAnswer
	}
	if cause != nil {
		err = &Error{Kind: err, Cause: cause}
	}
	call.finish(err)
}
