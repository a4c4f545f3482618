package client

import (
	"errors"

	"weir/chunked"
	"weir/http1"
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
	// What each piece of a response needs comes first.
	call    *Call    // nil while it is pooled
	recv    Receiver // call's
	left    int64    // of a body without chunks
	phase   phase
	kind    http1.BodyKind
	ready   bool // connected
	heard   bool // a byte of the response has arrived
	paused  bool // the call is
	decoder chunked.Decoder

	pool    *Pool
	rc      *reactor.Conn
	interim int // interim responses so far
	head    http1.Response
	timer   reactor.Timer   // of connecting, then of idleness
	other   reactor.Handler // whose the connection is now, after a 101
}

// Connected implements reactor.DialHandler. A call that was cancelled meanwhile
// has closed the connection.
func (c *conn) Connected() {
	c.ready = true
	c.pool.loop.StopTimer(&c.timer)
	c.call.search.found()
	if room := c.start(c.call); room {
		c.Drained()
	}
}

// start sends the request, as far as it is known.
func (c *conn) start(call *Call) (room bool) {
	c.call, call.conn = call, c
	c.recv, c.heard, c.paused = call.recv, false, call.paused
	c.phase, c.interim = phaseHead, 0
	c.head.Reset()
	rest := call.rest
	call.rest = nil
	c.rc.Lock()
	if c.rc.Err() == nil {
		b := c.rc.Buffer()
		*b = append(append(append(*b, call.req.Head...), call.req.Body...), rest...)
	}
	return c.sent()
}

// send writes a piece of the request body at the end of the turn: see
// appendBody. It reports whether there is room for more. What is sent to a
// connection that has failed is lost: Closed will be called.
func (c *conn) send(p []byte, coded, end bool) (room bool) {
	c.rc.Lock()
	if c.rc.Err() == nil {
		b := c.rc.Buffer()
		*b = appendBody(*b, p, coded, end)
	}
	return c.sent()
}

// sent releases the output's lock, and reports whether there is room for more.
func (c *conn) sent() (room bool) {
	room = !c.rc.Backlogged()
	c.rc.Defer()
	return room
}

// appendBody appends p, as a chunk if the body is coded; end says that it is
// the last one.
func appendBody(dst, p []byte, coded, end bool) []byte {
	switch {
	case !coded:
		return append(dst, p...)
	case len(p) > 0:
		dst = chunked.AppendChunk(dst, p)
	}
	if end {
		dst = chunked.AppendEnd(dst)
	}
	return dst
}

// complete is the end of a whole response; rest is the number of bytes that
// follow it without a request.
func (c *conn) complete(rest int) {
	call := c.call
	keep := rest == 0 && c.reusable()
	c.phase, c.call, c.recv = phaseIdle, nil, nil
	if keep {
		if call.paused {
			c.rc.Resume()
		}
		c.pool.put(c)
	}
	call.finish(nil)
	switch {
	case keep: // and perhaps in use again
	case call.more: // a response that did not wait for the request is not going to need it
		c.rc.Drop(reactor.ErrClosed)
	default:
		c.rc.Close()
	}
}

// reusable reports whether another request may follow this one: neither side
// wants to close, and the whole request was sent.
func (c *conn) reusable() bool {
	if c.kind == http1.BodyUntilClose || !c.head.KeepAlive() || c.rc.PeerGone() || !c.pool.room() {
		return false
	}
	if c.call.more || c.call.req.Method == "CONNECT" { // a tunnel does not speak HTTP
		return false
	}
	c.rc.Lock()
	defer c.rc.Unlock()
	return c.rc.Pending() == 0
}

// fail ends the call and the connection.
func (c *conn) fail(err error) {
	c.call.finish(err)
	c.rc.Drop(err)
}

// drop ends an unused connection at once.
func (c *conn) drop(cause error) {
	c.pool.remove(c)
	c.rc.Drop(cause)
}

// retire ends an unused connection, with TLS's word for it.
func (c *conn) retire() {
	c.pool.remove(c)
	c.rc.CloseIdle()
}

// lateTask is a connection that has been idle for too long, or another address
// is to be tried in its place.
type lateTask conn

func (t *lateTask) Run() {
	c := (*conn)(t)
	if c.ready {
		c.retire()
		return
	}
	c.lost(errSlow)
	c.rc.Drop(errSlow)
}

// Drained implements reactor.Handler. Receivers that need not wait are not
// called.
func (c *conn) Drained() {
	if call := c.call; call != nil && call.full {
		call.full = false
		call.recv.Drained()
	}
}

// PeerClosed implements reactor.Handler: the upstream sends nothing more.
func (c *conn) PeerClosed() {
	switch {
	case c.call == nil:
		c.drop(reactor.ErrPeerClosed)
	case !c.rc.InputEnded(): // paused: what has arrived comes first
	case c.phase == phaseBody && c.kind == http1.BodyUntilClose && !c.rc.InputCut():
		c.complete(0)
	default:
		c.lost(nil)
		c.rc.Drop(reactor.ErrPeerClosed)
	}
}

// Closed implements reactor.Handler: the connection has ended.
func (c *conn) Closed(cause error) {
	c.pool.remove(c)
	c.pool.loop.StopTimer(&c.timer)
	if c.call != nil {
		c.lost(cause)
	}
}

// lost is a connection that ended before its response did. The call fails, or
// gets another connection if the Receiver cannot notice that.
func (c *conn) lost(cause error) {
	call := c.call
	c.call = nil
	kind := ErrTruncated
	switch {
	case !c.ready:
		kind = ErrConnect
	case !call.heard:
		kind = ErrNoResponse
	}
	if kind == ErrNoResponse && call.reused && byPeer(cause) {
		err := c.pool.dial(call)
		if err == nil {
			return
		}
		kind, cause = ErrConnect, err
	}
	if kind == ErrConnect && call.search.origin != nil {
		if cause = call.search.elsewhere(call, cause); cause == nil {
			return
		}
	}
	if cause == nil {
		call.finish(kind)
		return
	}
	call.finish(&Error{Kind: kind, Cause: cause})
}

// byPeer reports whether the upstream ended a connection, not this side because
// it is stopping or out of patience.
func byPeer(cause error) bool {
	return !errors.Is(cause, reactor.ErrStopped) && !errors.Is(cause, reactor.ErrStalled)
}
