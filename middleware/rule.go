package middleware

import (
	"math/bits"
	"time"
)

// state is what is known of one client. What the numbers mean is its rule's. The
// zero value is a client that was never seen.
type state struct {
	at          int64 // in nanoseconds since the limiter was made
	now, before int32 // requests
}

// verdict is what becomes of a request.
type verdict struct {
	ok   bool
	left int64         // requests that would pass now
	next time.Duration // until one more than left would
}

// rule is a way to count. Its methods are decisions: now is the time, which may
// be a little before that of the last call, by another goroutine.
type rule interface {
	take(s *state, now int64) verdict
	whole(s *state, now int64) bool // there is nothing to forget
}

// bucket is a token bucket, as the generic cell rate algorithm: at is the time
// at which the bucket will be full again.
type bucket struct{ every, burst int64 }

func (b bucket) take(s *state, now int64) verdict {
	owed := max(0, s.at-now)
	ok := owed <= b.every*(b.burst-1)
	if ok {
		owed += b.every
		s.at = now + owed
	}
	used := min(b.burst, (owed+b.every-1)/b.every)
	return verdict{ok, b.burst - used, time.Duration(owed - b.every*(used-1))}
}

func (b bucket) whole(s *state, now int64) bool { return s.at <= now }

// fixed has windows that begin at.
type fixed struct{ per, limit int64 }

func (f fixed) take(s *state, now int64) verdict {
	if f.whole(s, now) {
		*s = state{at: now}
	}
	ok := int64(s.now) < f.limit
	if ok {
		s.now++
	}
	return verdict{ok, f.limit - int64(s.now), time.Duration(s.at + f.per - now)}
}

func (f fixed) whole(s *state, now int64) bool { return s.now == 0 || now-s.at >= f.per }

// sliding has windows that begin at, in a row. Those of the one before count in
// proportion to what of it is in the last span of per.
type sliding struct{ per, limit int64 }

func (w sliding) take(s *state, now int64) verdict {
	w.turn(s, now)
	past := max(0, now-s.at)
	left := w.left(s, past)
	ok := left > 0
	if ok {
		s.now++
		left--
	}
	return verdict{ok, left, time.Duration(w.until(s, left+1) - past)}
}

// turn begins the window that now is in.
func (w sliding) turn(s *state, now int64) {
	switch windows := (now - s.at) / w.per; {
	case s.now == 0 && s.before == 0, windows > 1:
		*s = state{at: now}
	case windows == 1:
		*s = state{at: s.at + w.per, before: s.now}
	}
}

// left is how many requests would pass, past after the window's beginning.
func (w sliding) left(s *state, past int64) int64 {
	faded := mulDiv(int64(s.before), past, w.per)
	return max(0, w.limit-int64(s.now)-int64(s.before)+faded)
}

// until is when n would pass, from the window's beginning on, if they do not now.
func (w sliding) until(s *state, n int64) int64 {
	if room := w.limit - int64(s.now) - n; room >= 0 { // in this window
		return w.per - mulDiv(w.per, room, int64(s.before))
	}
	return 2*w.per - mulDiv(w.per, w.limit-n, int64(s.now)) // in the next one
}

func (w sliding) whole(s *state, now int64) bool {
	return s.now == 0 && s.before == 0 || now-s.at >= 2*w.per
}

// mulDiv returns a*b/c, rounded down, for numbers of which none is negative and
// one of a and b is at most c.
func mulDiv(a, b, c int64) int64 {
	high, low := bits.Mul64(uint64(a), uint64(b))
	q, _ := bits.Div64(high, low, uint64(c))
	return int64(q)
}
