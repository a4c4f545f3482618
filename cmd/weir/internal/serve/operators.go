package serve

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"weir"
	"weir/cmd/weir/internal/config"
	"weir/cmd/weir/internal/target"
)

// This file is what operators see of the gateway beside its metrics.

// operators registers the admin endpoints.
func (l *live) operators(mux *weir.Mux) {
	l.observer.Routes(mux)
	mux.HandleFunc("GET /upstreams", l.showUpstreams)
	mux.HandleFunc("GET /config", l.showConfig)
}

// upstreamView is an upstream as GET /upstreams shows it.
type upstreamView struct {
	Name      string            `json:"name"`
	URL       string            `json:"url"`
	Available bool              `json:"available"`           // it gets requests
	Because   string            `json:"because,omitempty"`   // why it does not
	Addresses []string          `json:"addresses,omitempty"` // of its name, where requests go now
	Lookup    string            `json:"lookup,omitempty"`    // how the last look-up of its name failed
	Probe     string            `json:"probe,omitempty"`     // how the last health probe failed
	Breaker   string            `json:"breaker"`
	Opened    string            `json:"opened,omitempty"` // why the breaker is not closed
	Running   int               `json:"running"`
	Max       int               `json:"max_streams,omitempty"`
	Requests  map[string]uint64 `json:"requests"` // by the first digit of their status
	Failures  map[string]uint64 `json:"failures"` // by reason
}

func (l *live) showUpstreams(w *weir.Response, _ *weir.Request) {
	now, all := time.Now(), []upstreamView{}
	for _, u := range *l.shown.Load() {
		snap := u.Standing.Snapshot(now)
		v := upstreamView{
			Name: u.Name, URL: u.Endpoint.String(), Available: u.Standing.Available(now), Addresses: u.Addresses(),
			Lookup: snap.LookupFailure, Probe: snap.ProbeFailure, Breaker: snap.Breaker.String(), Opened: snap.BreakerReason,
			Running: snap.Running, Max: u.MaxStreams, Requests: map[string]uint64{}, Failures: map[string]uint64{},
		}
		switch {
		case snap.Lost:
			v.Because = "its name does not resolve"
		case !snap.Up:
			v.Because = "its health probes fail"
		case !v.Available:
			v.Because = "its breaker is open"
		}
		for class, n := range snap.Requests {
			if n > 0 {
				v.Requests[fmt.Sprint(class, "xx")] = n
			}
		}
		for _, r := range target.Reasons() {
			if n := snap.Failures[r]; n > 0 {
				v.Failures[r.String()] = n
			}
		}
		all = append(all, v)
	}
	showJSON(w, all)
}

// showConfig shows the configuration in force, masked, with an ETag.
func (l *live) showConfig(w *weir.Response, r *weir.Request) {
	text, err := json.Marshal(l.now.Load().cfg.Masked())
	if err != nil {
		w.Error(500, err.Error())
		return
	}
	sum := sha256.Sum256(text)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "no-cache")
	if strings.Contains(r.Header().Get("If-None-Match"), tag) {
		w.SetStatus(304)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(text, '\n'))
}

func showJSON(w *weir.Response, v any) {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		w.Error(500, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(append(text, '\n'))
}

// unresolved looks the names of all upstreams up, and returns a problem for each
// that has no address now. They are no reason not to start.
func unresolved(cfg *config.Config) (all []config.Problem) {
	names := sortedNames(cfg.Upstreams)
	failures := make([]string, len(names))
	var looks sync.WaitGroup
	for i, name := range names {
		looks.Go(func() {
			u := newUpstream(name, cfg.Upstreams[name], nil, nil)
			if u.Resolve(context.Background()) != nil {
				failures[i] = u.Standing.Snapshot(time.Now()).LookupFailure
			}
		})
	}
	looks.Wait()
	for i, name := range names {
		if failures[i] == "" {
			continue
		}
		p := config.Problem{
			Pointer: config.Pointer("upstreams", name, "url"),
			Message: "warning: the name does not resolve here and now: " + failures[i] + "; the upstream gets no requests until it does",
		}
		cfg.Place(&p)
		all = append(all, p)
	}
	return all
}
