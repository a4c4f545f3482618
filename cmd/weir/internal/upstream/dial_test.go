package upstream

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
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
	u, err := New(t.Context(), Config{
		Name: "u", URL: srv.URL, Standing: standing, Health: Health{Path: "/", Interval: time.Millisecond, Timeout: time.Minute},
		Hold: func() (func(), error) {
			if probes.Add(1) < 5 {
				asked <- struct{}{}
				return nil, reactor.ErrDialLimit
			}
			held.Add(1)
			return func() { held.Add(-1) }, nil
		},
	}, 1)
	if err != nil {
		t.Fatal(err)
	}
	u.Probe()
	for range 4 {
		<-asked
	}
	<-served // of the fifth: those before are over
	if !standing.Available(time.Now()) {
		t.Error("the upstream is down, want that nothing is known")
	}
	u.Close()
}

// Connections of net/http are counted as long as they are open, and an attempt beyond that is a local shortage.
func TestDialsOfNetHTTPAreCounted(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer srv.Close()
	var held atomic.Int64
	released := make(chan struct{}, 1)
	tr := newTransport(nil, time.Minute, newDialer(func() (func(), error) {
		if held.Add(1) > 1 {
			held.Add(-1)
			return nil, reactor.ErrDialLimit
		}
		return func() { held.Add(-1); released <- struct{}{} }, nil
	}))
	get := func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, "GET", srv.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := tr.RoundTrip(r)
		if err == nil {
			_, err = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
		return err
	}
	if err := get(t.Context()); err != nil || held.Load() != 1 {
		t.Fatalf("got %v and %d held, want one", err, held.Load())
	}
	tr.CloseIdleConnections()
	<-released
	held.Store(1)
	if err := get(t.Context()); !errors.Is(err, reactor.ErrDialLimit) || !reactor.LocalShortage(err) {
		t.Errorf("got %v, want a local shortage", err)
	}
}

// What an HTTP/2 upstream sends ahead of a client that is behind is bounded: its window is, which net/http fills.
func TestWindowOfHTTP2(t *testing.T) {
	wrote := make(chan int, 1)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Second)) // never fails
		n := 0
		for piece := make([]byte, 32<<10); n < 8<<20; n += len(piece) {
			if _, err := w.Write(piece); err != nil {
				break
			}
		}
		wrote <- n
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	tr := newTransport(roots, time.Minute, newDialer(nil))
	defer tr.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), "GET", srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := tr.RoundTrip(r)
	if err != nil || res.ProtoMajor != 2 {
		t.Fatalf("got %v, %v, want a response over HTTP/2", res, err)
	}
	defer res.Body.Close()
	if n := <-wrote; n == 0 || n > 1<<20 {
		t.Errorf("the upstream could write %d KiB that nobody read, want some, but less than 1 MiB", n>>10)
	}
}
