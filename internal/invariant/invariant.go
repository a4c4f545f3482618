// Package invariant checks, in builds with -tags invariants, what must always
// hold. Without the tag every check is compiled away.
package invariant

// Check panics with msg when cond does not hold.
func Check(cond bool, msg string) {
	if Enabled && !cond {
		panic("invariant broken: " + msg)
	}
}
