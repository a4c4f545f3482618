//go:build !race && !invariants

package client_test

const cutStep = 1
