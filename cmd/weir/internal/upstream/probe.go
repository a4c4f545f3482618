package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"weir/reactor"
)

// Health is how an upstream is probed. Without a path it is not.
type Health struct {
	Path              string // begins at the host, whatever path the URL has
	Interval, Timeout time.Duration
}

// What a probe reads at most. It is a success whatever the body says, if that
// comes.
const (
	probeHead = 64 << 10
	probeBody = 64 << 10
)

// Start begins what goes on beside requests, until Close: probes, if there is a
// health path, and look-ups, if Resolve has found no address. Both report to
// the Standing.
func (u *Upstream) Start() {
	lost := u.Standing.Lost()
	if u.Health.Path == "" && !lost {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	u.end = cancel
	if u.Health.Path != "" {
		go u.watch(ctx)
	}
	if lost {
		go u.find(ctx)
	}
}

// Close ends what Start began and closes idle connections. Calls go on.
func (u *Upstream) Close() {
	if u.end != nil {
		u.end()
	}
	u.origin.Close()
}

func (u *Upstream) watch(ctx context.Context) {
	c := u.probes()
	defer c.CloseIdleConnections()
	every := time.NewTicker(u.Health.Interval)
	defer every.Stop()
	for {
		failure, known := u.ask(ctx, c)
		if ctx.Err() != nil {
			return
		}
		if known {
			u.Standing.Observe(failure, time.Now())
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			return
		}
	}
}

// probes is the client that makes the probes.
func (u *Upstream) probes() *http.Client {
	return &http.Client{
		Timeout: u.Health.Timeout, Transport: u.prober(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// prober is the transport of the probes: it takes the way that requests take,
// but a connection of its own each time, so that a probe shows whether new ones
// are accepted.
func (u *Upstream) prober() http.RoundTripper {
	t := &http.Transport{
		DialContext: u.origin.DialContext, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: probeHead,
		TLSClientConfig: &tls.Config{RootCAs: u.Roots},
	}
	if !u.OnLoop() {
		t.Proxy = http.ProxyFromEnvironment
	}
	return t
}

// probeURL is what a probe asks for.
func (u *Upstream) probeURL() string {
	at := u.Endpoint
	at.Network, at.Path = "", u.Health.Path
	return at.String()
}

// ask makes one probe, with the fields and the key that requests have, and
// returns how it failed, "" if it did not. A redirect is a failure: it says
// that another server would have to be probed. Nothing is known if there was
// no descriptor or port for the probe, or if this process was paused meanwhile.
func (u *Upstream) ask(ctx context.Context, c *http.Client) (failure string, known bool) {
	begin := time.Now()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.probeURL(), nil)
	if err != nil {
		return err.Error(), true
	}
	for _, f := range append(u.AppendCredentials(nil, u.Dialects[0], nothing{}), u.origin.Header...) {
		r.Header.Set(string(f.Name), string(f.Value))
	}
	res, err := c.Do(r)
	if err != nil {
		return u.explain(err), u.blames(err, begin)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(res.Body, probeBody)); err != nil {
		return u.explain(err), u.blames(err, begin)
	}
	switch status := res.StatusCode; {
	case 300 <= status && status < 400:
		return fmt.Sprintf("status %d, a redirect, which is not followed", status), true
	case status < 200 || status >= 300:
		return fmt.Sprintf("status %d", status), true
	}
	return "", true
}

// pauseMark is by how much a probe's timeout is late when the process was paused
// meanwhile. The response may have been there before the timeout was noticed.
const pauseMark = 250 * time.Millisecond

// blames reports whether a probe that failed says anything about the upstream.
func (u *Upstream) blames(err error, begin time.Time) bool {
	paused := time.Since(begin) > u.Health.Timeout+pauseMark
	return !paused && !reactor.LocalShortage(err)
}

// explain says what went wrong without repeating the URL.
func (u *Upstream) explain(err error) string {
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Sprintf("no response within %v", u.Health.Timeout)
	}
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err
	}
	return err.Error()
}
