package relay

import (
	"errors"
	"testing"
	"time"

	"weir/client"
	"weir/http1"
)

// G5.
func TestStatusOf(t *testing.T) {
	for err, want := range map[error]int{
		errConnect: 504, errFirstEvent: 504, errIdle: 504, errTotal: 504,
		errWhole: 504, errNoDone: 502, errFirst: 502, errStatus: 502,
		client.ErrConnect: 502, client.ErrNoResponse: 502, client.ErrTruncated: 502,
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
		&client.Error{Kind: client.ErrConnect, Cause: secret}:    unreachable,
		&client.Error{Kind: client.ErrNoResponse, Cause: secret}: closed,
		&client.Error{Kind: client.ErrTruncated, Cause: secret}:  closed,
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
