//go:build invariants

package invariant

import (
	"bytes"
	"runtime"
	"strconv"
	"sync/atomic"
)

// Enabled says that the build has the tag invariants.
const Enabled = true

// Owner is a goroutine that alone may do something. The zero value has none.
type Owner struct{ id atomic.Uint64 }

// Take makes the current goroutine the owner.
func (o *Owner) Take() { o.id.Store(goroutine()) }

// Check panics when the current goroutine is not the owner, if there is one.
func (o *Owner) Check(msg string) {
	id := o.id.Load()
	Check(id == 0 || id == goroutine(), msg)
}

// Lock notes who holds a lock. The zero value is not held.
type Lock struct{ holder atomic.Uint64 }

// Took is called by who has taken the lock, Gives by who gives it up.
func (l *Lock) Took() { l.holder.Store(goroutine()) }

// Gives may be called by another goroutine than Took.
func (l *Lock) Gives() { l.holder.Store(0) }

// Check panics when the current goroutine does not hold the lock.
func (l *Lock) Check(msg string) { Check(l.holder.Load() == goroutine(), msg) }

// Free panics when the current goroutine holds the lock.
func (l *Lock) Free(msg string) { Check(l.holder.Load() != goroutine(), msg) }

// Once is something that happens once.
type Once struct{ done atomic.Bool }

// Do panics when it is called a second time.
func (o *Once) Do(msg string) { Check(!o.done.Swap(true), msg) }

// goroutine is the number of the current goroutine, which only a stack trace
// tells: "goroutine 18 [running]:".
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
