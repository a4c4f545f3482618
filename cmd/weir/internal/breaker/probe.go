package breaker

import "sync/atomic"

// Probe decides from the outcomes of health probes whether an upstream is up.
// It is until probes say otherwise, so that a gateway can serve before its
// first probes are back. One goroutine tells it the outcomes; any may ask. Make
// one with [NewProbe].
type Probe struct {
	healthy, unhealthy int
	run                int // outcomes in a row that speak against the state
	down               atomic.Bool
}

// NewProbe returns the decision for an upstream that so many successes in a row
// bring up and so many failures take down. Less than 1 counts as 1.
func NewProbe(healthy, unhealthy int) *Probe {
	return &Probe{healthy: max(healthy, 1), unhealthy: max(unhealthy, 1)}
}

// Healthy reports whether the upstream is up.
func (p *Probe) Healthy() bool { return !p.down.Load() }

// Observe takes the next outcome and reports whether the upstream went up or
// down by it.
func (p *Probe) Observe(ok bool) (changed bool) {
	down := p.down.Load()
	if ok != down { // as it is
		p.run = 0
		return false
	}
	need := p.unhealthy
	if down {
		need = p.healthy
	}
	if p.run++; p.run < need {
		return false
	}
	p.run = 0
	p.down.Store(!down)
	return true
}
