//go:build cgo && unix

package cabi

import (
	"runtime"
	"strings"
	"testing"
	"unsafe"
	"weak"
)

// lender gives C a string that nothing in Go refers to any more, and collects garbage before the handler reads it.
type lender struct {
	call
	lent  *weak.Pointer[byte]
	waste *[]string
}

func (l lender) PathValue(string) string {
	s := strings.Repeat("lent", 64) // too large for a block that is shared with other strings
	*l.lent = weak.Make(unsafe.StringData(s))
	return s
}

func (l lender) Query(string) string {
	runtime.GC()
	runtime.GC() // the first may have been on its way before the string was made
	for range 1000 {
		*l.waste = append(*l.waste, strings.Repeat("junk", 64))
	}
	return ""
}

// A view stays as it is until the handler returns, whatever the collector does, and is garbage then.
func TestLentStrings(t *testing.T) {
	var (
		lent  weak.Pointer[byte]
		waste []string
		r     reply
	)
	if err := find(t, "unary/echo").Unary(lender{lent: &lent, waste: &waste}, &r); err != nil {
		t.Fatal(err)
	}
	if want := "[" + strings.Repeat("lent", 64) + "]"; !strings.Contains(r.body.String(), want) {
		t.Errorf("got %.200q, want %.20q...", r.body.String(), want)
	}
	runtime.GC()
	if lent.Value() != nil {
		t.Error("the string is kept after the handler has returned")
	}
}
