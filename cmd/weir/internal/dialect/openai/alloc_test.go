//go:build !race

package openai

import "testing"

// A token's chunk costs no allocation.
func TestChunksAllocateNothing(t *testing.T) {
	c := NewChunks(answer, true)
	buf := make([]byte, 0, 1024)
	writers := map[string]func(){
		"role":    func() { c.AppendRole(buf) },
		"content": func() { c.AppendContent(buf, " tok\"en\u2028\n") },
		"finish":  func() { c.AppendFinish(buf, FinishStop) },
		"usage":   func() { c.AppendUsage(buf, Usage{3, 4}) },
		"done":    func() { AppendDone(buf) },
	}
	for name, write := range writers {
		if got := testing.AllocsPerRun(100, write); got != 0 {
			t.Errorf("%s: got %v allocations, want 0", name, got)
		}
	}
}
