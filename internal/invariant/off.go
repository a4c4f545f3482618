//go:build !invariants

package invariant

// Enabled says that the build has the tag invariants.
const Enabled = false
