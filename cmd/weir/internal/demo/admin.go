package demo

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"weir"
	"weir/cmd/weir/internal/front"
)

// admin is the second listener, for those who run the server: /healthz while
// the process is up, /readyz while it takes new requests.
type admin struct {
	draining atomic.Bool
}

func (a *admin) server(log *slog.Logger) *weir.Server {
	mux := new(weir.Mux)
	mux.HandleInline("GET /healthz", weir.HandlerFunc(func(w *weir.Response, _ *weir.Request) { status(w, 200, "ok") }))
	mux.HandleInline("GET /readyz", weir.HandlerFunc(func(w *weir.Response, _ *weir.Request) {
		if a.draining.Load() {
			status(w, 503, "draining")
			return
		}
		status(w, 200, "ready")
	}))
	return &weir.Server{Handler: mux, Logger: log, Loops: 1, Timeouts: weir.Timeouts{Drain: time.Second, Mercy: time.Millisecond}}
}

func status(w *weir.Response, code int, line string) {
	front.SetField(w, "Cache-Control", "no-store")
	w.Error(code, line)
}

// start serves it on addr; nothing listens for an empty one. With an error end
// is nil.
func (a *admin) start(addr string, log *slog.Logger) (end func(), err error) {
	if addr == "" {
		return func() {}, nil
	}
	srv := a.server(log)
	if err := srv.Start(addr); err != nil {
		return nil, fmt.Errorf("--admin: %w (--admin \"\" turns it off)", err)
	}
	log.Info(name+": admin", "on", srv.Addrs()[0].String())
	return func() { _, _ = srv.Shutdown(atOnce()) }, nil
}

// private reports whether only this machine can connect to the address.
func private(addr string) bool {
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
