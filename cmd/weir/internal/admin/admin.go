// Package admin is the second listener of weir's servers, for operators: the
// probes, which need no token, and what a server adds.
package admin

import (
	"context"
	"crypto/subtle"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"weir"
	"weir/cmd/weir/internal/guard"
)

// DefaultListen is the default address of the endpoints: a port in the range
// that exporters for Prometheus use, and not its own.
const DefaultListen = "127.0.0.1:9464"

// Admin is the admin endpoints of one server: the probes, and what Add adds.
// Without a token any client that reaches them may use them, except web pages.
type Admin struct {
	*Probes
	Token string               // of "Authorization: Bearer"; "" = none is required; the probes never require it
	Add   func(mux *weir.Mux)  // registers further routes; nil = none
	Guard func() *guard.Policy // checked for each request; nil = no page of another origin, and no names of the server
}

var closed = guard.New(guard.NoPages)

func (a *Admin) server(log *slog.Logger) *weir.Server {
	mux := new(weir.Mux)
	a.Register(mux)
	mux.HandleFunc("GET "+livePathToo, a.Live).Inline()
	if a.Add != nil {
		a.Add(mux)
	}
	return &weir.Server{
		Handler: mux, OnHeaders: a.allow, Logger: log, Loops: 1,
		Timeouts: weir.Timeouts{Drain: time.Second, Mercy: time.Millisecond},
		Limits:   weir.Limits{Conns: maxConns, Bodies: maxBodies},
	}
}

// What the endpoints may use. Their connections come from the reserve of
// descriptors that [reactor.DescriptorBudget] keeps from clients and upstreams:
// health and metrics can be read during a shortage.
const (
	maxConns  = 32
	maxBodies = 4 << 20
)

// allow is the server's OnHeaders: it checks the guard and the token.
func (a *Admin) allow(w *weir.Response, r *weir.Request) bool {
	policy := closed
	if a.Guard != nil {
		policy = a.Guard()
	}
	if no := policy.Check(r); no != nil {
		status(w, 403, no.Message)
		return false
	}
	switch r.Path() {
	case LivePath, livePathToo, ReadyPath:
		return true
	}
	if a.Token == "" {
		return true
	}
	given, _ := strings.CutPrefix(r.Header().Get("Authorization"), "Bearer ")
	if subtle.ConstantTimeCompare([]byte(given), []byte(a.Token)) == 1 {
		return true
	}
	w.Header().Set("WWW-Authenticate", "Bearer")
	status(w, 401, "the admin token is missing or wrong")
	return false
}

// Start serves on addr; with an empty one it does nothing. If it returns an
// error, end is nil.
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

// atOnce is a context that gives a shutdown no time.
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
		return true // an invalid address is refused when it is listened on
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
