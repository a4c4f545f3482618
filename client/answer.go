package client

import (
	"errors"
	"math"

	"weir/chunked"
	"weir/http1"
	"weir/reactor"
)

// This file is the part of a connection that reads the response.

// maxInterim is how many interim responses (1xx) may come before the final one.
const maxInterim = 100

// Data implements reactor.Handler. What comes during a pause is not consumed.
func (c *conn) Data(p []byte) (consumed int) {
	for consumed < len(p) {
		n, more := c.step(p[consumed:])
		consumed += n
		if n == 0 || !more {
			break
		}
	}
	if h := c.other; h != nil && consumed < len(p) {
		consumed += h.Data(p[consumed:]) // now: the end may be known already, and must not overtake it
	}
	return consumed
}

// step processes the next piece. more reports whether to continue after it now.
func (c *conn) step(p []byte) (n int, more bool) {
	if c.call == nil { // a response without a request
		c.drop(reactor.ErrClosed)
		return 0, false
	}
	if !c.heard {
		c.heard, c.call.heard = true, true
		c.call.forget()
	}
	if c.phase == phaseHead {
		return c.readHead(p)
	}
	return c.readBody(p)
}

// readHead waits for the whole head, and for the final one.
func (c *conn) readHead(p []byte) (n int, more bool) {
	n, err := c.head.Parse(p, &c.pool.cfg.Limits)
	switch {
	case err != nil:
		c.fail(err)
		return 0, false
	case n == 0:
		return 0, false
	case c.head.Status() < 200:
		return n, c.skipInterim()
	}
	c.beginBody()
	c.recv.Head(&c.head)
	if c.call == nil {
		return n, false
	}
	if c.kind == http1.BodyNone || c.kind == http1.BodyLength && c.left == 0 {
		c.complete(len(p) - n)
	}
	return n, c.goesOn()
}

// skipInterim continues behind an interim response (RFC 9110 15.2).
func (c *conn) skipInterim() (more bool) {
	c.interim++
	switch {
	case c.head.Status() == 101 && c.call.req.Upgrade:
		c.handOn()
	case c.head.Status() == 101:
		c.fail(errSwitched)
	case c.interim > maxInterim:
		c.fail(errInterim)
	default:
		c.head.Reset()
		return true
	}
	return false
}

// beginBody decides how the body ends.
func (c *conn) beginBody() {
	limit := c.pool.cfg.BodySize
	c.phase = phaseBody
	switch c.kind, c.left = c.head.Body(c.call.req.Method); c.kind {
	case http1.BodyChunked:
		c.decoder = chunked.Decoder{MaxBody: limit}
	case http1.BodyUntilClose:
		if c.left = limit; limit == 0 {
			c.left = math.MaxInt64
		}
	}
}

// goesOn reports whether the call wants more now.
func (c *conn) goesOn() bool { return c.call != nil && !c.paused }

// readBody shows the next piece of the body, and the end behind it.
func (c *conn) readBody(p []byte) (n int, more bool) {
	data, done := p, false
	switch c.kind {
	case http1.BodyChunked:
		var err error
		if data, n, err = c.decoder.Next(p); err != nil {
			c.fail(decodingError(err))
			return 0, false
		}
		done = c.decoder.Done()
	default:
		if c.left == 0 { // there is more than until close is allowed
			c.fail(ErrBodySize)
			return 0, false
		}
		n = int(min(c.left, int64(len(p))))
		c.left -= int64(n)
		data, done = p[:n], c.kind == http1.BodyLength && c.left == 0
	}
	if len(data) > 0 {
		c.recv.Body(data)
	}
	if done && c.call != nil {
		c.complete(len(p) - n)
	}
	return n, c.goesOn()
}

func decodingError(err error) error {
	if bad := (*chunked.Error)(nil); errors.As(err, &bad) && bad.Status == 413 {
		return &Error{Kind: ErrBodySize, Cause: err}
	}
	return err
}
