package nethttp

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"

	"weir"
)

// discardLimit is how much of a body that the handler has not read is read
// before the response begins: net/http's figure.
const discardLimit = 256 << 10

// body is the body of a request. Read, Close and the deadline are safe for
// concurrent use.
type body struct {
	deadline deadline

	mu     sync.Mutex // guards the rest; held by a waiting Read
	r      io.Reader
	timed  *timedReader // set by the first Read with a deadline
	left   int64        // -1 = not known
	asks   bool         // the client waits for 100 Continue, which the first Read sends
	closed bool
	err    error  // of an earlier Read
	atEnd  func() // called by the Read that finds the end; may be nil
}

func newBody(r *weir.Request) *body {
	return &body{r: r.BodyReader(), left: r.ContentLength(), asks: r.Header().HasToken("Expect", "100-continue")}
}

// Read waits for a piece of the body.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	return b.read(p)
}

// read is Read with the lock held.
func (b *body) read(p []byte) (n int, err error) {
	if b.err != nil {
		return 0, b.err
	}
	late, err := b.deadline.enter()
	if err != nil {
		return 0, err
	}
	b.asks = false
	if late != nil && b.timed == nil {
		b.timed = &timedReader{r: b.r, results: make(chan result, 1)}
	}
	if b.timed != nil {
		n, err = b.timed.read(p, late)
	} else {
		n, err = b.r.Read(p)
	}
	if b.left > 0 {
		b.left -= int64(n)
	}
	switch {
	case err == io.EOF && b.left > 0: // the handler was mounted where it does not get the body
		err = io.ErrUnexpectedEOF
	case errors.Is(err, weir.ErrClientGone):
		err = fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err)
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		b.err = err
	}
	if err == io.EOF && b.atEnd != nil {
		b.atEnd()
	}
	return n, err
}

// Close ends the reading. The rest of the body is discarded if it is short.
func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.closed = true
		b.discard()
	}
	return nil
}

// discard reads the rest, unless that is much or the client has not begun to
// send it. The server closes the connection of a body that was not read to its
// end. The lock is held.
func (b *body) discard() {
	if b.asks || b.left >= discardLimit {
		return
	}
	var piece [4 << 10]byte
	for n := 0; n <= discardLimit; {
		got, err := b.read(piece[:])
		if err != nil {
			return // at its end, or the connection is lost, which the server knows
		}
		n += got
	}
}

// timedReader reads on another goroutine, so that a Read can give up waiting.
// What that goroutine reads afterwards is for the next Read. It ends when the
// request ends, at the latest. Only one Read at a time may use it.
type timedReader struct {
	r       io.Reader
	results chan result
	running bool
	buf     [4 << 10]byte
	rest    []byte
	err     error
}

type result struct {
	n   int
	err error
}

// read gives up when late is closed.
func (t *timedReader) read(p []byte, late <-chan struct{}) (int, error) {
	if len(t.rest) == 0 && t.err == nil {
		if !t.running {
			t.running = true
			go func() {
				n, err := t.r.Read(t.buf[:])
				t.results <- result{n, err}
			}()
		}
		select {
		case got := <-t.results:
			t.running = false
			t.rest, t.err = t.buf[:got.n], got.err
		case <-late:
			return 0, os.ErrDeadlineExceeded
		}
	}
	n := copy(p, t.rest)
	if t.rest = t.rest[n:]; len(t.rest) == 0 {
		return n, t.err
	}
	return n, nil
}
