// Package logq separates the code that logs from the reader of the log. A log
// may be a pipe that is not read, or a handler that waits for a network: code
// that logs never waits for it, and what waits to be written is bounded.
//
//	caller ──add──> queue, bounded ──goroutine──> Writer: a file descriptor
//	                  │ full: lost, counted       Handler: another slog.Handler
//
// Whatever the reader does costs one goroutine and the queue's memory. The
// order of what is added is kept. What was lost is counted, and reported in the
// log itself as soon as it takes something again.
package logq

import (
	"sync"
	"sync/atomic"
	"time"
)

// A queue passes items to its work function, on a goroutine that exists only
// while there are some, so that a queue need not be closed. It is safe for
// concurrent use.
type queue[T any] struct {
	limit int // items that may wait, without those that the work function has
	work  func([]T)

	mu      sync.Mutex
	items   []T
	spare   []T           // memory for the next items
	running bool          // the goroutine exists
	idle    chan struct{} // closed when the goroutine ends; nil if no one waits for it
}

// spareItems is how many items the memory may have that is kept for later ones.
const spareItems = 64 << 10

// add appends the items, all or none. It never waits for the work function.
func (q *queue[T]) add(items ...T) (ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items)+len(items) > q.limit {
		return false
	}
	q.items = append(q.items, items...)
	if !q.running {
		q.running = true
		go q.run()
	}
	return true
}

func (q *queue[T]) run() {
	var done []T
	for {
		items := q.next(done)
		if items == nil {
			return
		}
		q.work(items)
		done = items
	}
}

// next returns the waiting items, or nil, which ends the goroutine, if there
// are none. The memory of done is reused.
func (q *queue[T]) next(done []T) (items []T) {
	clear(done) // the memory must not keep what the items refer to
	q.mu.Lock()
	defer q.mu.Unlock()
	if cap(done) > 0 && cap(done) <= spareItems {
		q.spare = done[:0]
	}
	if len(q.items) == 0 {
		q.running = false
		if q.idle != nil {
			close(q.idle)
			q.idle = nil
		}
		return nil
	}
	items, q.items, q.spare = q.items, q.spare, nil
	return items
}

// wait returns when no item waits any more, or after d. It reports which of the
// two it was.
func (q *queue[T]) wait(d time.Duration) (empty bool) {
	q.mu.Lock()
	if !q.running {
		q.mu.Unlock()
		return true
	}
	if q.idle == nil {
		q.idle = make(chan struct{})
	}
	idle := q.idle
	q.mu.Unlock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-idle:
		return true
	case <-timer.C:
		return false
	}
}

// losses counts what was lost. It is safe for concurrent use.
type losses struct {
	all    atomic.Uint64
	unsaid atomic.Uint64 // those not yet reported in the log
}

func (l *losses) add(n int) {
	l.all.Add(uint64(n))
	l.unsaid.Add(uint64(n))
}

// said is the message of the line that reports losses, with their number as
// the attribute "lost".
const said = "lines of the log were lost: it was not read in time or could not be written"
