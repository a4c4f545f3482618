//go:build !race && !invariants

package weir_test

const (
	raceEnabled = false
	cutStep     = 1
)
