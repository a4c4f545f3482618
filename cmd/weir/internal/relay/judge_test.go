package relay

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"weir/client"
	"weir/cmd/weir/internal/balance"
	"weir/cmd/weir/internal/breaker"
	"weir/cmd/weir/internal/upstream"
	"weir/http1"
)

// model makes a model with a target for each letter, in turn.
func model(t *testing.T, targets string, retries int, fallback ...*Model) *Model {
	t.Helper()
	m := &Model{Name: targets, Retries: retries, Fallback: fallback, Policy: inOrder{}}
	for _, name := range strings.Split(targets, "") {
		u, err := upstream.New(context.Background(), upstream.Config{
			Name: name, URL: "http://127.0.0.1:1",
			Breaker: breaker.New(breaker.Config{Failures: 2, Window: time.Minute, Open: time.Minute}),
		}, 1)
		if err != nil {
			t.Fatal(err)
		}
		m.Targets = append(m.Targets, Target{Upstream: u, ID: balance.ID(name, "")})
	}
	return m
}

// inOrder picks the first that is healthy.
type inOrder struct{}

func (inOrder) Pick(c []balance.Candidate, _ balance.Key) int {
	for i := range c {
		if c[i].Healthy {
			return i
		}
	}
	return -1
}

// visits follows the itinerary to its end.
func visits(it *itinerary) (names string) {
	for now := time.Now(); ; {
		more := it.more(now)
		target := it.choose(now)
		if more != (target != nil) {
			return names + "?" // more did not foresee it
		}
		if target == nil {
			return names
		}
		names += target.Upstream.Name
	}
}

// G6, and the order of targets and fallbacks.
func TestItinerary(t *testing.T) {
	d := model(t, "d", 0)
	e := model(t, "e", 0, d)
	loop := model(t, "l", 9)
	loop.Fallback = []*Model{loop, d}
	for _, tt := range []struct {
		name  string
		model *Model
		want  string
	}{
		{"each once", model(t, "abc", 9), "abc"},
		{"no further than retries", model(t, "abc", 1), "ab"},
		{"no retries", model(t, "abc", 0, d), "a"},
		{"then the fallback", model(t, "ab", 9, d), "abd"},
		{"a fallback's fallback after the next one", model(t, "a", 9, e, model(t, "f", 0)), "aefd"},
		{"no model twice", loop, "ld"},
	} {
		it := plan(tt.model, 0)
		if got := visits(&it); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// G6: only who asked for it is tried again.
func TestItineraryAgain(t *testing.T) {
	it := plan(model(t, "ab", 9), 0)
	now := time.Now()
	_ = it.choose(now)
	last := it.choose(now)
	it.again()
	if got := visits(&it); got != last.Upstream.Name {
		t.Errorf("got %s, want %s", got, last.Upstream.Name)
	}
}

// G20: who is known to be broken is left out.
func TestItineraryBroken(t *testing.T) {
	m := model(t, "ab", 9)
	now := time.Now()
	m.Targets[0].Upstream.Breaker = breaker.New(breaker.Config{Failures: 1, Window: time.Hour, Open: time.Hour})
	pass, _ := m.Targets[0].Upstream.Breaker.Allow(now)
	m.Targets[0].Upstream.Breaker.Failure(pass, now)
	it := plan(m, 0)
	if got := visits(&it); got != "b" {
		t.Errorf("got %s, want b", got)
	}
}

// G5.
func TestStatusOf(t *testing.T) {
	for err, want := range map[error]int{
		errConnect: 504, errFirstEvent: 504, errIdle: 504, errTotal: 504,
		errNoDone: 502, errLongEvent: 502, errFirst: 502, errStatus: 502,
		client.ErrConnect: 502, client.ErrNoAnswer: 502, client.ErrTruncated: 502,
		errors.New("other"): 502,
		&client.Error{Kind: client.ErrConnect, Cause: errors.New("x")}: 502,
	} {
		if got := statusOf(err); got != want {
			t.Errorf("%v: got %d, want %d", err, got, want)
		}
	}
}

// What the system says is for the log, not for the client.
func TestMessageOf(t *testing.T) {
	secret := errors.New("dial tcp 10.1.2.3:80: secret")
	for err, want := range map[error]string{
		&client.Error{Kind: client.ErrConnect, Cause: secret}:   unreachable,
		&client.Error{Kind: client.ErrNoAnswer, Cause: secret}:  closed,
		&client.Error{Kind: client.ErrTruncated, Cause: secret}: closed,
		secret:  notHTTP,
		errIdle: silent,
	} {
		if got := messageOf(err); got != want {
			t.Errorf("%v: got %q, want %q", err, got, want)
		}
	}
}

// G6.
func TestRetryAfter(t *testing.T) {
	for fields, want := range map[string]time.Duration{
		"":                      0,
		"Retry-After: 0\r\n":    0,
		"Retry-After: 2\r\n":    2 * time.Second,
		"retry-after: -2\r\n":   0,
		"Retry-After: soon\r\n": 0,
		"Retry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n": 0,
		"Retry-After-Ms: 20\r\n":                         20 * time.Millisecond,
		"Retry-After-Ms: 1.5\r\n":                        1500 * time.Microsecond,
		"Retry-After: 3\r\nRetry-After-Ms: 20\r\n":       20 * time.Millisecond,
		"Retry-After: 3\r\nRetry-After-Ms: NaN\r\n":      3 * time.Second,
		"Retry-After: 3\r\nRetry-After-Ms: -1\r\n":       3 * time.Second,
		"Retry-After: 3\r\nRetry-After-Ms: 1e300\r\n":    3 * time.Second,
		"Retry-After: 99999999999999999999\r\n":          0,
	} {
		var h http1.Response
		if n, err := h.Parse([]byte("HTTP/1.1 429 No\r\n"+fields+"\r\n"), &http1.Limits{}); n == 0 || err != nil {
			t.Fatal(n, err)
		}
		if got := retryAfter(&h); got != want {
			t.Errorf("%q: got %v, want %v", fields, got, want)
		}
	}
}

// Deadlines are told in their order of meaning, each once.
func TestClockPassed(t *testing.T) {
	now := time.Now()
	c := clock{base: now.Add(-time.Minute)}
	c.due[limitTotal], c.due[limitStep], c.due[limitAlive] = time.Minute, time.Minute-1, time.Minute+1
	for _, want := range []limit{limitStep, limitTotal} {
		if which, ok := c.passed(now); !ok || which != want {
			t.Errorf("got %v, %v; want %v", which, ok, want)
		}
	}
	if which, ok := c.passed(now); ok {
		t.Errorf("got %v, want none", which)
	}
	c.clear(limitAlive)
	if which, ok := c.passed(now.Add(time.Hour)); ok {
		t.Errorf("got %v after clear, want none", which)
	}
}
