// Package client is the outgoing side of HTTP/1.1 on a server's own event
// loops: a gateway's connection to its upstream lives on the loop of the
// connection to its client, so that what is relayed crosses no goroutine.
//
// A Pool keeps the connections of one loop to one address. Pool.Do sends a
// request and returns a Call; a Receiver is shown the answer as it arrives.
// Everything here is for the loop and never blocks.
//
//	Do ──> connect or reuse ──> Receiver.Head ──> Body … ──> Done(nil)
//	                 └───────────────┴──────────────┴──────> Done(err)
package client

import "weir/http1"

// A Receiver is told how a call goes, on its loop. Every method may cancel the
// call.
type Receiver interface {
	// Head shows the head of the answer; h is valid until Head returns.
	// Interim answers (1xx) are not shown.
	Head(h *http1.Response)
	// Body shows a piece of the body, transfer coding removed; p is valid
	// until Body returns.
	Body(p []byte)
	// Drained tells, once for each time that Call.Write reported no room, that
	// the request body may go on.
	Drained()
	// Done is the last call and comes exactly once: with nil when the answer
	// is complete.
	Done(err error)
}

// Request is what a call sends. Its slices must stay as they are until Head or
// Done is told: the request may have to be sent again.
type Request struct {
	Method string // decides whether the answer has a body
	Head   []byte // the whole head, with its empty line
	Body   []byte // the body, framed as Head says; or its beginning, when More
	More   bool   // the rest follows by Call.Write and Call.EndBody
}

// Call is one request and its answer. Once Done was told its methods do
// nothing.
type Call struct {
	conn *conn
	recv Receiver

	more   bool // the request body is not complete
	full   bool // the Receiver waits for Drained
	paused bool
	reused bool // runs on a connection that was kept
	heard  bool // a byte of the answer has arrived
	over   bool

	pool *Pool
	req  Request
	rest []byte // of the body, written before there was a connection
}

// Write sends a further piece of the request body, as it has to be on the
// wire: who said chunked in the head writes chunks, the last one included. It
// reports whether more is welcome; if not, the Receiver is told Drained. What
// is written after EndBody, or to a Request without More, is not sent.
func (c *Call) Write(p []byte) (room bool) {
	if c.over || !c.more {
		return true
	}
	if c.conn.ready {
		room = c.conn.send(p, nil, nil)
	} else {
		c.rest = append(c.rest, p...) // Connected tells Drained
	}
	c.full = !room
	return room
}

// Pending is the number of bytes of the request that the kernel has not taken.
func (c *Call) Pending() int {
	switch {
	case c.over:
		return 0
	case !c.conn.ready:
		return len(c.req.Head) + len(c.req.Body) + len(c.rest)
	}
	rc := c.conn.rc
	rc.Lock()
	defer rc.Unlock()
	return rc.Pending()
}

// EndBody says that the request body is complete. It sends nothing.
func (c *Call) EndBody() { c.more = false }

// Pause holds the answer back: neither Head nor Body is told until Resume.
// What is known without reading is told all the same: a failure, or the end of
// an answer whose last byte was shown.
func (c *Call) Pause() {
	if !c.over {
		c.paused, c.conn.paused = true, true
		c.conn.rc.Pause()
	}
}

// Resume undoes Pause, at the end of the loop's turn.
func (c *Call) Resume() {
	if !c.over {
		c.paused, c.conn.paused = false, false
		c.conn.rc.Resume()
	}
}

// Connected reports whether there is, or was, a connection.
func (c *Call) Connected() bool { return c.conn.ready }

// Reused reports whether the call runs on a connection that was kept.
func (c *Call) Reused() bool { return c.reused }

// Answered reports whether a byte of the answer has arrived.
func (c *Call) Answered() bool { return c.heard }

// Cancel ends the call and its connection at once. Done is told ErrCancelled,
// before Cancel returns.
func (c *Call) Cancel() {
	if !c.over {
		c.finish(ErrCancelled)
		c.conn.rc.Drop(ErrCancelled)
	}
}

// finish tells the end, once: whoever calls it has a call that is not over.
func (c *Call) finish(err error) {
	c.over = true
	c.conn.call = nil
	c.forget()
	c.recv.Done(err)
}

// forget lets go of a request that will not be sent again. A long answer need
// not hold its memory.
func (c *Call) forget() { c.req.Head, c.req.Body, c.rest = nil, nil, nil }
