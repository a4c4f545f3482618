package h1

import (
	"time"

	"weir/chunked"
)

// This file is the part of a connection that takes a request's body: for a
// handler, or skipped behind a response that did not wait for it.

// beginBody is what is known of a body at once; here is how much has arrived
// behind the head.
func (c *Conn) beginBody(x *Exchange, here int) {
	c.phase = phaseBody
	x.due = c.graceEnd()
	x.left = x.request.ContentLength()
	x.unread = x.left < 0 || x.left > int64(here) // if it is here, an early response need not close: the body can be skipped
}

// planBody decides what becomes of the body of a request that is to be served;
// rest is what has arrived of it.
func (c *Conn) planBody(x *Exchange, rest []byte) (more bool) {
	ask := x.request.ExpectContinue() && len(rest) == 0
	plan, err := x.up.Plan(!x.unread, ask)
	switch {
	case err != nil:
		c.refuse(err)
		return false
	case plan.Body == nil:
		return c.serve(x) && c.skipBody(x)
	}
	x.body = plan.Body
	if x.request.Chunked() {
		x.decoder = decoderFor(x.decoder, &plan)
	}
	if ask {
		c.phase = phaseExpecting
	}
	c.startTimer(x.due)
	switch {
	case !plan.AtHead && ask:
		c.Continue(x)
	case !plan.AtHead:
	case !c.serve(x):
		return false
	case x.Over():
		return c.skipBody(x)
	}
	c.rc.Lock()
	x.unread = true
	c.rc.Unlock()
	return true
}

// decoderFor makes d, which may be nil, ready for a body.
func decoderFor(d *chunked.Decoder, plan *Plan) *chunked.Decoder {
	if d == nil {
		d = new(chunked.Decoder)
	}
	*d = chunked.Decoder{MaxBody: plan.Limit, Trailer: plan.Trailer}
	return d
}

// skipBody continues behind a body that is not wanted: that has a response, or
// will have one.
func (c *Conn) skipBody(x *Exchange) bool {
	if x.unread {
		c.phase = phaseResponding
		c.settle()
		return false
	}
	x.body = nil
	return true
}

// readBody takes the next piece of the body.
func (c *Conn) readBody(p []byte) (n int, more bool) {
	x := c.x
	if x.paused() {
		return 0, false
	}
	data, n, done, err := x.piece(p)
	if err != nil {
		c.refuse(bodyError(err))
		return n, false
	}
	if n > 0 && c.phase == phaseExpecting {
		c.phase = phaseBody // it sends, with or without 100 Continue
	}
	x.received += int64(n)
	c.earn(n)
	if len(data) > 0 && x.body != nil && !x.body.Take(data) {
		c.refuse(ErrBodiesFull)
		return n, false
	}
	if done {
		c.bodyDone(x)
		return n, true
	}
	if n == len(p) && c.rc.InputEnded() && !x.paused() {
		c.endWith(ErrClientGone) // what was kept behind an earlier response is not complete, and no more will come
		return n, false
	}
	return n, n > 0 && c.phase == phaseBody && !x.paused()
}

// piece takes the body's next bytes from p.
func (x *Exchange) piece(p []byte) (data []byte, n int, done bool, err error) {
	if x.request.Chunked() {
		data, n, err = x.decoder.Next(p)
		return data, n, x.decoder.Done(), err
	}
	n = int(min(x.left, int64(len(p))))
	x.left -= int64(n)
	return p[:n], n, x.left == 0, nil
}

// bodyDone is behind the last piece. A handler that is behind need not read the
// body: the next request must get through.
func (c *Conn) bodyDone(x *Exchange) {
	c.rc.Lock()
	x.unread = false
	c.rc.Unlock()
	c.phase = phaseResponding
	if x.paused() {
		x.pause = time.Time{}
		c.rc.Resume()
	}
	if x.body != nil {
		x.body.End()
	}
}

// Arriving reports whether a part of x's body is still to come.
func (c *Conn) Arriving(x *Exchange) bool { return c.x == x && c.phase.arriving() }

// Expecting reports whether x's client waits for 100 Continue, and nothing
// speaks against it.
func (c *Conn) Expecting(x *Exchange) bool {
	return c.x == x && c.phase == phaseExpecting && !x.paused()
}

func (x *Exchange) paused() bool { return !x.pause.IsZero() }

// passing reports whether what arrives is passed on: x's body, or what is for its
// Tunnel.
func (c *Conn) passing(x *Exchange) bool {
	return c.x == x && (c.phase.arriving() || c.phase == phaseSwitched)
}

// PauseBody stops reading x's body, or for its Tunnel, until ResumeBody is
// called.
func (c *Conn) PauseBody(x *Exchange) {
	if c.passing(x) && !x.paused() {
		x.pause = c.Loop().Now()
		c.rc.Pause()
	}
}

// ResumeBody undoes PauseBody.
func (c *Conn) ResumeBody(x *Exchange) {
	if c.passing(x) && x.paused() {
		x.due = x.due.Add(c.Loop().Now().Sub(x.pause)) // the client was not to blame
		x.pause = time.Time{}
		c.rc.Resume()
	}
}

// Continue sends 100 Continue. From then on the client has to send.
func (c *Conn) Continue(x *Exchange) {
	if c.x != x {
		return
	}
	if c.phase == phaseExpecting {
		c.phase = phaseBody
	}
	x.due = c.graceEnd()
	c.rc.Lock()
	if x.Final() || x.request.Minor() == 0 || c.rc.Err() != nil {
		c.rc.Unlock()
		return
	}
	b := c.rc.Buffer()
	*b = append(*b, "HTTP/1.1 100 Continue\r\n\r\n"...)
	c.rc.Defer()
}
