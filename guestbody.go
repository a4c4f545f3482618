package weir

import (
	"errors"
	"io"
	"sync"
	"time"
)

// guestBody is the body of a request that another server has received: a
// bodyStream.
type guestBody struct {
	g     *visit
	limit int64 // 0 = none
	got   int64 // by Read

	mu  sync.Mutex
	err error // what Read returns from now on
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
	from := b.g.from
	if from.ReadBy != nil {
		from.ReadBy(time.Now().Add(b.g.srv.Timeouts.BodyGrace))
	}
	n, err = from.Body.Read(p)
	b.got += int64(n)
	if b.limit > 0 && b.got > b.limit {
		n, err = 0, ErrBodyTooLarge
	}
	if err == nil {
		return n, nil
	}
	if from.ReadBy != nil {
		from.ReadBy(time.Time{}) // else it would pass for a disconnect later
	}
	if err == io.EOF || err == ErrBodyTooLarge {
		return n, err
	}
	if err = guestError(err); err == ErrSlowClient {
		err = ErrTimeout
	}
	return n, err
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
		if errors.Is(err, io.EOF) {
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

// spoil makes an error of the body the response of a handler that runs, or,
// when its own has begun, cuts that. Safe for concurrent use.
func (g *visit) spoil(err error) {
	ex := g.ex
	l := ex.lock()
	switch {
	case ex.over():
		l.unlock()
	case ex.begun(), errors.Is(err, ErrClientGone):
		l.unlock()
		g.abort(ex, err)
	default:
		if ex.cause == nil {
			ex.cause = err
		}
		ex.close = true // the body was not read
		l.refuseStream(err)
		if ex.served { // and left a detached stream
			l.answerError(statusOf(err), err)
			return
		}
		l.tell()
		l.unlock()
	}
}
