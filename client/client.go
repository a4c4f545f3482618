// Package client is the outgoing side of HTTP/1.1 on a server's own event
// loops: a gateway's connection to its upstream lives on the loop of the
// connection to its client, so that what is relayed crosses no goroutine.
//
// There are two levels. An [Origin] is a server by its name: it looks up
// addresses, writes request heads and frames bodies, and keeps connections on
// each loop. A [Pool], below it, keeps the connections of one loop to one
// address and sends heads that its user has rendered. Both start a [Call],
// whose response is passed to a [Receiver] as it arrives. Nothing here blocks.
//
//	Do ──> connect or reuse ──> Receiver.Head ──> Body … ──> Done(nil)
//	                 └───────────────┴──────────────┴──────> Done(err)
//
// Most waits of a Call are not limited: limit them with a timer of the loop, and
// Call.Cancel. What is limited, beside the wait for one address of several
// (Origin.Attempt):
//
//	response head             http1.Limits, Config.Limits       *http1.ParseError
//	response body             no limit, Config.BodySize         ErrBodySize
//	interim responses (1xx)   100                               the call fails
//	idle connections          64 per loop and address, 4 s      closed
//	request body, unsent      the reactor's high mark           Call.Write reports no room
//	looking a name up         5 s                               ErrConnect
//	TLS handshakes            10 s; 256 at once on each loop    ErrConnect; others wait
package client

import (
	"weir/http1"
	"weir/internal/invariant"
	"weir/reactor"
)

// A Receiver handles the response to a [Call]. Its methods are called on the
// call's loop and may cancel the call.
type Receiver interface {
	// Head is called with the head of the response; h is valid until Head
	// returns. It is not called with interim responses (1xx).
	Head(h *http1.Response)
	// Body is called with each piece of the body, transfer coding removed; p is
	// valid until Body returns.
	Body(p []byte)
	// Drained is called once for each time that Call.Write reported no room,
	// when the request body may continue.
	Drained()
	// Done is called last and exactly once: with nil when the response is
	// complete. It is not called if the loop stops while a call has no
	// connection on it.
	Done(err error)
}

// A RawRequest is what a [Pool] sends: a head that is already rendered. Its
// slices must not change until Head or Done is called: the request may have to
// be sent again.
type RawRequest struct {
	Method string // decides whether the response has a body
	Head   []byte // the whole head, with its empty line
	Body   []byte // the body, framed as Head says; or its beginning, when More
	More   bool   // the rest follows by Call.Write and Call.EndBody

	// Upgrade says that the head offers to switch to another protocol (RFC 9110
	// 7.8): the Receiver is a Switcher.
	Upgrade bool
}

// framing is how a call puts a body that follows in pieces on the wire.
type framing uint8

const (
	raw    framing = iota // as it is: the Pool's user has framed it
	sized                 // Content-Length: owed bytes are still to come
	coded                 // in chunks
	broken                // it was not as long as announced: the call is about to fail
)

// A Call is one request and its response. Its methods must be called on its
// loop; once Done was called they do nothing.
type Call struct {
	conn *conn // nil while addresses are looked up, and for a call that is net/http's
	recv Receiver

	more    bool // the request body is not complete
	full    bool // the Receiver waits for Drained
	paused  bool
	reused  bool // runs on a connection that was pooled
	heard   bool // a byte of the response has arrived
	over    bool
	framing framing

	pool *Pool
	req  RawRequest
	rest []byte // of the body, written before there was a connection
	owed int64  // see sized

	search search  // for an address of the Origin that can be connected to
	remote *remote // of a call that is net/http's
}

// Write sends a further piece of the request body. It reports whether there is
// room for more; if not, Receiver.Drained will be called. p is copied. What is
// written after EndBody, or to a request without More, is not sent.
//
// An Origin's calls frame the body. If it becomes longer than Request.Length,
// or ends before, the call fails with ErrLength. A Pool's calls send p as it
// is: if the head says chunked, the caller writes chunks, the last one
// included.
func (c *Call) Write(p []byte) (room bool) {
	c.check()
	switch {
	case c.over || !c.more || c.framing == broken || len(p) == 0:
		return true
	case c.framing == sized:
		if c.owed -= int64(len(p)); c.owed < 0 {
			c.breach()
			return true
		}
	}
	return c.write(p, false)
}

// write sends p, and behind it the end of a body in chunks.
func (c *Call) write(p []byte, end bool) (room bool) {
	switch {
	case c.remote != nil:
		room = c.remote.write(p)
	case c.Connected():
		room = c.conn.send(p, c.framing == coded, end)
	default:
		c.rest = appendBody(c.rest, p, c.framing == coded, end) // Connected calls Drained
	}
	c.full = !room
	return room
}

// Pending returns the number of bytes of the request that the kernel has not
// taken.
func (c *Call) Pending() int {
	c.check()
	switch {
	case c.over:
		return 0
	case c.remote != nil:
		return c.remote.pending()
	case !c.Connected():
		return len(c.req.Head) + len(c.req.Body) + len(c.rest)
	}
	rc := c.conn.rc
	rc.Lock()
	defer rc.Unlock()
	return rc.Pending()
}

// EndBody ends the request body, which is complete.
func (c *Call) EndBody() {
	c.check()
	switch {
	case c.over || !c.more || c.framing == broken:
		return
	case c.framing == sized && c.owed > 0:
		c.breach()
		return
	case c.remote != nil:
		c.remote.endBody()
	case c.framing == coded:
		c.write(nil, true)
		c.full = false // there is nothing to continue
	}
	c.more = false
}

// breach fails the call at the end of the loop's turn: Write and EndBody do not
// call the Receiver.
func (c *Call) breach() {
	c.framing = broken
	c.search.loop.Later(reactor.TaskFunc(func() { c.end(ErrLength) }))
}

// Pause holds the response back: neither Head nor Body is called until Resume.
// What is known without reading is still reported: a failure, or the end of a
// response whose last byte was passed to Body.
func (c *Call) Pause() {
	c.check()
	if c.over {
		return
	}
	c.paused = true
	if c.conn != nil {
		c.conn.paused = true
		c.conn.rc.Pause()
	}
}

// Resume undoes [Call.Pause], at the end of the loop's turn.
func (c *Call) Resume() {
	c.check()
	if c.over {
		return
	}
	c.paused = false
	switch {
	case c.remote != nil:
		c.remote.resume()
	case c.conn != nil:
		c.conn.paused = false
		c.conn.rc.Resume()
	}
}

// Connected reports whether there is, or was, a connection.
func (c *Call) Connected() bool {
	if c.remote != nil {
		return c.remote.linked.Load()
	}
	return c.conn != nil && c.conn.ready
}

// Reused reports whether the call runs on a pooled connection. It is false for
// calls by net/http.
func (c *Call) Reused() bool { return c.reused }

// Responded reports whether a byte of the response has arrived.
func (c *Call) Responded() bool { return c.heard }

// Cancel ends the call and closes its connection at once. Done is called with
// [ErrCancelled] before Cancel returns.
func (c *Call) Cancel() {
	c.check()
	c.end(ErrCancelled)
}

// check panics in builds with -tags invariants if it is not called on the loop.
func (c *Call) check() {
	if !invariant.Enabled {
		return
	}
	if c.pool != nil {
		c.pool.loop.Check()
	} else if c.search.loop != nil {
		c.search.loop.Check()
	}
}

// end ends a call from this side, and its connection.
func (c *Call) end(err error) {
	if c.over {
		return
	}
	c.finish(err)
	switch {
	case c.remote != nil:
		c.remote.stop(err)
	case c.conn != nil:
		c.conn.rc.Drop(err)
	}
}

// finish reports the end, once: it must be called only for a call that has not
// ended.
func (c *Call) finish(err error) {
	c.over = true
	if c.conn != nil {
		c.conn.call = nil
	}
	c.forget()
	c.recv.Done(err)
}

// forget frees a request that will not be sent again. A long response need not
// hold its memory.
func (c *Call) forget() { c.req.Head, c.req.Body, c.rest = nil, nil, nil }
