package h1

// This file is how requests and connections end before their time.

// refuse makes err the response to a request that cannot be served, and closes
// the connection behind it.
func (c *Conn) refuse(err error) { c.refuseFor(err, false) }

// refuseFor is refuse for a connection that may stay.
func (c *Conn) refuseFor(err error, stays bool) {
	x := c.x
	c.phase = phaseResponding
	if !stays {
		c.closeAfter(x)
	}
	if x.up.Refuse(err) {
		c.settle()
		return
	}
	c.endWith(err)
}

// closeAfter makes x's response the last of the connection.
func (c *Conn) closeAfter(x *Exchange) {
	c.rc.Lock()
	x.Last()
	c.rc.Unlock()
}

// PeerClosed implements reactor.Handler: the client has shut down its write
// side, or has disconnected. Which of the two cannot be known (RFC 9112 9.6): a
// stream ends, a handler is notified, and a buffered response is still
// delivered.
func (c *Conn) PeerClosed() {
	ended := c.rc.InputEnded()
	switch c.phase {
	case phaseIdle, phaseHead, phaseBehind:
		if ended {
			c.close()
		}
	case phaseExpecting, phaseBody:
		if paused := c.x.paused(); paused && c.x.up.Streaming() || !paused && ended {
			c.endWith(ErrClientGone)
		}
	case phaseSwitched:
		c.LookAtPeer(c.x)
	case phaseResponding:
		switch {
		case c.answered():
			if ended && c.rc.Buffered() == 0 {
				c.settle()
			}
		case c.switching(): // LookAtPeer is to come
		case c.x.up.Streaming():
			c.endWith(ErrClientGone)
		default:
			c.x.up.Depart()
		}
	}
}

// cut ends a connection whose time is up. A client that has a part of a
// response gets what was sent before, and sees that it is not the whole.
func (c *Conn) cut() {
	if c.x == nil {
		c.rc.Abort(ErrServerClosed)
		return
	}
	c.endWith(ErrServerClosed)
}

// endWith ends the current request, whose response will not be whole.
func (c *Conn) endWith(cause error) {
	x := c.x
	c.dropBody()
	x.up.Cut(cause)
	c.end(x, cause)
}

// dropBody notifies the taker of a body of which the rest will not come.
func (c *Conn) dropBody() {
	if c.phase.arriving() && c.x.body != nil {
		c.x.body.Drop()
	}
}

// end ends the connection of a response that will not be whole: a part of it
// must not be taken for the whole, but what was sent before is to arrive. The
// client sees from the framing of the body that its end is missing, if that is
// known; the connection is reset where it cannot, as with HTTP/1.0, and of a
// client that has disconnected, which takes nothing any more. One that does not
// take what is pending is reset after the time for a stalled write.
func (c *Conn) end(x *Exchange, cause error) {
	if x.up.Shows(cause) {
		c.close()
	} else {
		c.rc.Abort(cause)
	}
	x.up.Report()
}

// Abort is end for a response that has been cut, soon. Safe for concurrent use.
func (c *Conn) Abort(x *Exchange, cause error) { c.Loop().Post(&abortTask{c, x, cause}) }

type abortTask struct {
	conn  *Conn
	x     *Exchange
	cause error
}

func (t *abortTask) Run() {
	if t.conn.x == t.x {
		t.conn.end(t.x, t.cause)
	}
}

// close closes the connection gracefully.
func (c *Conn) close() {
	c.phase = phaseOver
	c.Loop().StopTimer(&c.timer)
	c.rc.Close()
}

// leave closes a connection that has been quiet for its time, unless a request
// has arrived that no event has reported yet.
func (c *Conn) leave() {
	c.rc.ReadNow()
	switch {
	case c.phase == phaseIdle:
		c.phase = phaseOver
		c.rc.CloseIdle()
	case !c.phase.ended() && !c.timer.Running():
		c.startTimer(c.due(c.Loop().Now()))
	}
}

// Closed implements reactor.Handler: the connection has ended.
func (c *Conn) Closed(cause error) {
	c.dropBody()
	c.phase = phaseOver
	c.keepInput(0)
	c.Loop().StopTimer(&c.timer)
	c.group.remove(c)
	if c.x != nil {
		c.x.up.Closed(cause)
	}
}
