//go:build !invariants

package reactor

import "sync"

// outputLock is an Output's mutex.
type outputLock = sync.Mutex

// checkHeld panics, in builds with -tags invariants, unless the caller has
// locked l.
func checkHeld(l *outputLock) {}

// check panics, in builds with -tags invariants, when the loop runs and the
// caller is not on it.
func (l *Loop) check() {}
