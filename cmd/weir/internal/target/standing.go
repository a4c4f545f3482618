package target

import (
	"sync/atomic"
	"time"
)

// Config is the limits of an upstream, as far as decisions need them.
type Config struct {
	Breaker            BreakerConfig
	Probed             bool // there are health probes
	Healthy, Unhealthy int  // probes in a row that bring it up, and take it down
}

// Change is a change of an upstream's standing. The zero value is none.
type Change struct {
	Breaker bool          // it is the breaker that has changed, to State
	State   State         //
	Probe   bool          // it is the health that has changed: the upstream is Up or not
	Name    bool          // it is the look-up of its name: it has addresses, and is Up, or not
	Up      bool          //
	Reason  string        // why
	For     time.Duration // how long it will be skipped; of an upstream that is back, how long it was down
}

// A Standing is what is known of an upstream from its requests and its probes,
// and how many requests it has now. It belongs to the upstream's name and URL:
// it outlives reloads, which only set its limits. It is safe for concurrent
// use. Make one with [NewStanding].
type Standing struct {
	Breaker Breaker
	Probe   Probe
	Name    Name
	changed func(Change)

	_        [64]byte // what follows is written by every request
	running  atomic.Int64
	requests [6]atomic.Uint64 // responses by the first digit of their status
	failures [reasons]atomic.Uint64
}

// NewStanding returns the standing of an upstream of which nothing is known
// yet. changed, if not nil, is called after each change on the goroutine that
// caused it, which may be an event loop; it must not block.
func NewStanding(cfg Config, changed func(Change)) *Standing {
	s := &Standing{changed: changed}
	s.Set(cfg)
	return s
}

// Set sets the limits. What is known is kept.
func (s *Standing) Set(cfg Config) {
	s.Breaker.Set(cfg.Breaker)
	s.Probe.set(cfg.Probed, cfg.Healthy, cfg.Unhealthy)
}

// Observe adds the outcome of a health probe: how it failed, "" if it did not.
func (s *Standing) Observe(failure string, now time.Time) {
	s.report(s.Probe.observe(failure, now))
}

func (s *Standing) report(c Change) {
	if (c.Breaker || c.Probe || c.Name) && s.changed != nil {
		s.changed(c)
	}
}

// Running returns how many requests the upstream has now.
func (s *Standing) Running() int { return int(s.running.Load()) }

// Available reports whether the upstream is healthy enough for a request: it
// has an address, its probes do not fail, and its breaker lets a request pass
// (G20).
func (s *Standing) Available(now time.Time) bool {
	return !s.Name.lost.Load() && !s.Probe.down.Load() && s.Breaker.ready(now)
}

// pass is the permission for one request: a place at the upstream, and the
// state in which its breaker gave it.
type pass struct {
	of         *Standing
	generation uint64
	trial      bool
}

// enter takes a place at the upstream, if one is free and the breaker allows
// it; last means that there is no other target.
func (s *Standing) enter(limit int, last bool, now time.Time) (p pass, why Why) {
	if !s.place(limit) {
		return p, Full
	}
	generation, trial, ok := s.Breaker.allow(now, last)
	if !ok {
		s.running.Add(-1)
		return p, Broken
	}
	return pass{s, generation, trial}, Granted
}

// place counts a request, if the upstream has fewer than limit. The count is
// never beyond it, not even for a moment in which another request would be
// refused.
func (s *Standing) place(limit int) bool {
	if limit <= 0 {
		s.running.Add(1)
		return true
	}
	for {
		n := s.running.Load()
		if n >= int64(limit) {
			return false
		}
		if s.running.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (p pass) leave() { p.of.running.Add(-1) }

func (p pass) works(counts bool, now time.Time) {
	p.of.report(p.of.Breaker.works(p.generation, counts, now))
}

func (p pass) fails(r Reason, now time.Time) {
	p.of.report(p.of.Breaker.fails(p.generation, r, now))
}

func (p pass) cancel() { p.of.Breaker.cancel(p.generation, p.trial) }

// acquit is cancel for a failure that does not count against the upstream: it
// is still alive if there was a response.
func (p pass) acquit(r Reason) {
	if verdicts[r].alive {
		p.of.Breaker.alive()
	}
	p.cancel()
}

// Snapshot is an upstream's standing at one moment, for metrics and operators.
type Snapshot struct {
	Lost          bool   // its name does not resolve, and no address is known
	LookupFailure string // how the last look-up of its name failed; "" = it succeeded, or there was none
	Up            bool   // by the probes
	ProbeFailure  string // how the last probe failed; "" = it succeeded, or there was none
	Breaker       State
	BreakerReason string        // why the breaker is not closed
	Wait          time.Duration // until the breaker lets a request pass
	Running       int
	Requests      [6]uint64       // responses by the first digit of their status
	Failures      [reasons]uint64 // attempts that failed, by [Reason]
}

// Snapshot reads the figures one after the other.
func (s *Standing) Snapshot(now time.Time) (snap Snapshot) {
	snap.LookupFailure, snap.Lost = s.Name.look()
	snap.Up, snap.ProbeFailure = s.Probe.look()
	snap.Breaker, snap.BreakerReason, snap.Wait = s.Breaker.look(now)
	snap.Running = s.Running()
	for i := range s.requests {
		snap.Requests[i] = s.requests[i].Load()
	}
	for i := range s.failures {
		snap.Failures[i] = s.failures[i].Load()
	}
	return snap
}
