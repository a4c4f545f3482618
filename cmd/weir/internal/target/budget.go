package target

import (
	"math"
	"sync/atomic"
	"time"
)

// budgetWindow is the time over which retries and requests are compared.
const budgetWindow = 10 * time.Second

// Budget bounds the retries of all requests together, so that upstreams that
// refuse all requests do not get several times as many. Within ten seconds
// there are no more retries than a share of the requests, or than a floor if
// that is more. It is safe for concurrent use. A nil Budget is without bound,
// the zero value allows no retry.
type Budget struct {
	share    atomic.Uint64 // bits of a float64
	floor    atomic.Int64
	counts   window // requests are good, retries poor
	withheld atomic.Uint64
}

// Set sets the bounds. Counts are kept.
func (b *Budget) Set(share float64, floor int) {
	b.share.Store(math.Float64bits(share))
	b.floor.Store(int64(floor))
}

// Withheld returns how many retries the budget did not allow.
func (b *Budget) Withheld() uint64 { return b.withheld.Load() }

// request counts a request, which may be retried.
func (b *Budget) request(now time.Time) {
	if b != nil {
		b.counts.at(turn(now, budgetWindow)).good.Add(1)
	}
}

// remaining returns how many retries remain.
func (b *Budget) remaining(turn int64) int64 {
	requests, retries := b.counts.sum(turn)
	share := math.Float64frombits(b.share.Load()) * float64(requests)
	return max(b.floor.Load(), int64(share)) - retries
}

// spare reports whether a retry would be allowed.
func (b *Budget) spare(now time.Time) bool {
	return b == nil || b.remaining(turn(now, budgetWindow)) > 0
}

// take uses up a retry, if one remains.
func (b *Budget) take(now time.Time) bool {
	if b == nil {
		return true
	}
	at := turn(now, budgetWindow)
	b.counts.at(at).poor.Add(1)
	if b.remaining(at) >= 0 {
		return true
	}
	b.counts.at(at).poor.Add(-1)
	return false
}

// none reports whether there are no retries at all, by configuration.
func (b *Budget) none() bool { return b != nil && b.share.Load() == 0 && b.floor.Load() == 0 }

// withhold notes that a request was not retried because of the budget.
func (b *Budget) withhold() {
	if b != nil {
		b.withheld.Add(1)
	}
}
