// Package admin is the second listener of weir's servers, for those who run
// them: /healthz while the process is up, /readyz while it takes new requests,
// and what a server adds.
package admin

import (
	"context"
	"crypto/subtle"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"weir"
	"weir/cmd/weir/internal/front"
	"weir/cmd/weir/internal/guard"
)

// Admin is the admin endpoints of one server. The zero value has the two
// common ones and is open to all who reach it, web pages aside.
type Admin struct {
	Token    string               // of "Authorization: Bearer"; "" = none is asked for; /healthz and /readyz never do
	Add      func(mux *weir.Mux)  // registers further routes; nil = none
	Guard    func() *guard.Policy // which is asked for each request; nil = no page of another origin, and no name of the server's
	draining atomic.Bool
}

var closed = guard.New(guard.NoPages)

// Drain makes /readyz say that no new requests are wanted.
func (a *Admin) Drain() { a.draining.Store(true) }

func (a *Admin) server(log *slog.Logger) *weir.Server {
	mux := new(weir.Mux)
	mux.HandleInline("GET /healthz", weir.HandlerFunc(func(w *weir.Response, _ *weir.Request) { status(w, 200, "ok") }))
	mux.HandleInline("GET /readyz", weir.HandlerFunc(func(w *weir.Response, _ *weir.Request) {
		if a.draining.Load() {
			status(w, 503, "draining")
			return
		}
		status(w, 200, "ready")
	}))
	if a.Add != nil {
		a.Add(mux)
	}
	return &weir.Server{
		Handler: mux, OnHeaders: a.allow, Logger: log, Loops: 1,
		Timeouts: weir.Timeouts{Drain: time.Second, Mercy: time.Millisecond},
		Limits:   weir.Limits{Conns: maxConns, Bodies: maxBodies},
	}
}

// What the endpoints may take. Their connections come out of the reserve of
// descriptors that reactor.DescriptorBudget leaves, which clients and upstreams
// cannot touch: health and metrics can be read during a shortage.
const (
	maxConns  = 32
	maxBodies = 4 << 20
)

// allow is the server's OnHeaders: it asks the guard, and for the token.
func (a *Admin) allow(w *weir.Response, r *weir.Request) bool {
	policy := closed
	if a.Guard != nil {
		policy = a.Guard()
	}
	if no := policy.Check(r); no != nil {
		status(w, 403, no.Message)
		return false
	}
	if path := string(r.Path()); a.Token == "" || path == "/healthz" || path == "/readyz" {
		return true
	}
	given, _ := strings.CutPrefix(r.Header().Get("Authorization"), "Bearer ")
	if subtle.ConstantTimeCompare([]byte(given), []byte(a.Token)) == 1 {
		return true
	}
	front.SetField(w, "WWW-Authenticate", "Bearer")
	status(w, 401, "the admin token is missing or wrong")
	return false
}

func status(w *weir.Response, code int, line string) {
	front.SetField(w, "Cache-Control", "no-store")
	w.Error(code, line)
}

// Start serves on addr; nothing listens for an empty one. With an error end is
// nil.
func (a *Admin) Start(addr string, log *slog.Logger) (end func(), err error) {
	if addr == "" {
		return func() {}, nil
	}
	srv := a.server(log)
	if err := srv.Start(addr); err != nil {
		return nil, err
	}
	log.Info("admin", "on", srv.Addrs()[0].String())
	return func() { _, _ = srv.Shutdown(atOnce()) }, nil
}

// atOnce is a context that leaves a shutdown no time.
func atOnce() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// Private reports whether only this machine can connect to the address.
func Private(addr string) bool {
	if addr == "" || strings.HasPrefix(addr, "unix:") {
		return true
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil || host == "localhost" {
		return true // what is no address is refused when it is listened on
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
