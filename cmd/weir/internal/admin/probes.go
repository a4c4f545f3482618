package admin

import (
	"sync/atomic"

	"weir"
)

// Paths of the probes, on the admin address and, if so configured, on those of
// clients.
const (
	LivePath  = "/livez"  // 200 while the process is up
	ReadyPath = "/readyz" // 200 while new requests are accepted, 503 while it drains

	livePathToo = "/healthz" // its older name
)

// Probes serves a server's status to health checks. None needs a token. It is
// safe for concurrent use; the zero value is for a server that is not draining.
type Probes struct{ draining atomic.Bool }

// Drain makes Ready and Health report that no new requests are accepted.
func (p *Probes) Drain() { p.draining.Store(true) }

// Live serves LivePath.
func (p *Probes) Live(w *weir.Response, _ *weir.Request) { status(w, 200, "ok") }

// Ready serves ReadyPath.
func (p *Probes) Ready(w *weir.Response, _ *weir.Request) { p.say(w, "ready") }

// Health serves /health on the addresses of clients: for load balancers, which
// see there whether the very port that they send requests to accepts them.
func (p *Probes) Health(w *weir.Response, _ *weir.Request) { p.say(w, "ok") }

func (p *Probes) say(w *weir.Response, yes string) {
	if p.draining.Load() {
		status(w, 503, "draining")
		return
	}
	status(w, 200, yes)
}

// Register adds LivePath and ReadyPath to the routes of mux.
func (p *Probes) Register(mux *weir.Mux) {
	mux.HandleFunc("GET "+LivePath, p.Live).Inline()
	mux.HandleFunc("GET "+ReadyPath, p.Ready).Inline()
}

func status(w *weir.Response, code int, line string) {
	w.Header().Set("Cache-Control", "no-store")
	w.Error(code, line)
}
