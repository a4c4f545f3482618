package target

import (
	"sync"
	"sync/atomic"
	"time"
)

// Name is whether an upstream's name has addresses, by the look-ups of it. It
// is safe for concurrent use; the zero value has some: nothing says otherwise.
type Name struct {
	lost atomic.Bool // no address is known

	mu      sync.Mutex
	failure string // of the last look-up; "" = it succeeded
	since   time.Time
}

// observe adds the outcome of a look-up, the failure or "", and returns how the
// state has changed. known means that there are addresses, of an earlier
// look-up if this one has failed.
func (n *Name) observe(failure string, known bool, now time.Time) (c Change) {
	n.mu.Lock()
	defer n.mu.Unlock()
	lost, failed := n.lost.Load(), n.failure != ""
	n.failure = failure
	n.lost.Store(!known)
	switch {
	case lost && known:
		c = Change{Name: true, Up: true, For: now.Sub(n.since)}
	case !lost && !known:
		n.since = now
		c = Change{Name: true, Reason: failure}
	case known && failure != "" && !failed:
		c = Change{Name: true, Up: true, Reason: failure}
	}
	return c
}

// look returns how the last look-up failed, and whether no address is known.
func (n *Name) look() (failure string, lost bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.failure, n.lost.Load()
}

// Looked adds the outcome of a look-up of the upstream's name: how it failed, ""
// if it did not. known means that there are addresses, of an earlier look-up if
// this one has failed. An upstream without an address gets no requests (G21).
func (s *Standing) Looked(failure string, known bool, now time.Time) {
	s.report(s.Name.observe(failure, known, now))
}

// Lost reports whether no address of the upstream is known.
func (s *Standing) Lost() bool { return s.Name.lost.Load() }
