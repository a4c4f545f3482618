//go:build race || invariants

package weirtest

const cutStep = 5 // the detector and the assertions make it slow
