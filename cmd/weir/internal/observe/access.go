package observe

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"weir"
	"weir/cmd/weir/internal/command"
	"weir/cmd/weir/internal/config"
	"weir/cmd/weir/internal/front"
	"weir/cmd/weir/internal/relay"
	"weir/logq"
	"weir/middleware"
)

// Access writes a line for each request, in the order in which they ended.
// Nothing waits for the reader of the log.
type Access struct {
	handler slog.Handler // nil = none
	sample  float64
	clients *middleware.Clients // nil = there are no proxies
}

// NewAccess returns the access log that cfg describes; e has its output.
func NewAccess(cfg config.Log, e *command.Env) *Access {
	a := &Access{sample: cfg.Sample}
	if len(cfg.Proxies) > 0 {
		a.clients = &middleware.Clients{Proxies: middleware.MustPeers(cfg.Proxies...)} // they were checked
	}
	var out *logq.Writer
	switch cfg.Access {
	case "none":
		return a
	case "stderr":
		out = e.Stderr
	default:
		out = e.Stdout
		if cfg.Format != "auto" {
			out.SetText(cfg.Format == "text")
		}
	}
	a.handler = out.Handler(cfg.Format == "text" || cfg.Format == "auto" && out.Text())
	return a
}

// add logs a request: failed ones always, of the others a share. It does not
// wait.
func (a *Access) add(r *relay.Record) {
	failed := r.Err != nil || r.Left || r.Status >= 400
	if a.handler == nil || !failed && a.sample < 1 && rand.Float64() >= a.sample {
		return
	}
	status := r.Status
	if r.Left {
		status = middleware.StatusDisconnected
	}
	line := slog.NewRecord(time.Now(), slog.LevelInfo, "request", 0)
	line.AddAttrs(middleware.LogAttrs(r.Request, front.ID(r.Request), a.clients.Name(r.Request), status)...)
	line.AddAttrs(
		slog.String("model", middleware.Clip(r.Asked)), slog.String("upstream", r.Upstream), slog.Int("attempts", r.Attempts), slog.Bool("stream", r.Stream),
		slog.Int("events", r.Events), slog.Int64("bytes", r.Bytes),
		slog.Float64("first_ms", float64(r.First.Microseconds())/1e3), slog.Float64("took_ms", float64(r.Took.Microseconds())/1e3),
	)
	if r.Err != nil && !errors.Is(r.Err, weir.ErrClientGone) {
		line.AddAttrs(slog.String("err", r.Err.Error()))
	}
	_ = a.handler.Handle(context.Background(), line) // there is nowhere to report a failure of the log
}

// addRefused logs a connection that was turned away before its request was
// read.
func (a *Access) addRefused(remote netip.AddrPort, listen net.Addr) {
	if a.handler == nil {
		return
	}
	line := slog.NewRecord(time.Now(), slog.LevelInfo, "request", 0)
	line.AddAttrs(slog.String("client", middleware.ClientName(remote, listen)), slog.Int("status", 503), slog.String("err", "too many connections"))
	_ = a.handler.Handle(context.Background(), line) // as above
}
