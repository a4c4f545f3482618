package upstream

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// unanswered is a transport whose calls end when their time is over, or later.
type unanswered struct{ late time.Duration }

func (u unanswered) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	time.Sleep(u.late) // of the bubble's clock
	return nil, r.Context().Err()
}

// A probe whose timeout is noticed late says that this process was paused, and
// nothing about the upstream.
func TestProbeDuringPause(t *testing.T) {
	for _, test := range []struct {
		late  time.Duration
		known bool
	}{{0, true}, {100 * time.Millisecond, true}, {5 * time.Second, false}} {
		t.Run(test.late.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := probeOf(t, "http://127.0.0.1:1", func(c *Config) { c.Health.Timeout = 2 * time.Second })
				c := u.probes()
				c.Transport = unanswered{test.late}
				if failure, known := u.ask(context.Background(), c); failure != "no response within 2s" || known != test.known {
					t.Errorf("got %q, known %v, want known %v", failure, known, test.known)
				}
			})
		})
	}
}
