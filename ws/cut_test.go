//go:build !race && !invariants

package ws_test

const (
	cutStep = 1       // the distance of the places at which the cases are cut
	largest = 1 << 20 // bytes of a case that is played in all ways
	checked = false
)
