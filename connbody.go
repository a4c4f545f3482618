package weir

import (
	"io"
	"time"

	"weir/chunked"
)

// This file is the part of a connection that takes a request's body: buffered
// for a handler that wants it whole, passed on for one that reads it while it
// arrives, or skipped behind a response that did not wait for it.

// beginBody decides what becomes of the body of a request whose head is
// complete.
func (c *conn) beginBody(ex *exchange, rest []byte) bool {
	r := &ex.req
	length := r.head.ContentLength()
	limit := r.route.bodyLimit(c.srv)
	whole := length >= 0 && length <= int64(len(rest)) // an early response need not close: the body has arrived and can be skipped
	ex.unread = !whole
	ex.left = length
	c.bodyDue = c.loop().Now().Add(c.srv.Timeouts.BodyGrace)
	ex.decoder = chunked.Decoder{MaxBody: limit}
	if length < 0 {
		ex.decoder.Trailer = r.takeTrailer()
	}
	c.phase = phaseBody
	if !c.admitted(ex) {
		return c.skipBody(ex, whole)
	}
	if r.route.mode == early {
		c.serveInline(ex)
		return c.skipBody(ex, whole)
	}
	if limit > 0 && length > limit {
		c.refuse(ErrBodyTooLarge)
		return false
	}
	if r.route.buffers() && !c.srv.bodies.fits(length) {
		c.refuse(ErrBodiesFull)
		return false
	}
	ask := r.head.ExpectContinue() && len(rest) == 0
	if ask {
		c.phase = phaseExpecting
	}
	c.startTimer(c.bodyDue)
	r.gathers = r.route.gated && !whole
	ex.taker = ex.bodyFor(r.route.mode, ask)
	if r.route.mode == onLoop {
		if c.serveInline(ex); ex.over() {
			return c.skipBody(ex, whole)
		}
		l := ex.lock()
		ex.unread = true
		l.unlock()
		return true
	}
	ex.unread = true
	switch {
	case r.reader != nil:
		if c.countHandler(ex) {
			c.loop().Later((*serveTask)(ex))
		}
	case ask:
		c.sendContinue()
	}
	return true
}

// skipBody continues behind the unwanted body of a request whose response is
// complete.
func (c *conn) skipBody(ex *exchange, whole bool) bool {
	if !whole {
		c.phase = phaseResponding
		c.settle()
		return false
	}
	ex.taker = skippedBody{}
	return true
}

// readBody takes the next piece of the body.
func (c *conn) readBody(p []byte) (n int, more bool) {
	ex := c.ex
	var data []byte
	done := false
	if ex.req.head.Chunked() {
		var err error
		data, n, err = ex.decoder.Next(p)
		if err != nil {
			c.refuse(bodyError(err))
			return n, false
		}
		done = ex.decoder.Done()
	} else {
		n = int(min(ex.left, int64(len(p))))
		data = p[:n]
		ex.left -= int64(n)
		done = ex.left == 0
	}
	if n > 0 && c.phase == phaseExpecting {
		c.phase = phaseBody // it sends, with or without 100 Continue
	}
	ex.received += int64(n)
	c.earn(n)
	if len(data) > 0 && !ex.taker.take(c, data) {
		c.refuse(ErrBodiesFull)
		return n, false
	}
	if done {
		c.bodyDone(ex)
		return n, true
	}
	if n == len(p) && c.rc.InputEnded() && c.pause.IsZero() {
		c.lost(c.loop().Now()) // what was kept behind an earlier response is not complete, and no more will come
		return n, false
	}
	return n, n > 0 && c.phase == phaseBody && c.pause.IsZero()
}

func bodyError(err error) error {
	if statusOf(err) == 413 {
		return ErrBodyTooLarge
	}
	return err
}

// receiveBody implements carrier.
func (c *conn) receiveBody(ex *exchange) {
	switch {
	case !c.phase.arriving():
		ex.loop.endBody(io.EOF)
	case c.phase == phaseExpecting && c.pause.IsZero():
		c.sendContinue()
	}
}

// pauseBody implements carrier.
func (c *conn) pauseBody(ex *exchange) {
	if c.ex == ex && c.phase.arriving() && c.pause.IsZero() {
		c.pause = c.loop().Now()
		c.rc.Pause()
	}
}

// continueBody implements carrier.
func (c *conn) continueBody(ex *exchange) {
	if c.ex != ex || !c.phase.arriving() {
		return
	}
	c.resumeBody()
	if c.phase == phaseExpecting && ex.loop.receiver != nil {
		c.sendContinue()
	}
}

// bodyArrived implements carrier.
func (c *conn) bodyArrived(*exchange) bool { return c.phase == phaseResponding }

// resumeBody reads on when the handler has caught up.
func (c *conn) resumeBody() {
	if c.pause.IsZero() {
		return
	}
	c.bodyDue = c.bodyDue.Add(c.loop().Now().Sub(c.pause)) // the client was not to blame
	c.pause = time.Time{}
	c.rc.Resume()
}

func (c *conn) bodyDone(ex *exchange) {
	l := ex.lock()
	ex.unread = false
	l.unlock()
	c.phase = phaseResponding
	ex.taker.complete(c)
}

// sendContinue responds to Expect: 100-continue, once. From then on the client
// has to send.
func (c *conn) sendContinue() {
	ex := c.ex
	if c.phase == phaseExpecting {
		c.phase = phaseBody
	}
	c.bodyDue = c.loop().Now().Add(c.srv.Timeouts.BodyGrace)
	l := ex.lock()
	if ex.final() || ex.req.head.Minor() == 0 || c.rc.Err() != nil {
		l.unlock()
		return
	}
	b := c.rc.Buffer()
	*b = append(*b, "HTTP/1.1 100 Continue\r\n\r\n"...)
	l.later()
}
