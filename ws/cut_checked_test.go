//go:build race || invariants

package ws_test

const ( // the detector and the assertions make it slow
	cutStep = 29
	largest = 8 << 10
	checked = true
)
