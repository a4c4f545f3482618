//go:build soak && linux

package soak

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"weir/internal/patience"
)

// metrics is what /metrics shows, by name and labels.
type metrics map[string]float64

// scraper keeps no connection.
var scraper = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience.Limit}

func (g *gateway) metrics() (metrics, error) {
	res, err := scraper.Get(g.admin + "/metrics")
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	m := metrics{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		i := strings.LastIndexByte(strings.TrimSpace(line), ' ')
		var value float64
		if _, err := fmt.Sscan(line[i+1:], &value); err != nil {
			return nil, fmt.Errorf("metrics: %q: %w", line, err)
		}
		m[line[:i]] = value
	}
	return m, nil
}

// census is what the gateway has when no client is there.
type census struct {
	descriptors, goroutines int
	connections             int
	streams, pending, kept  int
	resident                int64
}

func (s *stage) census() census {
	m, err := s.gateway.metrics()
	if err != nil {
		s.t.Fatal(err)
	}
	return census{
		s.gateway.descriptors(), int(m["go_goroutines"]), int(m["weir_connections"]),
		int(m["weir_streams"]), int(m["weir_pending_bytes"]), int(m["weir_body_bytes"]), s.gateway.resident(),
	}
}

// slack is what a process may have more of when nothing is different: a
// connection of a health probe and its goroutines.
const slack = 6

// settled waits until the gateway has no more than before, but for memory, and
// counts.
func (s *stage) settled(before *census) *census {
	for late := time.Now().Add(patience.Limit); ; time.Sleep(100 * time.Millisecond) {
		now := s.census()
		if before == nil && now.goroutines > 0 {
			return &now
		}
		if before != nil && now.streams == 0 && now.pending == 0 && now.kept == 0 && now.connections <= before.connections &&
			now.descriptors <= before.descriptors+slack && now.goroutines <= before.goroutines+2*slack {
			s.t.Logf("before %+v\nafter %+v", *before, now)
			return &now
		}
		if time.Now().After(late) {
			s.t.Errorf("got %+v, want what was there before: %+v", now, before)
			return &now
		}
	}
}

// expected are the failures that clients and troubles have caused: those of
// poisoned prompts, and those for want of the gateway's own descriptors.
var expected = regexp.MustCompile(`reason="(status|shortage)"`)

// judge looks at what the gateway says of it all.
func (s *stage) judge() {
	m, err := s.gateway.metrics()
	if err != nil {
		s.t.Fatal(err)
	}
	for name, value := range m {
		switch {
		case strings.HasPrefix(name, "weir_upstream_failures_total{") && value > 0 && !expected.MatchString(name):
			s.t.Errorf("an upstream failed without having failed: %s %v", name, value)
		case strings.HasPrefix(name, "weir_upstream_up{") && value != 1, strings.HasPrefix(name, "weir_upstream_breaker{") && value != 0:
			s.t.Errorf("an upstream is not available at the end: %s %v", name, value)
		}
	}
	if got := m[`weir_reloads_total{result="ok"}`]; int(got) != s.reloads {
		s.t.Errorf("got %v reloads, want %d", got, s.reloads)
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.counts)) {
		fmt.Fprintf(&text, "%7d  %s\n", s.counts[name], name)
	}
	s.t.Logf("%v, seed %d\n%s", *length, *seed, text.String())
}

// close ends the gateway by SIGTERM, which nothing may hold up.
func (s *stage) close() {
	begun := time.Now()
	s.gateway.signal(syscall.SIGTERM)
	ended := make(chan error, 1)
	go func() { ended <- s.gateway.cmd.Wait() }()
	select {
	case err := <-ended:
		s.t.Logf("ended %v after SIGTERM: %v", time.Since(begun), s.gateway.cmd.ProcessState)
		if err != nil {
			s.t.Errorf("got %v, want exit code 0", err)
		}
	case <-time.After(patience.Limit):
		s.t.Error("SIGTERM does not end the gateway")
		_ = s.gateway.cmd.Process.Kill() // it may have ended
		<-ended
	}
}
