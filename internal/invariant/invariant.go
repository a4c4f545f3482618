// Package invariant checks, in builds with -tags invariants, what must always
// hold. Without the tag every check is compiled away, and its types are empty.
//
// A check that fails panics with a [Broken]. Code that recovers panics of user
// functions must let it pass (see [Pass]): a fault of weir's own, or a broken
// promise of its user, ends the process of such a build.
package invariant

// Broken is the value with which a failed check panics.
type Broken string

func (b Broken) Error() string { return "invariant broken: " + string(b) }

// Check panics when cond does not hold.
func Check(cond bool, msg string) {
	if Enabled && !cond {
		panic(Broken(msg))
	}
}

// Pass panics again with what was recovered, if it is a Broken.
func Pass(recovered any) {
	if b, ok := recovered.(Broken); Enabled && ok {
		panic(b)
	}
}

// poison fills memory that must not be read any more: it is not valid anywhere
// in HTTP, JSON or UTF-8.
const poison = 0xfb

// Poison overwrites memory whose lifetime has ended.
func Poison(p []byte) {
	if !Enabled {
		return
	}
	for i := range p {
		p[i] = poison
	}
}
