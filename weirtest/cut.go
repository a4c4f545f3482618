//go:build !race && !invariants

package weirtest

// cutStep is the distance of the places at which [PlayCut] cuts.
const cutStep = 1
