package reactor_test

import (
	"strings"
	"testing"
	"time"

	"weir/internal/invariant"
	"weir/reactor"
)

// Only a turn that took long is reported as slow: not the one in which a loop
// starts.
func TestSlowTurn(t *testing.T) {
	if !invariant.Enabled {
		t.Skip("turns are timed in builds with -tags invariants")
	}
	onMemory(t, func(w *world) {
		w.start(reactor.Config{Loops: 2})
		w.do(func() {})
		w.settle()
		if got := w.log.String(); got != "" {
			w.Errorf("got %q logged, want nothing", got)
		}
		w.do(func() { time.Sleep(2 * time.Millisecond) }) // of the bubble's clock
		w.settle()
		if got := w.log.String(); !strings.Contains(got, "held loop 0 for 2ms") {
			w.Errorf("got %q logged, want a turn of 2ms", got)
		}
	})
}
