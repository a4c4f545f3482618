package serve

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// idler is a real server that closes connections on which it hears nothing.
type idler struct {
	addr        net.Addr
	ask, stream string // the requests
	want        string // what the answers say
}

// check makes a whole and a streamed request and wants both answered at the
// first attempt.
func (s *idler) check(t *testing.T, g *instance) {
	t.Helper()
	for _, ask := range []string{s.ask, s.stream} {
		res, text := do(t, "POST", g.url+chat, ask)
		if res.StatusCode != 200 || res.Header.Get("x-weir-attempts") != "1" || content(t, text) != s.want {
			t.Errorf("got %d at attempt %s: %q, want 200 at the first: %q", res.StatusCode, res.Header.Get("x-weir-attempts"), text, s.want)
		}
	}
}

// checkIdle makes requests while the server keeps the connection, when it has
// closed it, and, with a wire that lets them cross, at the very moment. (Package
// client keeps connections for 4 s, longer than the server does here.)
func (s *idler) checkIdle(t *testing.T, crossing string) {
	w := startWire(t, s.addr, crossing)
	g := serve(t, to(w.url), "--loops", "1")
	for round := range int64(2) {
		before, ended := w.opened.Load(), w.ended.Load()
		for range 10 { // 20 requests
			s.check(t, g)
		}
		// A connection is opened only if there is none. On a machine that
		// stands still the server may close one in between.
		opened, lost := w.opened.Load()-before, w.ended.Load()-ended
		if opened > 1+lost || opened > 10 {
			t.Errorf("round %d: 20 requests opened %d connections, and the server closed %d; want one, and one for each that it closed", round, opened, lost)
		}
		eventually(t, "the server closes its idle connection", func() bool { return w.ended.Load() == w.opened.Load() })
		if crossing == "" {
			eventually(t, "the gateway is told", func() bool { return w.told.Load() == w.ended.Load() })
		}
		// The next round's requests come on a connection that has ended, of
		// which the gateway may or may not have heard.
	}
	s.check(t, g)
	if n := w.wasted.Load(); n != 0 {
		t.Errorf("the gateway sent %d times to a server of whose end it had been told", n)
	}
	eventually(t, "the server closes its idle connection", func() bool { return w.ended.Load() == w.opened.Load() })
	if crossing != "" && w.crossed.Load() == 0 {
		t.Error("no request met the end of its connection")
	}
	if crossing == "" {
		eventually(t, "the gateway closes what the server closed", func() bool { return w.dropped.Load() == w.opened.Load() })
	}
	if n := w.first.Load(); n != 0 {
		t.Errorf("the gateway closed %d connections before the server did, want none", n)
	}
	if n := w.opened.Load(); n < 3 {
		t.Errorf("got %d connections, want one more after each close", n)
	}
	s.unharmed(t, g)
	g.end()
}

var failures = regexp.MustCompile(`outcome="failed"[^}]*} [1-9]`)

// unharmed wants no attempt to have failed.
func (s *idler) unharmed(t *testing.T, g *instance) {
	t.Helper()
	_, metrics := do(t, "GET", g.admin+"/metrics", "")
	if blamed.MatchString(metrics) || failures.MatchString(metrics) {
		t.Errorf("got %s, want no failure", metrics)
	}
}

// checkStorm makes requests from many sides to a server that closes each
// connection as soon as it is idle, so that closes and requests meet.
func (s *idler) checkStorm(t *testing.T, url string) {
	const clients, requests = 4, 50
	g := serve(t, to(url))
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			own := &http.Client{Transport: new(http.Transport)}
			defer own.CloseIdleConnections()
			for i := range requests {
				if err := s.askOnce(own, g.url+chat, i%2 == 0); err != nil {
					t.Errorf("request %d: %v", i, err)
				}
			}
		})
	}
	all.Wait()
	s.unharmed(t, g)
	g.end()
}

// askOnce is for any goroutine.
func (s *idler) askOnce(c *http.Client, url string, stream bool) error {
	ask, want := s.ask, "}"
	if stream {
		ask, want = s.stream, "data: [DONE]\n\n"
	}
	res, err := c.Post(url, "application/json", strings.NewReader(ask))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 || !strings.HasSuffix(string(text), want) {
		return fmt.Errorf("got %d %q, %w, want 200 and …%q", res.StatusCode, text, err, want)
	}
	return nil
}
