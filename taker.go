package weir

import (
	"io"

	"weir/internal/h1"
)

// This file is what becomes of a request body that arrives on an HTTP/1.1
// connection: each way is an h1.Body, used on the loop.

// bodyFor returns the h1.Body for a handler of that kind, and whether the
// handler runs while the body arrives. ask reports that the client waits for
// 100 Continue.
func (ex *exchange) bodyFor(md mode, ask bool) (body h1.Body, atHead bool) {
	switch {
	case ex.req.gathers, md == whileArriving:
		b := newBodyReader(ex, ask)
		ex.req.reader = b
		return (*readBody)(b), true
	case md == onLoop:
		return (*loopBody)(ex), true
	}
	return (*keptBody)(ex), false
}

// keptBody is a body that is buffered for a handler that is called when it is
// complete.
type keptBody exchange

func (b *keptBody) Take(p []byte) bool {
	ex := (*exchange)(b)
	if !ex.growBody(len(p)) {
		return false
	}
	ex.req.body = append(ex.req.body, p...)
	return true
}

func (b *keptBody) End() {
	(*exchange)(b).arrived()
	b.conn.Serve(&b.Exchange)
}

func (b *keptBody) Drop() { (*exchange)(b).forgetBody() }

// loopBody is a body that a LoopHandler's BodyReceiver is shown.
type loopBody exchange

func (b *loopBody) Take(p []byte) bool {
	b.loop.data(p)
	return true
}

func (b *loopBody) End() {
	(*exchange)(b).arrived()
	b.loop.endBody(io.EOF)
}

func (b *loopBody) Drop() {} // Closed reports it

// readBody is a body that the handler's goroutine reads.
type readBody bodyReader

func (b *readBody) Take(p []byte) bool {
	full, ok := b.pipe.Write(p)
	if full {
		b.ex.conn.PauseBody(&b.ex.Exchange)
	}
	return ok
}

func (b *readBody) End() {
	b.ex.arrived()
	b.pipe.End(io.EOF)
}

func (b *readBody) Drop() {} // it is the handler's

// arrived makes the trailers those of a body that is here.
func (ex *exchange) arrived() {
	if ex.req.trailing {
		l := ex.lock()
		ex.req.trailing = false
		l.unlock()
	}
}
