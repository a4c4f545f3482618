//go:build !invariants

package invariant

// Enabled reports whether the build has the tag invariants.
const Enabled = false

// Owner is the only goroutine that may do something.
type Owner struct{}

// Take makes the current goroutine the owner.
func (*Owner) Take() {}

// Check panics if there is an owner and the current goroutine is not it.
func (*Owner) Check(string) {}

// Lock records which goroutine holds a lock.
type Lock struct{}

// Took is called after the lock was taken, Gives before it is released.
func (*Lock) Took()  {}
func (*Lock) Gives() {}

// Check panics if the current goroutine does not hold the lock; Free, if it
// does.
func (*Lock) Check(string) {}
func (*Lock) Free(string)  {}

// Once is something that happens once.
type Once struct{}

// Do panics when it is called a second time.
func (*Once) Do(string) {}
