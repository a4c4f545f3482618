//go:build !race

package client_test

const cutStep = 1
