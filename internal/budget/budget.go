// Package budget bounds the bytes that many requests keep together.
package budget

import (
	"sync/atomic"

	"weir/internal/memlimit"
)

// A Budget is a bound on bytes. What is counted is memory, not length: a slice
// by its capacity. Each that takes from it is the only one to give back. It is
// safe for concurrent use.
type Budget struct {
	limit int64
	_     [64]byte // what follows changes all the time
	used  atomic.Int64
	_     [64]byte
}

// least is what may be kept even in a process that has hardly any memory left.
const least = 4 << 20

// New returns a budget of limit bytes: 0 is a quarter of the memory that the
// process may use, negative is without limit.
func New(limit int64) *Budget {
	switch {
	case limit == 0:
		limit = max(least, memlimit.Bytes()/4)
	case limit < 0:
		limit = 1<<63 - 1
	}
	return &Budget{limit: limit}
}

// Limit is what Used can be at most, but for what is owed.
func (b *Budget) Limit() int64 { return b.limit }

// Used is what has been taken and not given back.
func (b *Budget) Used() int64 { return b.used.Load() }

// Take counts n bytes in. It reports false, and counts nothing, if they are too
// many.
func (b *Budget) Take(n int64) bool {
	if b.used.Add(n) <= b.limit {
		return true
	}
	b.used.Add(-n)
	return false
}

// Owe counts n bytes in that are there already, however many there are.
func (b *Budget) Owe(n int64) { b.used.Add(n) }

// Give counts n bytes out.
func (b *Budget) Give(n int64) {
	if n > 0 {
		b.used.Add(-n)
	}
}

// Fits reports whether n bytes could be taken now.
func (b *Budget) Fits(n int64) bool { return n <= b.limit-b.used.Load() }

// Grow returns p with room for n more bytes, and takes what its capacity grows
// by. It reports false if that is too much. most is the length that p may
// reach; negative = not known.
func (b *Budget) Grow(p []byte, n int, most int64) ([]byte, bool) {
	need := len(p) + n
	if need <= cap(p) {
		return p, true
	}
	size := max(need, 2*cap(p))
	if most >= 0 {
		size = max(need, int(min(int64(size), most)))
	}
	if !b.Take(int64(size - cap(p))) {
		return p, false
	}
	return append(make([]byte, 0, size), p...), true
}
