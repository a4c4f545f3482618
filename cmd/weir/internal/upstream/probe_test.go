package upstream

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/client"
	"weir/cmd/weir/internal/target"
	"weir/internal/patience"
)

// probeOf makes an upstream in front of a handler, with the fields and the key
// that requests have.
func probeOf(t *testing.T, url string, change func(*Config)) *Upstream {
	t.Helper()
	cfg := Config{
		Name: "up", Endpoint: at(t, url), Key: "secret", Headers: []Field{{"x-team", "infra"}, {"User-Agent", "weir-test"}},
		Health: Health{Path: "/health?deep=1", Interval: time.Millisecond, Timeout: patience.Limit},
	}
	if change != nil {
		change(&cfg)
	}
	u := New(cfg)
	return u
}

func at(t *testing.T, url string) client.Endpoint {
	t.Helper()
	e, err := client.ParseEndpoint(url)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// once makes one probe and returns how it failed. A machine that stands still
// for a moment looks paused: then the probe is made again.
func (u *Upstream) once() string {
	c := u.probes()
	defer c.CloseIdleConnections()
	for range 100 {
		if failure, known := u.ask(context.Background(), c); known {
			return failure
		}
	}
	return "nothing is known"
}

// A probe carries the upstream's own fields and key, and begins at the host.
func TestProbeIsSigned(t *testing.T) {
	for _, over := range []string{"http", "https", "unix"} {
		t.Run(over, func(t *testing.T) {
			var got *http.Request
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r }))
			var change func(*Config)
			switch over {
			case "http":
				srv.Start()
			case "https":
				srv.StartTLS()
				change = func(c *Config) { c.Roots = srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs }
			case "unix":
				path := filepath.Join(t.TempDir(), "s")
				l, err := net.Listen("unix", path)
				if err != nil {
					t.Fatal(err)
				}
				srv.Listener = l
				srv.Start()
				srv.URL = "unix:" + path
			}
			defer srv.Close()
			url := srv.URL
			if over != "unix" {
				url += "/openai/v1"
			}
			if failure := probeOf(t, url, change).once(); failure != "" {
				t.Fatalf("got %q, want a success", failure)
			}
			if got.Method != "GET" || got.RequestURI != "/health?deep=1" || got.Header.Get("Authorization") != "Bearer secret" ||
				got.Header.Get("X-Team") != "infra" || got.Header.Get("User-Agent") != "weir-test" {
				t.Errorf("got %s %s with %v", got.Method, got.RequestURI, got.Header)
			}
		})
	}
}

// Only 200 to 299 is a success. A redirect is not followed, wherever it leads.
func TestProbeStatus(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer elsewhere.Close()
	status := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", elsewhere.URL)
		w.WriteHeader(status)
	}))
	defer srv.Close()
	u := probeOf(t, srv.URL, nil)
	for _, tt := range []struct {
		status int
		want   string
	}{
		{200, ""}, {204, ""}, {299, ""},
		{301, "status 301, a redirect, which is not followed"},
		{302, "status 302, a redirect, which is not followed"},
		{307, "status 307, a redirect, which is not followed"},
		{304, "status 304, a redirect, which is not followed"},
		{401, "status 401"}, {404, "status 404"}, {500, "status 500"}, {503, "status 503"},
	} {
		status = tt.status
		if got := u.once(); got != tt.want {
			t.Errorf("%d: got %q, want %q", tt.status, got, tt.want)
		}
	}
}

// A probe is bounded in bytes and in time, and what went wrong is said without
// the URL, which may have a key in it.
func TestProbeFailures(t *testing.T) {
	refused := httptest.NewServer(nil)
	refused.Close()
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for piece := strings.Repeat("x", 32<<10); ; {
			if _, err := w.Write([]byte(piece)); err != nil {
				return // it was hung up on
			}
		}
	}))
	defer endless.Close()
	large := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Large", strings.Repeat("x", 2*probeHead))
	}))
	defer large.Close()
	quiet := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer quiet.Close()
	trickle := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer trickle.Close()
	soon := func(c *Config) { c.Health.Timeout = 50 * time.Millisecond }
	for _, tt := range []struct {
		name, url string
		change    func(*Config)
		want      string
	}{
		{"nobody listens", refused.URL, nil, "connection refused"},
		{"a body without end", endless.URL, nil, ""},
		{"a large head", large.URL, nil, "exceeded"},
		{"no response", quiet.URL, soon, "no response within 50ms"},
		{"a body that does not come", trickle.URL, soon, "no response within 50ms"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := probeOf(t, tt.url, tt.change).once()
			if !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") || strings.Contains(got, "/health") {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// The outcomes reach the upstream's standing, until Close.
func TestProbe(t *testing.T) {
	var mu sync.Mutex
	status := 503
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.WriteHeader(status)
	}))
	defer srv.Close()
	changes := make(chan target.Change, 8)
	u := probeOf(t, srv.URL, func(c *Config) {
		c.Standing = target.NewStanding(target.Config{Probed: true, Healthy: 2, Unhealthy: 2}, func(c target.Change) { changes <- c })
	})
	u.Start()
	next := func() target.Change {
		select {
		case c := <-changes:
			return c
		case <-time.After(patience.Limit):
			t.Fatal("no change")
			return target.Change{}
		}
	}
	if c := next(); !c.Probe || c.Up || c.Reason != "status 503" || u.Standing.Available(time.Now()) {
		t.Errorf("got %+v, want an upstream that is down", c)
	}
	mu.Lock()
	status = 200
	mu.Unlock()
	if c := next(); !c.Probe || !c.Up || !u.Standing.Available(time.Now()) {
		t.Errorf("got %+v, want an upstream that is up", c)
	}
	u.Close()
}

// An upstream without a health path is not probed, and Close does nothing.
func TestNoProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := probeOf(t, "http://127.0.0.1:1", func(c *Config) { c.Health.Path = "" })
		u.Start()
		u.Close()
		synctest.Wait() // a goroutine that stayed would fail the test
	})
}
