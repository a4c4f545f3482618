package relay

import (
	"errors"
	"strconv"
	"time"

	"weir/client"
	"weir/cmd/weir/internal/balance"
	"weir/http1"
)

// What went wrong with an upstream, beside what package client says.
var (
	errConnect    = errors.New("the upstream could not be connected to in time")
	errFirstEvent = errors.New("the upstream sent no event in time")
	errIdle       = errors.New("the upstream went silent")
	errTotal      = errors.New("the answer took longer than it may")
	errNoDone     = errors.New("the upstream ended the stream before it was finished")
	errLongEvent  = errors.New("the upstream sent a line beyond the limit for events")
	errFirst      = errors.New("the upstream's first event was an error")
	errStatus     = errors.New("the upstream refused the request for now")
	errNoStream   = errors.New("the upstream did not answer with a stream")
)

// statusOf is the status of an answer that failed with err before its first
// event (G5).
func statusOf(err error) int {
	for _, timeout := range []error{errConnect, errFirstEvent, errIdle, errTotal} {
		if errors.Is(err, timeout) {
			return 504
		}
	}
	return 502
}

// messageOf tells the client what went wrong, without telling it where.
func messageOf(err error) string {
	switch {
	case errors.Is(err, client.ErrConnect):
		return "The upstream is not reachable."
	case errors.Is(err, client.ErrNoAnswer), errors.Is(err, client.ErrTruncated):
		return "The upstream closed the connection before its answer was complete."
	case statusOf(err) == 504, errors.Is(err, errNoDone), errors.Is(err, errLongEvent), errors.Is(err, errFirst), errors.Is(err, errStatus), errors.Is(err, errNoStream):
		return "Relaying failed: " + err.Error() + "."
	}
	return "The upstream sent an answer that is not valid HTTP."
}

// retryable are statuses that another target, or the same one later, may not
// have.
func retryable(status int) bool { return status == 429 || status >= 500 }

// retryAfter is how long an upstream asks to be left alone; 0 = it does not say.
func retryAfter(h *http1.Response) time.Duration {
	if ms, err := strconv.ParseFloat(string(h.Get("Retry-After-Ms")), 64); err == nil && ms > 0 && ms < 1e9 {
		return time.Duration(ms * float64(time.Millisecond))
	}
	if s, err := strconv.ParseUint(string(h.Get("Retry-After")), 10, 31); err == nil {
		return time.Duration(s) * time.Second
	}
	return 0
}

// itinerary is which targets a request may still go to. Each is tried once,
// the model's own before those of its fallbacks; none is tried twice unless it
// asked for that by Retry-After.
type itinerary struct {
	model *Model
	next  []*Model // fallbacks that were not reached
	tried uint64   // bits of model.Targets
	last  int      // the one of them that was chosen last
	left  int      // further attempts
	key   balance.Key
	seen  []*Model
	all   []balance.Candidate // where pick describes them
}

func plan(m *Model, key balance.Key) (it itinerary) {
	it.begin(m, key)
	return it
}

func (it *itinerary) begin(m *Model, key balance.Key) {
	*it = itinerary{model: m, next: m.Fallback, left: m.Retries + 1, key: key, seen: append(it.seen[:0], m), all: it.all}
}

// choose returns the next target, nil when there is none. It counts the
// attempt.
func (it *itinerary) choose(now time.Time) *Target {
	if it.left == 0 {
		return nil
	}
	for {
		if i := it.pick(now); i >= 0 {
			it.left--
			it.tried |= 1 << i
			it.last = i
			return &it.model.Targets[i]
		}
		if !it.fallBack() {
			return nil
		}
	}
}

func (it *itinerary) pick(now time.Time) int {
	it.all = it.all[:0]
	for i := range it.model.Targets {
		t := &it.model.Targets[i]
		it.all = append(it.all, balance.Candidate{
			ID: t.ID, Weight: t.Weight, Outstanding: t.Upstream.Running(), Max: t.Upstream.MaxStreams,
			Healthy: it.healthy(i, now),
		})
	}
	return it.model.Policy.Pick(it.all, it.key)
}

// fallBack goes on to the next model that was not visited.
func (it *itinerary) fallBack() bool {
	for len(it.next) > 0 {
		m := it.next[0]
		it.next = it.next[1:]
		visited := false
		for _, s := range it.seen {
			visited = visited || s == m
		}
		if visited {
			continue
		}
		it.seen = append(it.seen, m)
		it.next = append(append([]*Model{}, it.next...), m.Fallback...)
		it.model, it.tried = m, 0
		return true
	}
	return false
}

// more reports whether another target could be tried now. It does not ask the
// policy, for which to be asked is to have chosen.
func (it *itinerary) more(now time.Time) bool {
	ahead := *it
	ahead.seen = append([]*Model{}, it.seen...)
	for it.left > 0 {
		if ahead.open(now) {
			return true
		}
		if !ahead.fallBack() {
			break
		}
	}
	return false
}

// open reports whether the model has a target that may be tried now.
func (it *itinerary) open(now time.Time) bool {
	for i := range it.model.Targets {
		u := it.model.Targets[i].Upstream
		if it.healthy(i, now) && (u.MaxStreams <= 0 || u.Running() < u.MaxStreams) {
			return true
		}
	}
	return false
}

// healthy reports whether a target was not tried yet and is known to work.
func (it *itinerary) healthy(i int, now time.Time) bool {
	return it.tried&(1<<i) == 0 && it.model.Targets[i].Upstream.Available(now)
}

// again allows the target that was tried last once more.
func (it *itinerary) again() { it.tried &^= 1 << it.last }
