//go:build race || invariants

package weir_test

const (
	raceEnabled = true
	cutStep     = 5 // the detector makes it slow: without it each byte is a place to cut
)
