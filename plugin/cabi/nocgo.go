//go:build !(cgo && unix)

package cabi

// Load returns ErrNoCgo.
func Load(string) (names []string, err error) { return nil, ErrNoCgo }
