package target

import "sync/atomic"

// turns gives candidates their turns in proportion to their weights, and each
// one's evenly apart: weights 5, 1, 1 make a a a b c a a, not a a a a a b c.
//
// Each candidate has the virtual time at which it is due next; the first one
// due is taken and is due again a stride later, the longer the less its weight.
// The first time comes after half a stride (Sainte-Laguë's rule), so that not
// all begin at once. Virtual time itself is when the last one taken was due; a
// candidate that was not available meanwhile does not make up for it.
//
// Times are compared by their difference, so that they may overflow.
type turns struct {
	now atomic.Uint64
	due []atomic.Uint64 // 0 = has not had a turn
}

// stride is the time between two turns of a candidate of weight 1.
const stride = 1 << 24

func newTurns(n int) turns { return turns{due: make([]atomic.Uint64, n)} }

// take picks among the free candidates; if like is not nil, among those with
// the same load for their weight. It tries again if another goroutine took the
// same turn.
func (t *turns) take(c []Candidate, like *Candidate) int {
	for {
		now := t.now.Load()
		first, seen, when := -1, uint64(0), uint64(0)
		for i := range c {
			if !c[i].free() || like != nil && less(like, &c[i]) {
				continue
			}
			due := t.dueAt(i, now, c[i].weight())
			at := due
			if int64(due-now) < 0 { // it was not available
				at = now
			}
			if first < 0 || int64(at-when) < 0 {
				first, seen, when = i, due, at
			}
		}
		if first < 0 {
			return -1
		}
		if t.due[first].CompareAndSwap(seen, when+uint64(stride/c[first].weight())) {
			t.advance(now, when)
			return first
		}
	}
}

// dueAt is when candidate i is due, noted now if this is its first time.
func (t *turns) dueAt(i int, now uint64, weight int) uint64 {
	if due := t.due[i].Load(); due != 0 {
		return due
	}
	t.due[i].CompareAndSwap(0, now+uint64(stride/2/weight)) // if it fails, another goroutine has noted it
	return t.due[i].Load()
}

// advance moves the current time to at, unless another goroutine has moved it
// further.
func (t *turns) advance(now, at uint64) {
	for int64(at-now) > 0 && !t.now.CompareAndSwap(now, at) {
		now = t.now.Load()
	}
}

type roundRobin struct{ turns }

func (p *roundRobin) Pick(c []Candidate, _ Key) int { return p.take(c, nil) }

type leastOutstanding struct{ turns }

func (p *leastOutstanding) Pick(c []Candidate, _ Key) int {
	least := -1
	for i := range c {
		if c[i].free() && (least < 0 || less(&c[i], &c[least])) {
			least = i
		}
	}
	if least < 0 {
		return -1
	}
	return p.take(c, &c[least])
}
