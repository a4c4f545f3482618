package client

import (
	"errors"

	"weir/chunked"
	"weir/http1"
)

// Data is the reactor's.
func (c *conn) Data(p []byte) (consumed int) {
	for {
		n, more := c.step(p[consumed:])
		consumed += n
		if !more {
			return consumed
		}
	}
}

func (c *conn) step(p []byte) (n int, more bool) {
	if c.call == nil || len(p) == 0 {
		if len(p) > 0 { // an answer that nobody asked for
			c.drop(ErrCancelled)
		}
		return 0, false
	}
	c.heard = true
	if c.phase == phaseHead {
		return c.readHead(p)
	}
	return c.readBody(p)
}

func (c *conn) readHead(p []byte) (n int, more bool) {
	n, err := c.head.Parse(p, &c.pool.cfg.Limits)
	switch {
	case err != nil:
		c.fail(err)
		return 0, false
	case n == 0:
		return 0, false
	case c.head.Status() == 101:
		c.fail(errors.New("client: the upstream switched protocols unasked"))
		return 0, false
	case c.head.Status() < 200:
		c.head.Reset()
		return n, true
	}
	c.phase = phaseBody
	c.kind, c.left = c.head.Body(c.call.req.Method)
	c.decoder = chunked.Decoder{MaxBody: c.pool.cfg.BodySize}
	c.call.recv.Head(&c.head)
	if c.call == nil {
		return n, false
	}
	if c.kind == http1.BodyNone || c.kind == http1.BodyLength && c.left == 0 {
		c.complete(len(p) - n)
		return n, c.call != nil
	}
	return n, true
}

func (c *conn) readBody(p []byte) (n int, more bool) {
	data, done := p, false
	switch n = len(p); c.kind {
	case http1.BodyChunked:
		var err error
		if data, n, err = c.decoder.Next(p); err != nil {
			c.fail(err)
			return 0, false
		}
		done = c.decoder.Done()
	case http1.BodyLength:
		n = int(min(c.left, int64(len(p))))
		c.left -= int64(n)
		data, done = p[:n], c.left == 0
	}
	if len(data) > 0 {
		c.call.recv.Body(data)
	}
	if c.call == nil {
		return n, false
	}
	if done {
		c.complete(len(p) - n)
		return n, c.call != nil
	}
	return n, n > 0
}

// complete is the end of a whole answer. The connection is kept if it can be
// used again: the request was sent whole, nobody wants to close, and nothing
// follows that nobody asked for.
func (c *conn) complete(rest int) {
	call := c.call
	c.phase = phaseIdle
	keep := rest == 0 && c.head.KeepAlive() && c.kind != http1.BodyUntilClose && !call.more && !c.rc.PeerGone() &&
		len(c.pool.idle) < c.pool.cfg.MaxIdle
	c.call = nil
	if keep {
		c.used = true
		c.rc.Resume() // the call may have paused it
		c.pool.idle = append(c.pool.idle, c)
		c.pool.loop.StartTimer(&c.timer, c.pool.loop.Now().Add(c.pool.cfg.Idle))
	}
	call.finish(nil)
	if !keep {
		c.rc.Close()
	}
}
