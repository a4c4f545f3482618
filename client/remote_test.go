package client_test

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

	"weir/client"
	"weir/reactor"
)

func endpoint(t testing.TB, url string) client.Endpoint {
	t.Helper()
	e, err := client.ParseEndpoint(url)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Connections of net/http are counted as long as they are open, and an attempt beyond that is a local shortage.
func TestDialsOfNetHTTPAreCounted(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer srv.Close()
	var held atomic.Int64
	released := make(chan struct{}, 1)
	o := &client.Origin{Endpoint: endpoint(t, srv.URL), NetHTTP: true, Idle: time.Minute, Hold: func() (func(), error) {
		if held.Add(1) > 1 {
			held.Add(-1)
			return nil, reactor.ErrDialLimit
		}
		return func() { held.Add(-1); released <- struct{}{} }, nil
	}}
	tr := o.Transport()
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
	o := &client.Origin{Endpoint: endpoint(t, srv.URL), NetHTTP: true, Roots: roots, Idle: time.Minute}
	tr := o.Transport()
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
