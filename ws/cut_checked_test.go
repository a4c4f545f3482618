//go:build race || invariants

package ws_test

const ( // the detector and the assertions make it slow
	cutStep = 13
	largest = 256 << 10
)
