package middleware

import (
	"math"
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
	ok    bool
	left  int64         // requests that would pass now
	retry time.Duration // if it is refused: until one will pass
	whole time.Duration // until there is nothing to forget
}

// rule is a way to count. Its methods are decisions: now is the time.
type rule interface {
	take(s *state, now int64) verdict
	whole(s *state, now int64) bool // there is nothing to forget
}

// bucket is a token bucket, as the generic cell rate algorithm: at is the time
// at which the bucket will be full again.
type bucket struct{ every, burst int64 }

func (b bucket) take(s *state, now int64) verdict {
	full := max(s.at, now) + b.every
	if wait := full - b.every*b.burst - now; wait > 0 {
		return verdict{left: 0, retry: time.Duration(wait), whole: time.Duration(s.at - now)}
	}
	s.at = full
	return verdict{ok: true, left: b.burst - (full-now+b.every-1)/b.every, whole: time.Duration(full - now)}
}

func (b bucket) whole(s *state, now int64) bool { return s.at <= now }

// fixed has windows that begin at.
type fixed struct{ per, limit int64 }

func (f fixed) take(s *state, now int64) verdict {
	if s.now == 0 || now-s.at >= f.per {
		*s = state{at: now}
	}
	rest := time.Duration(s.at + f.per - now)
	if int64(s.now) >= f.limit {
		return verdict{retry: rest, whole: rest}
	}
	s.now++
	return verdict{ok: true, left: f.limit - int64(s.now), whole: rest}
}

func (f fixed) whole(s *state, now int64) bool { return s.now == 0 || now-s.at >= f.per }

// sliding has windows that begin at, in a row: before is what the last one had.
type sliding struct{ per, limit int64 }

func (w sliding) take(s *state, now int64) verdict {
	w.turn(s, now)
	past := now - s.at
	used := w.used(s, past)
	end := time.Duration(2*w.per - past) // of the next window, when all is forgotten
	if used+1 > float64(w.limit) {
		return verdict{retry: w.retry(s, past), whole: end}
	}
	s.now++
	return verdict{ok: true, left: max(0, w.limit-int64(math.Ceil(used))-1), whole: end}
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

// used is how many requests the last span of per has had, past after the
// window's beginning.
func (w sliding) used(s *state, past int64) float64 {
	return float64(s.before)*float64(w.per-past)/float64(w.per) + float64(s.now)
}

// retry is how long it takes until one more passes.
func (w sliding) retry(s *state, past int64) time.Duration {
	if room := float64(w.limit - 1 - int64(s.now)); room >= 0 && s.before > 0 { // in this window
		return time.Duration(w.per-int64(float64(w.per)*room/float64(s.before))-past) + 1
	}
	next := w.per - int64(float64(w.per)*float64(w.limit-1)/float64(s.now)) // of the next one
	return time.Duration(w.per-past+max(0, next)) + 1
}

func (w sliding) whole(s *state, now int64) bool {
	return s.now == 0 && s.before == 0 || now-s.at >= 2*w.per
}
