//go:build !race

package breaker

import (
	"testing"
	"time"
)

func TestNoAllocations(t *testing.T) {
	b := New(Config{Failures: 2, Window: time.Second, Open: time.Second})
	now := epoch
	round := func() { // closed, open, on trial, closed
		for range 3 {
			if p, ok := b.Allow(now); ok {
				b.Failure(p, now)
			}
			b.Ready(now)
		}
		now = now.Add(time.Second)
		p, _ := b.Allow(now)
		b.Cancel(p)
		p, _ = b.Allow(now)
		b.Success(p)
	}
	if got := testing.AllocsPerRun(100, round); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}

// BenchmarkClosed is what each request of a working upstream pays.
func BenchmarkClosed(b *testing.B) {
	br := New(Config{Failures: 5, Window: time.Second, Open: time.Second})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if br.Ready(epoch) {
				p, _ := br.Allow(epoch)
				br.Success(p)
			}
		}
	})
}
