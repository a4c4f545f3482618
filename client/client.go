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
	// Drained tells that a request body that was above the high mark (see
	// Call.Write) may go on.
	Drained()
	// Done is the last call and comes exactly once: with nil when the answer
	// is complete.
	Done(err error)
}

// Request is what a call sends.
type Request struct {
	Method string // decides whether the answer has a body
	Head   []byte // the whole head, with its empty line
	Body   []byte // the body, framed as Head says; or its beginning, when More
	More   bool   // the rest follows by Call.Write and Call.EndBody
}

// Call is one request and its answer.
type Call struct {
	pool  *Pool
	conn  *conn
	req   Request
	recv  Receiver
	more  bool // the request body is not complete
	moved bool // more than req was sent: it cannot be sent again
	over  bool
}

// Write sends a further piece of the request body. It reports whether more is
// welcome; if not, the Receiver is told Drained.
func (c *Call) Write(p []byte) (room bool) {
	if c.over {
		return true
	}
	c.moved = true
	if !c.conn.ready {
		c.req.Body = append(c.req.Body[:len(c.req.Body):len(c.req.Body)], p...)
		return false // Connected tells Drained
	}
	rc := c.conn.rc
	rc.Lock()
	if rc.Err() == nil {
		b := rc.Buffer()
		b.B = append(b.B, p...)
	}
	room = !rc.Backlogged()
	rc.Defer()
	return room
}

// EndBody says that the request body is complete.
func (c *Call) EndBody() {
	c.more = false
}

// Pause stops reading the answer; Resume goes on, at the end of the loop's
// turn.
func (c *Call) Pause() {
	if !c.over {
		c.conn.rc.Pause()
	}
}

// Resume undoes Pause.
func (c *Call) Resume() {
	if !c.over {
		c.conn.rc.Resume()
	}
}

// Connected reports whether there is a connection.
func (c *Call) Connected() bool { return c.conn.ready }

// Reused reports whether the call runs on a connection that was kept.
func (c *Call) Reused() bool { return c.conn.used }

// Answered reports whether a byte of the answer has arrived.
func (c *Call) Answered() bool { return c.conn.heard }

// Cancel ends the call and its connection at once. Done is told ErrCancelled.
func (c *Call) Cancel() {
	if !c.over {
		c.finish(ErrCancelled)
		c.conn.rc.Drop(ErrCancelled)
	}
}

func (c *Call) finish(err error) {
	if c.over {
		return
	}
	c.over = true
	c.conn.call = nil
	c.recv.Done(err)
}
