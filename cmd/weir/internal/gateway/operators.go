package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"weir"
	"weir/cmd/weir/internal/target"
)

// This file is what operators see of the gateway beside its metrics.

// Operators registers the admin endpoints.
func (gw *Gateway) Operators(mux *weir.Mux) {
	gw.env.Observer.Routes(mux)
	mux.HandleFunc("GET /upstreams", gw.showUpstreams)
	mux.HandleFunc("GET /config", gw.showConfig)
}

// UpstreamView is an upstream as GET /upstreams shows it.
type UpstreamView struct {
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

func (gw *Gateway) showUpstreams(w *weir.Response, _ *weir.Request) {
	now, all := time.Now(), []UpstreamView{}
	for _, u := range *gw.shown.Load() {
		snap := u.Standing.Snapshot(now)
		v := UpstreamView{
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
func (gw *Gateway) showConfig(w *weir.Response, r *weir.Request) {
	text, err := json.Marshal(gw.now.Load().cfg.Masked())
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
