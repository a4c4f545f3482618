//go:build invariants

package reactor

import (
	"sync"

	"weir/internal/invariant"
)

// outputLock knows its holder: a goroutine that locks it twice panics.
type outputLock struct {
	mutex  sync.Mutex
	holder invariant.Lock
}

func (l *outputLock) Lock() {
	l.holder.Free("an output is locked by the goroutine that holds its lock")
	l.mutex.Lock()
	l.holder.Took()
}

func (l *outputLock) Unlock() {
	l.holder.Gives()
	l.mutex.Unlock()
}

func checkHeld(l *outputLock) { l.holder.Check("an output is used without its lock") }

func (l *Loop) check() { l.owner.Check("called off the loop") }
