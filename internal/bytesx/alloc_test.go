//go:build !race

package bytesx

import (
	"strings"
	"testing"
)

func TestViewsDoNotAllocate(t *testing.T) {
	b := make([]byte, 4096)
	s := strings.Repeat("x", 4096)
	var n int
	allocs := testing.AllocsPerRun(100, func() {
		n += len(String(b)) + len(Bytes(s))
	})
	if allocs != 0 {
		t.Errorf("got %v allocations, want 0", allocs)
	}
	if n == 0 {
		t.Error("the views are empty")
	}
}
