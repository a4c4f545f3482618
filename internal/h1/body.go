package h1

import (
	"time"

	"weir/chunked"
)

// This file is the part of a connection that takes a request's body: for a
// handler, or skipped behind a response that did not wait for it.

// beginBody decides what becomes of the body of a request whose head is
// complete.
func (c *Conn) beginBody(x *Exchange, rest []byte) (more bool) {
	length := x.request.ContentLength()
	whole := length >= 0 && length <= int64(len(rest)) // an early response need not close: the body has arrived and can be skipped
	ask := x.request.ExpectContinue() && len(rest) == 0
	x.unread, x.left = !whole, length
	c.bodyDue = c.graceEnd()
	c.phase = phaseBody
	if !c.admits(x) {
		return c.skipBody(x, whole)
	}
	plan, err := x.up.Plan(whole, ask)
	switch {
	case err != nil:
		c.refuse(err)
		return false
	case plan.Body == nil:
		return c.serve(x) && c.skipBody(x, whole)
	}
	x.body = plan.Body
	x.decoder = chunked.Decoder{MaxBody: plan.Limit, Trailer: plan.Trailer}
	if ask {
		c.phase = phaseExpecting
	}
	c.startTimer(c.bodyDue)
	switch {
	case !plan.AtHead && ask:
		c.Continue(x)
	case !plan.AtHead:
	case !c.serve(x):
		return false
	case x.Over():
		return c.skipBody(x, whole)
	}
	c.rc.Lock()
	x.unread = true
	c.rc.Unlock()
	return true
}

// skipBody continues behind the unwanted body of a request whose response is
// complete.
func (c *Conn) skipBody(x *Exchange, whole bool) bool {
	if !whole {
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
	if c.paused() {
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
	if n == len(p) && c.rc.InputEnded() && !c.paused() {
		c.endWith(ErrClientGone) // what was kept behind an earlier response is not complete, and no more will come
		return n, false
	}
	return n, n > 0 && c.phase == phaseBody && !c.paused()
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
	if c.paused() {
		c.pause = time.Time{}
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
	return c.x == x && c.phase == phaseExpecting && !c.paused()
}

func (c *Conn) paused() bool { return !c.pause.IsZero() }

// passing reports whether what arrives is passed on: x's body, or what is for its
// Tunnel.
func (c *Conn) passing(x *Exchange) bool {
	return c.x == x && (c.phase.arriving() || c.phase == phaseSwitched)
}

// PauseBody stops reading x's body, or for its Tunnel, until ResumeBody is
// called.
func (c *Conn) PauseBody(x *Exchange) {
	if c.passing(x) && !c.paused() {
		c.pause = c.Loop().Now()
		c.rc.Pause()
	}
}

// ResumeBody undoes PauseBody.
func (c *Conn) ResumeBody(x *Exchange) {
	if c.passing(x) && c.paused() {
		c.bodyDue = c.bodyDue.Add(c.Loop().Now().Sub(c.pause)) // the client was not to blame
		c.pause = time.Time{}
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
	c.bodyDue = c.graceEnd()
	c.rc.Lock()
	if x.Final() || x.request.Minor() == 0 || c.rc.Err() != nil {
		c.rc.Unlock()
		return
	}
	b := c.rc.Buffer()
	*b = append(*b, "HTTP/1.1 100 Continue\r\n\r\n"...)
	c.rc.Defer()
}
