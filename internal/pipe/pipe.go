// Package pipe carries the bytes of a message body from an event loop, which
// must not wait, to a goroutine that reads them, which may.
//
//	loop:       Write, Write, …, End     Write reports when to pause
//	goroutine:  Read, Read, …            Owner.Drained reports when to resume
package pipe

import (
	"io"
	"os"
	"sync"
)

// An Owner is what writes to a [Pipe]. Except for Grow its methods are called
// by Read, on the reader's goroutine, with no lock held: they post to the loop.
type Owner interface {
	// Wanted is called at most once, when the reader waits and nothing has been
	// written yet.
	Wanted()
	// Drained is called once for each time that Write reported full, when the
	// reader has caught up.
	Drained()
	// Grow is called by Write. It returns buf with room for n more bytes, or
	// reports false if there is none. The Pipe is locked.
	Grow(buf []byte, n int) ([]byte, bool)
}

// A Pipe is a queue of bytes with one writer and a reader on another goroutine;
// of several readers each gets a part. How much waits in it is bounded if the
// writer stops when Write reports full: by the high mark and one piece. The
// zero value is not ready: see Init.
type Pipe struct {
	owner     Owner
	high, low int
	wake      chan struct{}

	mu   sync.Mutex
	buf  []byte // what waits begins at off
	off  int
	err  error // why nothing more comes; io.EOF after the last byte
	used bool  // something was written, or Wanted was called
	full bool  // Write has reported it, and Drained was not called since
}

// Init makes p ready. It is full above high bytes, and drained at low ones.
func (p *Pipe) Init(owner Owner, high, low int) {
	p.owner, p.high, p.low, p.wake = owner, high, low, make(chan struct{}, 1)
}

// Write queues a copy of b, and reports whether the writer should stop until
// Drained, and whether there was room for b at all: if not, nothing of it was
// queued. After the end it does nothing.
func (p *Pipe) Write(b []byte) (full, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return false, true
	}
	p.used = true
	if p.off > 0 {
		p.buf, p.off = p.buf[:copy(p.buf, p.buf[p.off:])], 0
	}
	if p.buf, ok = p.owner.Grow(p.buf, len(b)); !ok {
		return false, false
	}
	p.buf = append(p.buf, b...)
	p.full = len(p.buf) > p.high
	p.signal()
	return p.full, true
}

// End lets Read return err, io.EOF for a body that is complete, behind what was
// written. The first end counts. It is safe for concurrent use.
func (p *Pipe) End(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end(err)
}

// Drop is [Pipe.End] that also frees what was not read. It returns the size of
// the memory that held it.
func (p *Pipe) Drop(err error) (freed int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end(err)
	freed = cap(p.buf)
	p.buf, p.off = nil, 0
	return freed
}

// Size returns the size of the memory that p holds. It is safe for concurrent
// use.
func (p *Pipe) Size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return cap(p.buf)
}

// Read waits for bytes, or for the end.
func (p *Pipe) Read(b []byte) (int, error) { return p.ReadBefore(b, nil) }

// ReadBefore is [Pipe.Read] except that it returns os.ErrDeadlineExceeded once
// late is closed, unless that is nil.
func (p *Pipe) ReadBefore(b []byte, late <-chan struct{}) (int, error) {
	if isClosed(late) {
		return 0, os.ErrDeadlineExceeded
	}
	if len(b) == 0 {
		return 0, nil
	}
	for {
		n, call, err := p.take(b)
		if call != nil {
			call(p.owner)
		}
		if n > 0 || err != nil {
			return n, err
		}
		select {
		case <-p.wake:
		case <-late:
			return 0, os.ErrDeadlineExceeded
		}
	}
}

var _ io.Reader = (*Pipe)(nil)

// take copies out what is there. call, if not nil, is what the owner must be
// notified with.
func (p *Pipe) take(b []byte) (n int, call func(Owner), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n = copy(b, p.buf[p.off:])
	if p.off += n; p.off == len(p.buf) {
		p.buf, p.off = p.buf[:0], 0
	}
	if p.err != nil || p.off < len(p.buf) {
		p.signal() // for another reader
	}
	switch {
	case n == 0 && p.err != nil:
		return 0, nil, p.err
	case n == 0 && !p.used:
		p.used = true
		return 0, Owner.Wanted, nil
	case p.full && len(p.buf)-p.off <= p.low:
		p.full = false
		return n, Owner.Drained, nil
	}
	return n, nil, nil
}

func (p *Pipe) end(err error) {
	if p.err == nil {
		p.err = err
		p.signal()
	}
}

// signal wakes the reader, or keeps it from falling asleep.
func (p *Pipe) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}
