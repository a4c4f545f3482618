//go:build race || invariants

package client_test

const cutStep = 5 // the detector makes it slow: without it each byte is a place to cut
