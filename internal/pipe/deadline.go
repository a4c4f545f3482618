package pipe

import (
	"sync"
	"sync/atomic"
	"time"
)

// A Deadline is that of a net.Conn's reads, or of its writes: it applies to
// calls that wait, and can be moved, also when it has passed. The zero value has
// none. It is safe for concurrent use.
type Deadline struct {
	used atomic.Bool // Set was called

	mu     sync.Mutex
	passed chan struct{} // closed when it has passed
	timer  *time.Timer
}

// Set sets the deadline; the zero time is none.
func (d *Deadline) Set(at time.Time) {
	d.used.Store(true)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() {
		<-d.passed // the timer closes it without the lock
	}
	d.timer = nil
	passed := isClosed(d.passed)
	if d.passed == nil || passed {
		d.passed = make(chan struct{})
	}
	if at.IsZero() {
		return
	}
	if wait := time.Until(at); wait > 0 {
		late := d.passed
		d.timer = time.AfterFunc(wait, func() { close(late) })
		return
	}
	close(d.passed)
}

// Passed returns a channel that is closed when the deadline has passed.
func (d *Deadline) Passed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.passed == nil {
		d.passed = make(chan struct{})
	}
	return d.passed
}

// Over reports whether the deadline has passed, at the cost of an atomic load
// if there never was one.
func (d *Deadline) Over() bool { return d.used.Load() && isClosed(d.Passed()) }

// Stop frees the timer of what has ended.
func (d *Deadline) Stop() {
	if d.used.Load() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.timer != nil && d.timer.Stop() {
			d.timer = nil
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
