//go:build !race && !invariants

package hub

import (
	"bytes"
	"testing"
)

// What an event costs each subscriber is no memory, however large it is.
func TestAllocationsOfASubscriber(t *testing.T) {
	h, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	l, err := h.open("t")
	if err != nil {
		t.Fatal(err)
	}
	defer h.leave(l)
	l.using[SSE].Add(1)
	scratch := make([]byte, 0, 16<<10)
	for _, size := range []int{64, 15 << 10, 60 << 10} {
		if _, err := h.Publish("t", Event{Data: bytes.Repeat([]byte("x"), size)}); err != nil {
			t.Fatal(err)
		}
		s := &source{log: l, drain: new(drain)}
		from := l.first + uint64(l.count()) - 1
		got := testing.AllocsPerRun(100, func() {
			s.next = from
			if chunk, _ := s.Next(scratch); len(chunk) < size {
				t.Errorf("got %d bytes, want %d and more", len(chunk), size)
			}
		})
		if got != 0 {
			t.Errorf("%d bytes: got %v allocations, want none", size, got)
		}
	}
}
