//go:build !invariants

package invariant

// Enabled says that the build has the tag invariants.
const Enabled = false

// Owner is a goroutine that alone may do something.
type Owner struct{}

// Take makes the current goroutine the owner.
func (*Owner) Take() {}

// Check panics when the current goroutine is not the owner, if there is one.
func (*Owner) Check(string) {}

// Lock notes who holds a lock.
type Lock struct{}

// Took is called by who has taken the lock, Gives by who gives it up.
func (*Lock) Took()  {}
func (*Lock) Gives() {}

// Check panics when the current goroutine does not hold the lock; Free, when
// it does.
func (*Lock) Check(string) {}
func (*Lock) Free(string)  {}

// Once is something that happens once.
type Once struct{}

// Do panics when it is called a second time.
func (*Once) Do(string) {}
