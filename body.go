package weir

import (
	"sync"

	"weir/reactor"
)

const (
	bodyHigh = 64 << 10 // bytes waiting for the handler above which reading from the client pauses
	bodyLow  = 16 << 10
)

// bodyReader hands a body from the loop to the handler that reads it while it
// arrives. What waits in between is bounded: the loop stops reading from the
// client when the handler falls behind.
type bodyReader struct {
	ex   *exchange
	mu   sync.Mutex
	buf  []byte
	off  int
	err  error // io.EOF after the last byte
	wake chan struct{}
	full bool // the loop has paused
	ask  bool // the client waits for 100 Continue
}

func newBodyReader(ex *exchange, ask bool) *bodyReader {
	return &bodyReader{ex: ex, ask: ask, wake: make(chan struct{}, 1)}
}

// Read waits for bytes. Handler's goroutine.
func (b *bodyReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		n, act, err := b.take(p)
		if act != nil {
			b.ex.conn.loop().Post(act)
		}
		if n > 0 || err != nil {
			return n, err
		}
		<-b.wake
	}
}

// take copies out what is there, and says what the loop has to do about it.
func (b *bodyReader) take(p []byte) (n int, act reactor.Task, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n = copy(p, b.buf[b.off:])
	b.off += n
	if b.off == len(b.buf) {
		b.buf, b.off = b.buf[:0], 0
	}
	if n == 0 && b.err != nil {
		return 0, nil, b.err
	}
	if n == 0 && b.ask {
		b.ask = false
		return 0, (*continueTask)(b.ex), nil
	}
	if b.full && len(b.buf)-b.off <= bodyLow {
		b.full = false
		return n, (*resumeTask)(b.ex), nil
	}
	return n, nil, nil
}

// feed takes bytes from the loop and reports whether it should pause, and
// whether there was room for them in the server's budget.
func (b *bodyReader) feed(p []byte) (full, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return false, true
	}
	b.ask = false // the client did not wait
	if b.off > 0 {
		b.buf, b.off = b.buf[:copy(b.buf, b.buf[b.off:])], 0
	}
	if b.buf, ok = b.ex.srv.bodies.grow(b.buf, len(p), -1); !ok {
		return false, false
	}
	b.buf = append(b.buf, p...)
	b.full = len(b.buf) > bodyHigh
	b.signal()
	return b.full, true
}

// drop lets go of what was not read, when nobody will read it any more.
func (b *bodyReader) drop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.err = ErrStreamEnded
		b.signal()
	}
	b.ex.srv.bodies.give(int64(cap(b.buf)))
	b.buf, b.off = nil, 0
}

// end tells the reader that nothing more will come.
func (b *bodyReader) end(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.err = err
		b.signal()
	}
}

// endBody tells a handler that reads the body. It comes after cut: what the
// handler then still answers must not pass for the answer.
func (ex *exchange) endBody(err error) {
	if b := ex.req.reader; b != nil {
		b.end(err)
	}
}

func (b *bodyReader) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}
