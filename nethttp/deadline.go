package nethttp

import (
	"os"
	"sync"
	"time"
)

// deadline is the deadline of reads or of writes. Once it has passed it cannot
// be extended, as in net/http. It is safe for concurrent use; the zero value
// has no deadline.
type deadline struct {
	mu     sync.Mutex
	late   chan struct{} // closed when the deadline has passed; nil = none was ever set
	timer  *time.Timer
	round  int // counts calls of set, so that an earlier timer that has already fired is ignored
	passed bool
}

// set sets the deadline; the zero time is none.
func (d *deadline) set(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.passed {
		return
	}
	d.round++
	if d.timer != nil {
		d.timer.Stop()
	}
	if at.IsZero() {
		return
	}
	if d.late == nil {
		d.late = make(chan struct{})
	}
	if wait := time.Until(at); wait > 0 {
		round := d.round
		d.timer = time.AfterFunc(wait, func() { d.fire(round) })
		return
	}
	d.pass()
}

func (d *deadline) fire(round int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if round == d.round && !d.passed {
		d.pass()
	}
}

// pass is called once, with the lock held.
func (d *deadline) pass() {
	d.passed = true
	close(d.late)
}

// enter begins an operation, which must not wait any longer once late is
// closed. A nil late is no deadline.
func (d *deadline) enter() (late <-chan struct{}, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.passed {
		return nil, os.ErrDeadlineExceeded
	}
	return d.late, nil
}

// over reports whether the deadline has passed.
func (d *deadline) over() bool {
	_, err := d.enter()
	return err != nil
}

// stop turns the deadline off.
func (d *deadline) stop() { d.set(time.Time{}) }
