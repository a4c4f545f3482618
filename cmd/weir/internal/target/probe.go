package target

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Probe decides from the outcomes of health probes whether an upstream is up.
// It is up until probes fail, so that a gateway can serve before its first
// probes have ended. It is safe for concurrent use; the zero value is not
// probed, and up.
type Probe struct {
	down atomic.Bool

	mu                 sync.Mutex
	probed             bool
	healthy, unhealthy int    // outcomes in a row that bring it up, and take it down
	run                int    // outcomes in a row that contradict the state
	failure            string // of the last probe; "" = it succeeded
	since              time.Time
}

// set sets the limits; less than 1 counts as 1. An upstream that is no longer
// probed is up.
func (p *Probe) set(probed bool, healthy, unhealthy int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.probed, p.healthy, p.unhealthy = probed, max(healthy, 1), max(unhealthy, 1)
	if !probed {
		p.down.Store(false)
		p.run, p.failure = 0, ""
	}
}

// observe adds the next outcome, the failure or "", and returns how the state
// has changed.
func (p *Probe) observe(failure string, now time.Time) (c Change) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.probed {
		return c // the last probe from before a reload
	}
	down := p.down.Load()
	p.failure = failure
	if (failure != "") == down { // as it is
		p.run = 0
		return c
	}
	need := p.unhealthy
	if down {
		need = p.healthy
	}
	if p.run++; p.run < need {
		return c
	}
	c = Change{Probe: true, Up: down, Reason: failure}
	if down {
		c.Reason, c.For = fmt.Sprintf("%d probes in a row succeeded", p.run), now.Sub(p.since)
	}
	p.run, p.since = 0, now
	p.down.Store(!down)
	return c
}

// look returns whether the upstream is up, and how the last probe failed.
func (p *Probe) look() (up bool, failure string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.down.Load(), p.failure
}
