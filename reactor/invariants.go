package reactor

import (
	"sync"

	"weir/internal/invariant"
)

// outputLock is an Output's mutex. Builds with -tags invariants know who holds
// it: one who locks it twice, or uses the output without it, panics.
type outputLock struct {
	holder invariant.Lock
	mutex  sync.Mutex
}

func (l *outputLock) Lock() {
	l.holder.Free("an output is locked by a goroutine that holds its lock")
	l.mutex.Lock()
	l.holder.Took()
}

func (l *outputLock) Unlock() {
	l.holder.Gives()
	l.mutex.Unlock()
}

// check panics, in builds with -tags invariants, unless the caller has the lock.
func (l *outputLock) check() { l.holder.Check("an output is used without its lock") }

// check panics, in builds with -tags invariants, when the loop runs and the
// caller is not on it.
func (l *Loop) check() { l.owner.Check("called off the loop") }
