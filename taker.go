package weir

import (
	"io"
	"time"
)

// A taker is what becomes of a request body that arrives. It is used on the
// loop.
type taker interface {
	// take takes a piece, valid until it returns. It reports false if there is no
	// room for it in the server's budget.
	take(c *conn, p []byte) (ok bool)
	// complete is called behind the last piece.
	complete(c *conn)
}

// bodyFor returns the taker of the request's body for a handler of that kind.
// ask reports that the client waits for 100 Continue.
func (ex *exchange) bodyFor(md mode, ask bool) taker {
	switch {
	case ex.req.gathers, md == whileArriving:
		b := newBodyReader(ex, ask)
		ex.req.reader = b
		return b
	case md == onLoop:
		return loopBody{}
	}
	return keptBody{}
}

// keptBody is a body that is buffered for a handler that is called when it is
// complete.
type keptBody struct{}

func (keptBody) take(c *conn, p []byte) bool {
	ex := c.ex
	if !ex.growBody(len(p)) {
		return false
	}
	ex.req.body = append(ex.req.body, p...)
	return true
}

func (keptBody) complete(c *conn) { c.dispatch(c.ex) }

// loopBody is a body that a LoopHandler's BodyReceiver is shown.
type loopBody struct{}

func (loopBody) take(c *conn, p []byte) bool {
	c.ex.loop.data(p)
	return true
}

func (loopBody) complete(c *conn) { c.ex.loop.endBody(io.EOF) }

// skippedBody is a body that is not wanted, behind a response that is complete.
type skippedBody struct{}

func (skippedBody) take(*conn, []byte) bool { return true }
func (skippedBody) complete(*conn)          {}

// A bodyReader is for the handler's goroutine.

func (b *bodyReader) take(c *conn, p []byte) bool {
	full, ok := b.pipe.Write(p)
	if full && c.pause.IsZero() {
		c.pause = c.loop().Now()
		c.rc.Pause()
	}
	return ok
}

func (b *bodyReader) complete(c *conn) {
	b.pipe.End(io.EOF)
	if !c.pause.IsZero() { // the handler need not read the body: the next request must get through
		c.pause = time.Time{}
		c.rc.Resume()
	}
}
