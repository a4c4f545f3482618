package upstream

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
)

// Health is how an upstream is probed. Without a path it is not.
type Health struct {
	Path               string
	Interval, Timeout  time.Duration
	Healthy, Unhealthy int
}

// Probe asks the upstream how it is, again and again, until Close. It does
// nothing for one without a health path.
func (u *Upstream) Probe(log *slog.Logger) {
	if u.probe == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	u.end = cancel
	go u.watch(ctx, log)
}

// Close ends the probes. Calls in flight go on.
func (u *Upstream) Close() {
	if u.end != nil {
		u.end()
	}
}

func (u *Upstream) watch(ctx context.Context, log *slog.Logger) {
	c := &http.Client{Timeout: u.Health.Timeout, Transport: u.prober()}
	defer c.CloseIdleConnections()
	every := time.NewTicker(u.Health.Interval)
	defer every.Stop()
	for {
		ok := u.ask(ctx, c)
		if ctx.Err() != nil {
			return
		}
		if u.probe.Observe(ok) {
			log.Warn("upstream health has changed", "upstream", u.Name, "healthy", u.probe.Healthy())
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			return
		}
	}
}

// prober is the transport of the probes: a connection of its own each time, so
// that a probe shows whether new ones are accepted.
func (u *Upstream) prober() http.RoundTripper {
	t := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: u.Roots}}
	if path, ok := strings.CutPrefix(u.URL, "unix:"); ok {
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}
	}
	return t
}

// ask makes one probe.
func (u *Upstream) ask(ctx context.Context, c *http.Client) bool {
	base := strings.TrimSuffix(u.URL, "/")
	if strings.HasPrefix(base, "unix:") {
		base = "http://localhost"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+u.Health.Path, nil)
	if err != nil {
		return false
	}
	res, err := c.Do(r)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // the status decides
	return res.StatusCode >= 200 && res.StatusCode < 400
}
