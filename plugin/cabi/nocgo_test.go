//go:build !(cgo && unix)

package cabi

import (
	"errors"
	"testing"
)

func TestLoadWithoutCgo(t *testing.T) {
	if names, err := Load("any.so"); names != nil || !errors.Is(err, ErrNoCgo) {
		t.Errorf("got %q, %v, want ErrNoCgo", names, err)
	}
}
