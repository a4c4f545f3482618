package middleware

import (
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	"weir"
)

// A Kind is how a [RateLimit] counts.
type Kind uint8

const (
	// TokenBucket lets Burst requests pass at once, and refills evenly: after
	// Per there is room for Limit more. Nobody gets more than Burst and the
	// even rate, and nobody who has waited is refused.
	TokenBucket Kind = iota
	// SlidingWindow lets about Limit requests pass in any span of Per. Those of
	// the last window count in proportion to what of it is in the span.
	SlidingWindow
	// FixedWindow lets Limit requests pass in each window of Per. A client's
	// first window begins with its first request. Twice Limit may pass within
	// Per, around the end of a window.
	FixedWindow
)

// RateLimit refuses requests of a client that has sent too many, with 429,
// Retry-After and the RateLimit fields of the IETF's draft
// (draft-ietf-httpapi-ratelimit-headers-11). What is refused is not counted.
//
// Several limits are several middlewares: a small one for a second around a
// large one for a day, or another one on the routes that cost most.
type RateLimit struct {
	Limit int           // requests in Per, for each client; required
	Per   time.Duration // a second by default
	Burst int           // of a TokenBucket; Limit by default
	Kind  Kind
	Name  string // of the limit, in its fields; "default" by default

	// Key says which requests are one client's: those of an address by default.
	// It may also be a key of the user's, or a route, or several together.
	Key Key
	// Clients finds the address, if there are proxies in front. Without it all
	// that a proxy passes on is one client.
	Clients *Clients

	// MaxKeys is how many clients are counted at once, each in some 50 bytes:
	// 100,000 by default. A client is forgotten only when its limit is whole
	// again. When there is no place, new clients share a few counters, so that
	// making up addresses or keys resets nothing. Negative is no limit.
	MaxKeys int
	// Quiet leaves the RateLimit fields out of responses that are not refusals.
	Quiet bool
}

// Middleware returns the middleware, which keeps one count however many routes
// it is around. It panics for a configuration that makes no sense.
func (c RateLimit) Middleware() weir.Middleware {
	l := c.limiter()
	return func(next weir.Handler) weir.Handler {
		return weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
			if l.admit(w, r) {
				next.Serve(w, r)
			}
		})
	}
}

// limiter is a RateLimit that counts. It is safe for concurrent use.
type limiter struct {
	name   string // quoted
	policy string // the field's value
	quiet  bool
	key    Key
	byAddr Key
	counts *table
	begin  sync.Once // at the first request, sets
	since  time.Time
}

func (c *RateLimit) limiter() *limiter {
	if c.Per == 0 {
		c.Per = time.Second
	}
	if c.Burst != 0 && c.Kind != TokenBucket {
		panic("middleware: RateLimit: Burst is for a TokenBucket; a window lets Limit pass at once")
	}
	if c.Burst == 0 {
		c.Burst = c.Limit
	}
	if c.Name == "" {
		c.Name = "default"
	}
	if c.MaxKeys == 0 {
		c.MaxKeys = 100_000
	}
	rule := c.rule()
	l := &limiter{name: strconv.Quote(c.Name), quiet: c.Quiet, key: c.Key, byAddr: ByAddr(c.Clients), counts: newTable(rule, c.MaxKeys)}
	if l.key == nil {
		l.key = l.byAddr
	}
	window := c.Per
	if b, ok := rule.(bucket); ok {
		window = time.Duration(b.every * b.burst)
	}
	l.policy = fmt.Sprintf("%s;q=%d;w=%d", l.name, c.Burst, seconds(window))
	return l
}

// rule is how the limit counts. It panics if that makes no sense.
func (c *RateLimit) rule() rule {
	for _, b := range []byte(c.Name) {
		if b < ' ' || b > '~' || b == '"' || b == '\\' {
			panic("middleware: RateLimit: want a Name of visible ASCII without quotes and backslashes")
		}
	}
	switch {
	case c.Limit <= 0 || c.Limit > math.MaxInt32 || c.Burst <= 0 || c.Burst > math.MaxInt32:
		panic("middleware: RateLimit: want a Limit above zero, and a Burst")
	case c.Per < 0 || c.Per > 366*24*time.Hour || c.Per/time.Duration(c.Limit) == 0:
		panic("middleware: RateLimit: want a Per of a year at most, in which Limit requests are less than one in a nanosecond")
	case time.Duration(c.Burst) > math.MaxInt64/8/(c.Per/time.Duration(c.Limit)):
		panic("middleware: RateLimit: Burst takes centuries to refill")
	}
	switch c.Kind {
	case TokenBucket:
		return bucket{every: int64(c.Per) / int64(c.Limit), burst: int64(c.Burst)}
	case SlidingWindow:
		return sliding{per: int64(c.Per), limit: int64(c.Limit)}
	case FixedWindow:
		return fixed{per: int64(c.Per), limit: int64(c.Limit)}
	}
	panic("middleware: RateLimit: unknown Kind")
}

// keys has memory for keys.
var keys = sync.Pool{New: func() any { return new([]byte) }}

// admit counts a request, or refuses it.
func (l *limiter) admit(w *weir.Response, r *weir.Request) bool {
	l.begin.Do(func() { l.since = time.Now() })
	b := keys.Get().(*[]byte)
	*b = l.key((*b)[:0], r)
	if len(*b) == 0 {
		*b = l.byAddr(*b, r)
	}
	v := l.counts.take(*b, int64(time.Since(l.since)))
	keys.Put(b)
	if !v.ok {
		l.announce(w, v)
		wait := strconv.FormatInt(seconds(v.next), 10)
		w.Header().Set("Retry-After", wait)
		w.Error(429, "too many requests; try again in "+wait+" s")
		return false
	}
	if !l.quiet {
		l.announce(w, v)
	}
	return true
}

// announce adds the RateLimit fields to those of other limits: r requests are
// left, and no more are for t seconds. So t of a refusal is its Retry-After.
func (l *limiter) announce(w *weir.Response, v verdict) {
	var store [64]byte
	b := append(append(store[:0], l.name...), ";r="...)
	b = strconv.AppendInt(b, v.left, 10)
	b = strconv.AppendInt(append(b, ";t="...), seconds(v.next), 10)
	w.Header().Add("RateLimit-Policy", l.policy)
	w.Header().Add("RateLimit", string(b))
}

// seconds are whole ones, rounded up.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
