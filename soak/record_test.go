//go:build soak

package soak

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// order is what a client wants of a handler.
type order struct {
	feed   string        // the route
	size   int64         // bytes of the answer; below 0 it has no end
	upload int64         // bytes of the request's body
	chunk  int           // bytes that are sent at a time
	gap    time.Duration // between two chunks
	hold   hold          // where the handler stops until it is told
}

type hold uint8

const (
	holdNot   hold = iota
	holdHead       // before the head is committed
	holdChunk      // behind the head, before the first chunk
)

// fate is what has to become of a request.
type fate uint8

const (
	whole  fate = iota // answered to the end
	gone               // its client left: ErrClientGone
	slow               // its client took nothing: ErrSlowClient
	never              // it did not arrive whole: no handler may have seen it
	maybe              // its client left while it arrived: never or gone
	either             // its client took nothing for so long that it was gone or slow
)

// record is the life of one request, as both sides see it.
type record struct {
	order
	id    uint64
	stage string
	fate  fate

	left     atomic.Int64  // when the client began to leave, on this package's clock; 0 = it has not
	produced atomic.Int64  // bytes that the handler has sent, or read of an upload
	began    chan struct{} // closed when the handler runs
	closed   chan struct{} // closed by OnClose
	exited   chan struct{} // closed when the handler has learned of the end by itself

	mu     sync.Mutex
	runs   int
	closes []notice // by OnClose
	exits  []notice // by Done, a failed Send, a cancelled step, Source.Close, Read's error or its own end
	faults []string
}

// notice is one word to a handler.
type notice struct {
	at    time.Duration
	cause error
}

var epoch = time.Now()

// clock is monotonic.
func clock() time.Duration { return time.Since(epoch) }

func (r *record) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.runs++; r.runs == 1 {
		close(r.began)
	}
}

// end is for OnClose.
func (r *record) end(cause error) {
	n := notice{clock(), cause}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closes = append(r.closes, n); len(r.closes) == 1 {
		close(r.closed)
	}
}

// exit notes that the handler knows that it is over, and why; nil when it came
// to its own end.
func (r *record) exit(cause error) {
	n := notice{clock(), cause}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.exits = append(r.exits, n); len(r.exits) == 1 {
		close(r.exited)
	}
}

func (r *record) fault(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

// leaves is called right before the client's system call.
func (r *record) leaves() { r.left.CompareAndSwap(0, int64(clock())) }

func (r *record) String() string { return fmt.Sprintf("%s %d (%s)", r.feed, r.id, r.stage) }

// ledger has the records by their number, which is in the request's path.
type ledger struct {
	mu      sync.Mutex
	last    uint64
	records map[uint64]*record
}

// book is one for all, because native handlers are registered for all.
var book = ledger{records: map[uint64]*record{}}

func (l *ledger) open(o order, stage string, f fate) *record {
	r := &record{order: o, stage: stage, fate: f,
		began: make(chan struct{}), closed: make(chan struct{}), exited: make(chan struct{})}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	r.id = l.last
	l.records[r.id] = r
	return r
}

// find returns nil for what is no number of a record.
func (l *ledger) find(id string) *record {
	n, _ := strconv.ParseUint(id, 10, 64) // 0 is nobody's
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.records[n]
}

// close waits until all that began was told its end, as long as patience
// lasts, and gives the records away.
func (l *ledger) close(patience time.Duration) []*record {
	l.mu.Lock()
	defer l.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	all := make([]*record, 0, len(l.records))
	for _, r := range l.records {
		all = append(all, r)
		if r.hasBegun() {
			await(ctx.Done(), r.closed)
			await(ctx.Done(), r.exited)
		}
	}
	l.records = map[uint64]*record{}
	return all
}

func (r *record) hasBegun() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.runs > 0
}

// await reports whether the event came before the end of patience.
func await(patience, event <-chan struct{}) bool {
	select {
	case <-event:
		return true
	case <-patience:
		return false
	}
}

// content is what the body of record id has at some offset: no two records
// have sixteen bytes in common but by a miracle.
func content(id uint64, off int64) byte {
	w := id<<32 ^ uint64(off)>>3 // splitmix64
	w = (w + 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9
	w = (w ^ w>>27) * 0x94d049bb133111eb
	return byte(w >> (8 * (uint64(off) & 7)))
}

// body makes a record's content piece by piece.
type body struct {
	r   *record
	off int64
	buf []byte
}

// next appends the next chunk to dst; last says that no more follows.
func (b *body) next(dst []byte) (p []byte, last bool) {
	n := int64(b.r.chunk)
	if b.r.size >= 0 {
		n = min(n, b.r.size-b.off)
	}
	for range n {
		dst = append(dst, content(b.r.id, b.off))
		b.off++
	}
	return dst, b.off == b.r.size
}

// errContent is that an answer has bytes which are not its own.
var errContent = errors.New("wrong byte")

// check compares a piece of a body with what it should be.
func (b *body) check(p []byte) error {
	for i, c := range p {
		if want := content(b.r.id, b.off); c != want {
			return fmt.Errorf("%w: %v: got %#x at offset %d, want %#x; around it %q", errContent, b.r, c, b.off, want, p[max(0, i-8):min(len(p), i+32)])
		}
		b.off++
	}
	return nil
}
