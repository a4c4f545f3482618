//go:build invariants

package invariant

import (
	"bytes"
	"runtime"
	"strconv"
	"sync/atomic"
)

// Enabled reports whether the build has the tag invariants.
const Enabled = true

// Owner is the only goroutine that may do something. The zero value has none.
type Owner struct{ id atomic.Uint64 }

// Take makes the current goroutine the owner.
func (o *Owner) Take() { o.id.Store(goroutine()) }

// Check panics if there is an owner and the current goroutine is not it.
func (o *Owner) Check(msg string) {
	id := o.id.Load()
	Check(id == 0 || id == goroutine(), msg)
}

// Lock records which goroutine holds a lock. The zero value is not held.
type Lock struct{ holder atomic.Uint64 }

// Took is called after the lock was taken, Gives before it is released.
func (l *Lock) Took() { l.holder.Store(goroutine()) }

// Gives may be called by another goroutine than Took.
func (l *Lock) Gives() { l.holder.Store(0) }

// Check panics if the current goroutine does not hold the lock.
func (l *Lock) Check(msg string) { Check(l.holder.Load() == goroutine(), msg) }

// Free panics if the current goroutine holds the lock.
func (l *Lock) Free(msg string) { Check(l.holder.Load() != goroutine(), msg) }

// Once is something that happens once.
type Once struct{ done atomic.Bool }

// Do panics when it is called a second time.
func (o *Once) Do(msg string) { Check(!o.done.Swap(true), msg) }

// goroutine returns the number of the current goroutine, which only a stack
// trace shows: "goroutine 18 [running]:".
func goroutine() uint64 {
	var trace [64]byte
	text := trace[:runtime.Stack(trace[:], false)]
	text, _, _ = bytes.Cut(bytes.TrimPrefix(text, []byte("goroutine ")), []byte(" "))
	id, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil {
		panic("invariant: a stack trace that begins otherwise: " + err.Error())
	}
	return id
}
