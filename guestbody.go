package weir

import (
	"io"
	"sync"
	"time"

	"weir/internal/h1"
)

// guestBody is the body of a request that another server has received: a
// bodyStream. One goroutine reads it.
type guestBody struct {
	g     *visit
	limit int64     // 0 = none
	got   int64     // by Read
	due   time.Time // when more of it must have come, see h1.Earn
	rest  time.Time // when nobody began to wait for it

	mu      sync.Mutex
	wanted  bool  // somebody will read it
	reading bool  // a Read of the other server runs
	stopped bool  // none may begin any more
	whole   bool  // all of it was read
	failed  bool  // the other server has returned an error
	err     error // what Read returns from now on
}

// want notes that the body will be read.
func (b *guestBody) want(limit int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limit, b.wanted = limit, true
}

// arriving reports whether somebody waits for more of the body, and whether a
// Read that runs, or has failed, says what becomes of it: net/http's context
// also ends when the time of a Read is up.
func (b *guestBody) arriving() (yes, said bool) {
	if b == nil {
		return false, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.wanted && !b.whole, b.reading || b.failed || b.err != nil
}

// Read reads from the other server. An error of the body becomes the response,
// as long as no other has begun.
func (b *guestBody) Read(p []byte) (n int, err error) {
	if err := b.ended(nil); err != nil || len(p) == 0 {
		return 0, err
	}
	if n, err = b.read(p); err == nil {
		return n, nil
	}
	if err = b.ended(err); err != io.EOF {
		b.g.spoil(err)
	}
	return n, err
}

// read is Read without what follows from an error.
func (b *guestBody) read(p []byte) (n int, err error) {
	if !b.begin() {
		return 0, ErrStreamEnded
	}
	n, err = b.g.from.Body.Read(p)
	b.earn(n)
	b.got += int64(n)
	if b.limit > 0 && b.got > b.limit {
		n, err = 0, ErrBodyTooLarge
	}
	stopped := b.done(err)
	if err == io.EOF {
		b.takeTrailer()
	}
	switch {
	case err == nil, err == io.EOF, err == ErrBodyTooLarge:
		return n, err
	case stopped:
		return n, ErrStreamEnded
	}
	if err = guestError(err); err == ErrSlowClient {
		err = ErrTimeout
	}
	return n, err
}

// begin sets how long a read may take. It reports whether there may be one.
func (b *guestBody) begin() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return false
	}
	b.reading = true
	now := time.Now()
	if b.due.IsZero() {
		b.due, b.rest = b.graceEnd(now), now
	}
	b.due = b.due.Add(now.Sub(b.rest)) // the client was not to blame
	b.by(b.due)
	return true
}

func (b *guestBody) graceEnd(now time.Time) time.Time {
	return now.Add(b.g.srv.Timeouts.BodyGrace)
}

// earn notes that n bytes have come.
func (b *guestBody) earn(n int) {
	b.rest = time.Now()
	b.due = h1.Earn(b.due, b.graceEnd(b.rest), n, b.g.srv.Limits.BodyRate)
}

// takeTrailer makes the fields behind the body the request's.
func (b *guestBody) takeTrailer() {
	ex := b.g.ex
	if !ex.req.trailing || b.g.from.Trailer == nil {
		return
	}
	l := ex.lock()
	defer l.unlock()
	for _, f := range b.g.from.Trailer() {
		ex.req.addTrailer(f.Name, f.Value)
	}
	ex.req.trailing = false
}

// done is the end of a read. It reports whether it was stopped.
func (b *guestBody) done(err error) (stopped bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = false
	b.whole, b.failed = err == io.EOF, err != nil && err != io.EOF
	if err != nil && !b.stopped {
		b.by(time.Time{}) // else it would pass for a disconnect later
	}
	return b.stopped
}

// by bounds the reads, if the other server can.
func (b *guestBody) by(at time.Time) {
	if f := b.g.from.ReadBy; f != nil {
		f(at)
	}
}

// stop ends a read that waits, and allows none any more: the request has ended.
func (b *guestBody) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped = true; b.reading {
		b.by(time.Unix(1, 0))
	}
}

// readAll buffers the body for a handler that wants it whole.
func (b *guestBody) readAll() error {
	ex := b.g.ex
	piece := make([]byte, 8<<10)
	for {
		n, err := b.read(piece)
		if n > 0 && !ex.growBody(n) {
			return ErrBodiesFull
		}
		ex.req.body = append(ex.req.body, piece[:n]...)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// ended sets why the body has ended, unless err is nil or it had ended before,
// and returns it.
func (b *guestBody) ended(err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.err = err
	}
	return b.err
}

func (b *guestBody) end(err error) { _ = b.ended(err) } // its result is for Read
func (b *guestBody) drop()         { _ = b.ended(ErrStreamEnded) }
