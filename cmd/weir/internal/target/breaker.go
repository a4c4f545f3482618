package target

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// State is the state of a breaker.
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

// BreakerConfig is when a breaker opens, and for how long.
type BreakerConfig struct {
	Share  float64       // of failures among the responses within Window that opens it; 0 = it never opens
	Volume int           // responses and failures within Window below which the share is ignored
	Window time.Duration // how long they count
	Open   time.Duration // from opening to the trial
}

// row is how many failures in a row, without a response in between, open a
// breaker however long they took: until then it is doubtful whether the
// upstream is dead.
const row = 3

// Breaker keeps requests from an upstream that fails.
//
//	closed ─── a share of failures within the window, or ───▶ open
//	           a few signs of death in a row
//	open ───── the open time has passed ────────────────────▶ half-open: one request, on trial
//	half-open ─ the trial's response ───────────────────────▶ closed
//	half-open ─ the trial's failure ────────────────────────▶ open
//
// A breaker that failing responses have opened is lenient: the upstream is
// alive, and a request without another target still passes. One that signs of
// death have opened is not.
//
// It is safe for concurrent use; while it is closed a response takes no lock.
// The zero value is closed and never opens.
type Breaker struct {
	word  atomic.Uint64 // state, whether it is lenient, and the generation, for readers
	width atomic.Int64  // the window's length; 0 = it never opens
	row   atomic.Int32  // signs of death since the last response
	seen  window        // responses and failures

	mu     sync.Mutex
	cfg    BreakerConfig
	until  time.Time // end of the open time
	trial  bool      // it is half-open and its one request is running
	reason string    // why it opened
	since  time.Time // when it last left the state closed
}

// Set sets the limits. Counts and the state are kept, except that a breaker
// which is turned off closes.
func (b *Breaker) Set(cfg BreakerConfig) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cfg = cfg
	if cfg.Share <= 0 {
		cfg.Window = 0
		if s, _ := unpack(b.word.Load()); s != Closed {
			b.enter(Closed, false)
		}
	}
	b.width.Store(int64(cfg.Window))
}

const (
	lenientBit      = 1 << 2
	generationShift = 3
)

func unpack(word uint64) (s State, generation uint64) {
	return State(word & 3), word >> generationShift
}

// enter begins a new generation: the outcome of a request of an earlier one no
// longer counts. b.mu is held.
func (b *Breaker) enter(s State, lenient bool) {
	_, generation := unpack(b.word.Load())
	b.trial = false
	b.row.Store(0)
	if s == Closed {
		b.seen.clear()
		b.reason, b.since = "", time.Time{}
	}
	word := (generation+1)<<generationShift | uint64(s)
	if lenient {
		word |= lenientBit
	}
	b.word.Store(word)
}

// lenient reports whether a request passes for which there is no other target.
func (b *Breaker) lenient() bool { return b.word.Load()&lenientBit != 0 }

// ready reports whether allow would let a request pass now. It changes nothing,
// so that every target can be checked before one is chosen.
func (b *Breaker) ready(now time.Time) bool {
	if s, _ := unpack(b.word.Load()); s == Closed {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.passes(now)
}

// passes is ready with b.mu held.
func (b *Breaker) passes(now time.Time) bool {
	switch s, _ := unpack(b.word.Load()); s {
	case Closed:
		return true
	case Open:
		return !now.Before(b.until)
	}
	return !b.trial
}

// allow reports whether a request may be sent; last means that there is no
// other target for it. If ok, its outcome must be reported with the generation,
// once: by works, fails or cancel. trial reports whether the request is the
// trial.
func (b *Breaker) allow(now time.Time, last bool) (generation uint64, trial, ok bool) {
	if s, generation := unpack(b.word.Load()); s == Closed {
		return generation, false, true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s, generation := unpack(b.word.Load())
	switch {
	case s == Closed: // since the lock was taken
		return generation, false, true
	case !b.passes(now):
		return generation, false, last && b.lenient()
	case s == Open:
		b.enter(HalfOpen, b.lenient())
	}
	b.trial = true
	_, generation = unpack(b.word.Load())
	return generation, true, true
}

// works reports a response. Only a good one counts for the share, but each
// shows that the upstream is alive. It returns how the state has changed.
func (b *Breaker) works(generation uint64, counts bool, now time.Time) (c Change) {
	width := time.Duration(b.width.Load())
	if width == 0 {
		return c
	}
	if s, current := unpack(b.word.Load()); s == Closed {
		if current == generation {
			b.alive()
			if counts {
				b.seen.at(turn(now, width)).good.Add(1)
			}
		}
		return c
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch s, current := unpack(b.word.Load()); {
	case current != generation:
		return c
	case s != HalfOpen || !b.trial:
		b.alive()
		return c
	}
	c = Change{Breaker: true, State: Closed, For: now.Sub(b.since), Reason: "the upstream responds again"}
	b.enter(Closed, false)
	return c
}

// alive notes a sign of life.
func (b *Breaker) alive() {
	if b.row.Load() != 0 {
		b.row.Store(0)
	}
}

// fails reports a failure, or a response that is one, and why. It returns how
// the state has changed.
func (b *Breaker) fails(generation uint64, r Reason, now time.Time) (c Change) {
	v := &verdicts[r]
	width := time.Duration(b.width.Load())
	if width == 0 || v.weight == none {
		return c
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s, current := unpack(b.word.Load())
	if current != generation {
		return c
	}
	if v.weight == strong {
		b.row.Add(1)
	} else if v.alive {
		b.row.Store(0)
	}
	dead := int(b.row.Load()) >= min(row, max(1, b.cfg.Volume))
	switch {
	case s == HalfOpen && b.trial:
		return b.open(v.weight == weak, fmt.Sprintf("the trial failed: %v", r), now)
	case dead && (s == Closed || b.lenient()):
		return b.open(false, fmt.Sprintf("%d failures in a row and no response, the last one: %v", b.row.Load(), r), now)
	case s != Closed:
		return c
	}
	at := turn(now, width)
	b.seen.at(at).poor.Add(1)
	good, poor := b.seen.sum(at)
	if all := good + poor; all < int64(b.cfg.Volume) || float64(poor) < b.cfg.Share*float64(all) {
		return c
	}
	return b.open(true, fmt.Sprintf("%d of %d requests failed within %v, the last one: %v", poor, good+poor, width, r), now)
}

// open opens the breaker. b.mu is held.
func (b *Breaker) open(lenient bool, reason string, now time.Time) Change {
	if b.since.IsZero() {
		b.since = now
	}
	b.enter(Open, lenient)
	b.until, b.reason = now.Add(b.cfg.Open), reason
	return Change{Breaker: true, State: Open, Reason: reason, For: b.cfg.Open}
}

// cancel reports that the outcome of the request is unknown. If it was the
// trial, the next request becomes it.
func (b *Breaker) cancel(generation uint64, trial bool) {
	if !trial {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if s, current := unpack(b.word.Load()); s == HalfOpen && current == generation {
		b.trial = false
	}
}

// look returns the state, why the breaker is not closed, and how long it is
// until a request may pass. A breaker whose open time has passed is half-open,
// whether or not there was a request since. While a trial is under way the time
// is not known, and it is the open time.
func (b *Breaker) look(now time.Time) (s State, reason string, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, _ = unpack(b.word.Load())
	switch {
	case s == Open && now.Before(b.until):
		wait = b.until.Sub(now)
	case s == Open:
		s = HalfOpen
	case s == HalfOpen && b.trial:
		wait = b.cfg.Open
	}
	return s, b.reason, wait
}
