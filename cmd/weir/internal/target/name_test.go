package target

import (
	"testing"
	"time"
)

// The name's state changes with each look-up; what has changed is reported once.
func TestName(t *testing.T) {
	var last Change
	s := NewStanding(Config{}, func(c Change) { last = c })
	now := time.Unix(1000, 0)
	for i, step := range []struct {
		failure string
		known   bool
		want    Change
	}{
		{"", true, Change{}},
		{"no such host", true, Change{Name: true, Up: true, Reason: "no such host"}},
		{"no such host", true, Change{}},
		{"", true, Change{}},
		{"no such host", false, Change{Name: true, Reason: "no such host"}},
		{"no response", false, Change{}},
		{"", true, Change{Name: true, Up: true, For: 2 * time.Second}},
	} {
		last = Change{}
		s.Looked(step.failure, step.known, now)
		snap := s.Snapshot(now)
		if last != step.want || snap.Lost == step.known || snap.LookupFailure != step.failure || s.Available(now) != step.known {
			t.Errorf("step %d: got %+v and %+v, want %+v", i, last, snap, step.want)
		}
		now = now.Add(time.Second)
	}
}

// A target without an address is not chosen, and is why there is none.
func TestLostTargets(t *testing.T) {
	now := time.Unix(1000, 0)
	a, b := NewStanding(Config{}, nil), NewStanding(Config{}, nil)
	policy, err := New("round_robin", 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	route := &Route{Legs: []Leg{{Targets: []Target{{Standing: a, ID: 1}, {Standing: b, ID: 2}}, Policy: policy}}, Retries: 1}
	a.Looked("no such host", false, now)
	for range 4 {
		var it Itinerary
		it.Begin(route, 0)
		if c, why := it.Next(now); why != Granted || c.Target != 1 || it.More(now) {
			t.Errorf("got %+v, %v, want the other target and no further one", c, why)
		}
		it.End(now)
	}
	b.Looked("no such host", false, now)
	var it Itinerary
	it.Begin(route, 0)
	if _, why := it.Next(now); why != Lost {
		t.Errorf("got %v, want Lost", why)
	}
}
