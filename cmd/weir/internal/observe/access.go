package observe

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"time"

	"weir"
	"weir/cmd/weir/internal/command"
	"weir/cmd/weir/internal/config"
	"weir/cmd/weir/internal/front"
	"weir/cmd/weir/internal/relay"
	"weir/logq"
)

// Access writes a line for each request, in the order in which they ended.
// Nothing waits for the reader of the log.
type Access struct {
	handler slog.Handler // nil = none
	sample  float64
}

// NewAccess returns the access log that cfg describes; e has its output.
func NewAccess(cfg config.Log, e *command.Env) *Access {
	a := &Access{sample: cfg.Sample}
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
		status = statusDisconnected
	}
	line := slog.NewRecord(time.Now(), slog.LevelInfo, "request", 0)
	line.AddAttrs(
		slog.String("id", front.ID(r.Request)), slog.String("client", clientOf(r.Request.RemoteAddr(), r.Request.ListenAddr())),
		slog.String("method", bounded(r.Request.Method())), slog.String("path", bounded(r.Request.Path())), slog.String("proto", r.Request.Proto()), slog.Int("status", status),
		slog.String("model", bounded(r.Asked)), slog.String("upstream", r.Upstream), slog.Int("attempts", r.Attempts), slog.Bool("stream", r.Stream),
		slog.Int("events", r.Events), slog.Int64("bytes", r.Bytes),
		slog.Float64("first_ms", r.First.Seconds()*1e3), slog.Float64("took_ms", r.Took.Seconds()*1e3),
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
	line.AddAttrs(slog.String("client", clientOf(remote, listen)), slog.Int("status", 503), slog.String("err", "too many connections"))
	_ = a.handler.Handle(context.Background(), line) // as above
}

// statusDisconnected is the status of a request whose client disconnected, as
// in nginx.
const statusDisconnected = 499

// clientOf names a client: its address, or the unix socket that it came in by.
func clientOf(remote netip.AddrPort, listen net.Addr) string {
	switch {
	case remote.IsValid():
		return remote.String()
	case listen != nil:
		return listen.Network() + ":" + listen.String()
	}
	return "unknown"
}

// bounded returns a client's text, truncated for the log; the log's format
// escapes it.
func bounded(said string) string {
	const most = 128
	if len(said) <= most {
		return said
	}
	return strings.ToValidUTF8(said[:most], "") + "…"
}
