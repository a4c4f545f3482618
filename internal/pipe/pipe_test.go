package pipe

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// owner notes what it is called with, and has room for limit bytes.
type owner struct {
	wanted, drained atomic.Int64
	limit           int
	onDrained       func()
}

func (o *owner) Wanted() { o.wanted.Add(1) }

func (o *owner) Drained() {
	o.drained.Add(1)
	if o.onDrained != nil {
		o.onDrained()
	}
}

func (o *owner) Grow(buf []byte, n int) ([]byte, bool) {
	if o.limit > 0 && len(buf)+n > o.limit {
		return buf, false
	}
	return slices.Grow(buf, n), true
}

func newPipe(high, low int) (*Pipe, *owner) {
	p, o := new(Pipe), new(owner)
	p.Init(o, high, low)
	return p, o
}

func TestMarks(t *testing.T) {
	p, o := newPipe(10, 4)
	for _, step := range []struct {
		write   int // bytes
		full    bool
		read    int
		drained int64 // altogether
	}{
		{write: 10}, // at the mark is not above it
		{write: 1, full: true},
		{write: 1, full: true},
		{read: 7}, // 5 are left
		{read: 1, drained: 1},
		{read: 1, drained: 1},
		{write: 7, drained: 1},
		{write: 1, full: true, drained: 1},
		{read: 11, drained: 2},
	} {
		if step.write > 0 {
			if full, ok := p.Write(make([]byte, step.write)); full != step.full || !ok {
				t.Errorf("Write: got full %v, ok %v, want full %v", full, ok, step.full)
			}
		}
		if step.read > 0 {
			if n, err := p.Read(make([]byte, step.read)); n != step.read || err != nil {
				t.Errorf("Read: got %d, %v, want %d", n, err, step.read)
			}
		}
		if got := o.drained.Load(); got != step.drained {
			t.Errorf("got Drained %d times, want %d", got, step.drained)
		}
	}
	if o.wanted.Load() != 0 {
		t.Error("got Wanted, though bytes were there before the reader")
	}
}

// The bytes arrive as they were written, whatever the sizes, while both sides
// take turns at waiting for each other.
func TestBytes(t *testing.T) {
	for _, sizes := range [][2]int{{1, 7}, {7, 1}, {100, 3}, {64, 64}} {
		synctest.Test(t, func(t *testing.T) {
			p, o := newPipe(50, 10)
			room := make(chan struct{}, 1)
			o.onDrained = func() { room <- struct{}{} }
			var want []byte
			for i := range 10_000 {
				want = append(want, byte(i*i))
			}
			go func() {
				for piece := range slices.Chunk(want, sizes[0]) {
					if full, _ := p.Write(piece); full {
						<-room
					}
				}
				p.End(io.EOF)
			}()
			var got []byte
			for buf := make([]byte, sizes[1]); ; {
				n, err := p.Read(buf)
				got = append(got, buf[:n]...)
				if err != nil {
					if err != io.EOF {
						t.Errorf("got %v, want io.EOF", err)
					}
					break
				}
				if size := p.Size(); size > 1000 {
					t.Fatalf("got %d bytes of memory, want a bound of marks and pieces", size)
				}
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got %d bytes that differ, want the %d that were written", len(got), len(want))
			}
		})
	}
}

// A reader that waits is woken by bytes and by the end; the first time that it
// waits before any byte, the owner hears of it.
func TestReadWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, o := newPipe(10, 4)
		type result struct {
			n   int
			err error
		}
		results := make(chan result)
		go func() {
			for {
				n, err := p.Read(make([]byte, 10))
				results <- result{n, err}
				if err != nil {
					return
				}
			}
		}()
		synctest.Wait()
		if got := o.wanted.Load(); got != 1 {
			t.Errorf("got Wanted %d times, want once", got)
		}
		p.Write([]byte("abc"))
		if got := <-results; got != (result{3, nil}) {
			t.Errorf("got %v, want 3 bytes", got)
		}
		synctest.Wait()
		p.End(io.ErrUnexpectedEOF)
		if got := <-results; got != (result{0, io.ErrUnexpectedEOF}) {
			t.Errorf("got %v, want the error", got)
		}
		if got := o.wanted.Load(); got != 1 {
			t.Errorf("got Wanted %d times, want once", got)
		}
	})
}

func TestEnd(t *testing.T) {
	gone := errors.New("gone")
	p, _ := newPipe(10, 4)
	p.Write([]byte("abc"))
	p.End(io.EOF)
	p.End(gone)
	if full, ok := p.Write(make([]byte, 100)); full || !ok {
		t.Errorf("Write after the end: got full %v, ok %v, want that it does nothing", full, ok)
	}
	if n, err := p.Read(nil); n != 0 || err != nil {
		t.Errorf("reading nothing: got %d, %v", n, err)
	}
	if got, err := io.ReadAll(p); string(got) != "abc" || err != nil {
		t.Errorf("got %q, %v, want what was written before the end, and the first end", got, err)
	}

	p, _ = newPipe(10, 4)
	p.Write([]byte("abc"))
	size := p.Size()
	if freed := p.Drop(gone); freed != size || size < 3 || p.Size() != 0 {
		t.Errorf("got %d freed of %d and %d left, want all", freed, size, p.Size())
	}
	if n, err := p.Read(make([]byte, 1)); n != 0 || err != gone {
		t.Errorf("got %d, %v after Drop, want its error", n, err)
	}
}

// What there is no room for is not queued, not even a part of it.
func TestNoRoom(t *testing.T) {
	p, o := newPipe(100, 4)
	o.limit = 5
	if full, ok := p.Write([]byte("abc")); full || !ok {
		t.Errorf("got full %v, ok %v, want room", full, ok)
	}
	if _, ok := p.Write([]byte("def")); ok {
		t.Error("got room, want none")
	}
	p.End(io.EOF)
	if got, err := io.ReadAll(p); string(got) != "abc" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}
