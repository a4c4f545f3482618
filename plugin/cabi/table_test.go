//go:build cgo && unix

package cabi

import (
	"math"
	"testing"
)

func TestTable(t *testing.T) {
	var tab table
	for _, handle := range []uint64{0, 1, 1 << 32, math.MaxUint64} {
		if tab.lock(handle) != nil {
			t.Errorf("an empty table has %#x", handle)
		}
	}
	seen := map[uint64]bool{}
	var slots []*slot
	for range slotsPerBlock + 1 {
		s := tab.begin(call{}, nil, newSink(), nil)
		if seen[s.handle()] || s.handle() == 0 {
			t.Fatalf("got the handle %#x, want one that is new and not 0", s.handle())
		}
		seen[s.handle()] = true
		slots = append(slots, s)
	}
	for _, s := range slots {
		handle := s.handle()
		if got := tab.lock(handle); got != s {
			t.Fatalf("%#x: got another slot", handle)
		}
		tab.release(s)
		if tab.lock(handle) != nil || tab.lock(s.handle()) != nil {
			t.Errorf("%#x: alive after release, or before its next use", handle)
		}
	}
	if n := tab.alive(); n != 0 {
		t.Errorf("%d are alive, want none", n)
	}
}

// A slot whose rounds are used up is not used again: no handle comes twice.
func TestTableRetiresSlots(t *testing.T) {
	var tab table
	s := tab.begin(call{}, nil, newSink(), nil)
	s.round = math.MaxUint32
	old := s.handle()
	s.mu.Lock()
	tab.release(s)
	if tab.lock(old) != nil {
		t.Error("the last handle of the slot is alive after release")
	}
	for range 2 * slotsPerBlock {
		if tab.begin(call{}, nil, newSink(), nil) == s {
			t.Fatal("the slot was used again")
		}
	}
}
