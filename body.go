package weir

import (
	"io"

	"weir/internal/pipe"
)

const (
	bodyHigh = 64 << 10 // bytes waiting for the handler above which reading from the client pauses
	bodyLow  = 16 << 10
)

// bodyStream is a request body that is read while it arrives.
type bodyStream interface {
	io.Reader
	end(err error) // Read returns err from now on, or when it has returned what is here
	drop()         // it is no longer read
}

// bodyReader hands a body from the loop to the handler that reads it while it
// arrives. The loop stops reading from the client when the handler falls
// behind.
type bodyReader struct {
	pipe pipe.Pipe
	ex   *exchange
	ask  bool // the client waits for 100 Continue
}

func newBodyReader(ex *exchange, ask bool) *bodyReader {
	b := &bodyReader{ex: ex, ask: ask}
	b.pipe.Init((*bodySource)(b), bodyHigh, bodyLow)
	return b
}

// Read is for the handler's goroutine.
func (b *bodyReader) Read(p []byte) (int, error) { return b.pipe.Read(p) }

// end makes Read return err when what was written is read.
func (b *bodyReader) end(err error) { b.pipe.End(err) }

// drop frees what was not read, when it will not be read any more.
func (b *bodyReader) drop() { b.ex.srv.bodies.Give(int64(b.pipe.Drop(ErrStreamEnded))) }

// bodySource is the loop's side of a bodyReader, a pipe.Owner.
type bodySource bodyReader

// Wanted sends 100 Continue to a client that waits for it.
func (b *bodySource) Wanted() {
	if b.ask {
		b.ex.conn.Loop().Post((*continueTask)(b.ex))
	}
}

// Drained reads on from the client.
func (b *bodySource) Drained() { b.ex.conn.Loop().Post((*resumeTask)(b.ex)) }

// Grow takes memory from the server's budget.
func (b *bodySource) Grow(buf []byte, n int) ([]byte, bool) { return b.ex.srv.bodies.Grow(buf, n, -1) }

// endBody notifies a handler that reads the body. It is called after cut: what
// the handler then still sends must not pass for the response.
func (ex *exchange) endBody(err error) {
	if b := ex.req.reader; b != nil {
		b.end(err)
	}
}
