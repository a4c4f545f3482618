//go:build !race

package babble

import "testing"

// A token costs no allocation, with or without stop sequences.
func TestNextAllocatesNothing(t *testing.T) {
	m := guide()
	for _, stop := range [][]string{nil, {"never said", "nor this"}} {
		for _, temperature := range []float64{0, 0.7, 1} {
			s := m.Start(Options{IgnoreEnd: true, MaxTokens: 1 << 60, Temperature: &temperature, Stop: stop})
			for range 2000 { // the stop filter's buffers grow to their size
				s.Next()
			}
			if got := testing.AllocsPerRun(1000, func() { s.Next() }); got != 0 {
				t.Errorf("stop %q, temperature %v: got %v allocations, want 0", stop, temperature, got)
			}
		}
	}
}
