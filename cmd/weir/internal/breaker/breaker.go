// Package breaker decides whether an upstream may be asked, from what came of
// asking it: the [Breaker] from requests (passive), the [Probe] from health
// probes (active). Both are state machines without I/O and without a clock.
//
//	closed ─── failures in a row, within the window ──▶ open
//	open ───── the open time is over ─────────────────▶ half-open: one request, on trial
//	half-open ─ success ──────────────────────────────▶ closed
//	half-open ─ failure ──────────────────────────────▶ open
//
// A client that leaves is neither a success nor a failure.
package breaker

import (
	"sync"
	"sync/atomic"
	"time"
)

// State is where a breaker is.
type State uint8

// The states.
const (
	Closed   State = iota // all requests pass
	Open                  // none passes
	HalfOpen              // one passes, on trial
)

func (s State) String() string {
	return [...]string{"closed", "open", "half-open"}[s]
}

// Config is when a breaker opens, and for how long.
type Config struct {
	Failures int           // failures in a row that open it; 0 = it never opens
	Window   time.Duration // how old a failure may be to count
	Open     time.Duration // from opening to the trial
}

// Breaker keeps requests from an upstream that fails. Any goroutine may use it;
// while it is closed and nothing fails no lock is taken. Make one with [New].
type Breaker struct {
	cfg Config

	// state and generation in one word, and whether a failure is noted, for
	// those who only look.
	word    atomic.Uint64
	failing atomic.Bool

	mu    sync.Mutex
	times []time.Time // of the last failures in a row, a ring
	count int         // of failures in a row
	until time.Time   // end of the open time
	trial bool        // it is half-open and the one request is under way
}

// Pass is the permission for one request. It belongs to the state in which it
// was given: what comes of a request that began before the breaker opened says
// nothing about the upstream after that, and is ignored. The zero Pass is one of
// no breaker.
type Pass struct{ generation uint64 }

// New returns a closed breaker.
func New(cfg Config) *Breaker {
	b := &Breaker{cfg: cfg, times: make([]time.Time, max(cfg.Failures, 0))}
	b.word.Store(pack(Closed, 1))
	return b
}

func pack(s State, generation uint64) uint64 { return generation<<2 | uint64(s) }

func unpack(word uint64) (State, uint64) { return State(word & 3), word >> 2 }

// enter begins a new generation. b.mu is held.
func (b *Breaker) enter(s State) {
	_, generation := unpack(b.word.Load())
	b.count, b.trial = 0, false
	b.failing.Store(false)
	b.word.Store(pack(s, generation+1))
}

// Ready reports whether Allow would let a request pass now. It changes nothing,
// so one may ask it of every target before one is chosen.
func (b *Breaker) Ready(now time.Time) bool {
	if s, _ := unpack(b.word.Load()); s == Closed {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ready(now)
}

// ready is Ready with b.mu held.
func (b *Breaker) ready(now time.Time) bool {
	switch s, _ := unpack(b.word.Load()); s {
	case Closed:
		return true
	case Open:
		return !now.Before(b.until)
	}
	return !b.trial
}

// Allow asks to send a request. If ok, what comes of it must be told with the
// Pass, once: by Success, Failure or Cancel.
func (b *Breaker) Allow(now time.Time) (p Pass, ok bool) {
	if s, generation := unpack(b.word.Load()); s == Closed {
		return Pass{generation}, true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ready(now) {
		return Pass{}, false
	}
	s, generation := unpack(b.word.Load())
	switch s {
	case Closed: // since the lock was taken
		return Pass{generation}, true
	case Open:
		b.enter(HalfOpen)
	}
	b.trial = true
	_, generation = unpack(b.word.Load())
	return Pass{generation}, true
}

// Success tells that the upstream answered as it should.
func (b *Breaker) Success(p Pass) {
	if word := b.word.Load(); word == pack(Closed, p.generation) && !b.failing.Load() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch s, current := unpack(b.word.Load()); {
	case current != p.generation:
	case s == HalfOpen:
		b.enter(Closed)
	default:
		b.count = 0
		b.failing.Store(false)
	}
}

// Failure tells that it was refused, broken off, late, or answered with an error
// of the upstream's own.
func (b *Breaker) Failure(p Pass, now time.Time) {
	if b.cfg.Failures <= 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch s, current := unpack(b.word.Load()); {
	case current != p.generation:
	case s == HalfOpen || b.tooMany(now):
		b.enter(Open)
		b.until = now.Add(b.cfg.Open)
	}
}

// tooMany notes a failure and reports whether as many as open the breaker are
// within the window.
func (b *Breaker) tooMany(now time.Time) bool {
	b.times[b.count%len(b.times)] = now
	b.count++
	b.failing.Store(true)
	if b.count < len(b.times) {
		return false
	}
	oldest := b.times[b.count%len(b.times)]
	return now.Sub(oldest) <= b.cfg.Window
}

// Cancel tells that the client left first. If the request was the trial, the
// next one is.
func (b *Breaker) Cancel(p Pass) {
	if s, _ := unpack(b.word.Load()); s == Closed {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if s, current := unpack(b.word.Load()); s == HalfOpen && current == p.generation {
		b.trial = false
	}
}

// State is where the breaker is. One whose open time is over is half-open,
// whether or not there was a request since.
func (b *Breaker) State(now time.Time) State {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, _ := unpack(b.word.Load())
	if s == Open && !now.Before(b.until) {
		return HalfOpen
	}
	return s
}

// RetryAfter is how long it is until a request may pass, 0 if one may now. While
// a trial is under way nobody knows, and it is the open time.
func (b *Breaker) RetryAfter(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch s, _ := unpack(b.word.Load()); {
	case b.ready(now):
		return 0
	case s == HalfOpen:
		return b.cfg.Open
	}
	return b.until.Sub(now)
}
