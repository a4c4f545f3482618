//go:build !race

package target

import (
	"testing"
	"time"
)

// A request allocates nothing, whether it goes well, is tried again, or finds
// the breakers open; nor does one with more targets than a word has bits.
func TestNoAllocationsOnRoute(t *testing.T) {
	for _, n := range []int{1, 3, 65, 300} {
		r := route(n, Config{Breaker: BreakerConfig{Share: 1, Volume: 1 << 20, Window: time.Minute, Open: time.Minute}})
		r.Budget = new(Budget)
		r.Budget.Set(1, 10)
		var it Itinerary
		now := epoch
		request := func() {
			now = now.Add(time.Millisecond)
			it.Begin(r, 0)
			for range min(3, n) {
				if !it.More(now) && it.begun {
					break
				}
				it.Next(now)
				it.Responds(500)
				it.Fails(Failed, now)
				it.Leave()
			}
			it.End(now)
			it.Begin(r, 7)
			it.Next(now)
			it.Responds(200)
			it.Works(200, now)
			it.End(now)
			it = it.Spare()
		}
		for range n { // until the memory is there
			request()
		}
		if got := testing.AllocsPerRun(100, request); got != 0 {
			t.Errorf("%d targets: got %v allocations, want none", n, got)
		}
	}
}

// BenchmarkRequest is what each request pays for its route: one of three targets
// that works at once.
func BenchmarkRequest(b *testing.B) {
	r := route(3, Config{Breaker: BreakerConfig{Share: 0.5, Volume: 10, Window: 10 * time.Second, Open: time.Second}})
	r.Budget = new(Budget)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		var it Itinerary
		for pb.Next() {
			it.Begin(r, 0)
			it.Next(epoch)
			it.Responds(200)
			it.Works(200, epoch)
			it.End(epoch)
		}
	})
}
