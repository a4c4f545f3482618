package upstream

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"weir/cmd/weir/internal/target"
	"weir/reactor"
)

// A probe for which there is no descriptor says nothing about the upstream.
func TestProbeWithoutDescriptor(t *testing.T) {
	var probes, held atomic.Int64
	served := make(chan struct{}, 100)
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served <- struct{}{} }))
	defer srv.Close()
	asked := make(chan struct{}, 100)
	standing := target.NewStanding(target.Config{Probed: true, Healthy: 1, Unhealthy: 1}, func(c target.Change) { t.Errorf("got %+v, want no change", c) })
	u := New(Config{
		Name: "u", Endpoint: at(t, srv.URL), Standing: standing, Health: Health{Path: "/", Interval: time.Millisecond, Timeout: time.Minute},
		Hold: func() (func(), error) {
			if probes.Add(1) < 5 {
				asked <- struct{}{}
				return nil, reactor.ErrDialLimit
			}
			held.Add(1)
			return func() { held.Add(-1) }, nil
		},
	})
	u.Start()
	for range 4 {
		<-asked
	}
	<-served // of the fifth: those before are over
	if !standing.Available(time.Now()) {
		t.Error("the upstream is down, want that nothing is known")
	}
	u.Close()
}
