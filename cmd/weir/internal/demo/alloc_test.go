//go:build !race && !invariants

package demo

import (
	"strconv"
	"strings"
	"testing"

	"weir/cmd/weir/internal/babble"
	"weir/plugin"
)

// mute is a sink that takes everything and keeps nothing.
type mute struct{ plugin.Sink }

func (mute) Cause() error                   { return nil }
func (mute) Done() <-chan struct{}          { return nil }
func (mute) SetHeader(string, string) error { return nil }
func (mute) Send([]byte) error              { return nil }

func limited(tokens int) call {
	return call{body: strings.Replace(endless, "1000000000", strconv.Itoa(tokens), 1) + `true}`}
}

// A streamed token costs no allocation: a long answer has no more than a
// short one, with and without waiting.
func TestTokenAllocatesNothing(t *testing.T) {
	for _, rate := range []float64{0, 200_000} {
		b := small(Pace{Rate: rate})
		model := b.model()
		b.model = func() *babble.Model { return model }
		allocs := func(tokens int) float64 {
			c := limited(tokens)
			return testing.AllocsPerRun(20, func() {
				if err := b.answer(c, mute{}); err != nil {
					t.Fatal(err)
				}
			})
		}
		if short, long := allocs(100), allocs(2100); long > short+20 { // a collection in between empties pools
			t.Errorf("rate %v: got %v allocations for 2100 tokens and %v for 100, want the same", rate, long, short)
		}
	}
}

func BenchmarkToken(b *testing.B) {
	h := babbler{model: shared.model}
	h.pace.Store(new(Pace))
	b.ReportAllocs()
	const tokens = 1000
	for b.Loop() {
		if err := h.answer(limited(tokens), mute{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*tokens), "ns/token")
}
