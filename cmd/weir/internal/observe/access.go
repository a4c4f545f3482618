package observe

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"weir"
	"weir/cmd/weir/internal/command"
	"weir/cmd/weir/internal/config"
	"weir/cmd/weir/internal/relay"
	"weir/internal/logq"
)

// Access writes a line for each request, in the order in which they ended.
// Nobody waits for whoever reads them.
type Access struct {
	handler slog.Handler // nil = none
	sample  float64
}

// NewAccess returns the access log that cfg describes; e has what it is
// written to.
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

// add logs a request; those that failed always, of the others a share. It does
// not wait.
func (a *Access) add(r *relay.Record) {
	failed := r.Err != nil || r.Left || r.Status >= 400
	if a.handler == nil || !failed && a.sample < 1 && rand.Float64() >= a.sample {
		return
	}
	status := r.Status
	if r.Left {
		status = 499
	}
	line := slog.NewRecord(time.Now(), slog.LevelInfo, "request", 0)
	line.Add(
		"id", r.Request.Header().Get("x-request-id"), "client", r.Request.RemoteAddr().String(),
		"method", r.Request.Method(), "path", string(r.Request.Path()), "status", status,
		"model", bounded(r.Asked), "upstream", r.Upstream, "attempts", r.Attempts, "stream", r.Stream,
		"events", r.Events, "bytes", r.Bytes,
		"first_ms", r.First.Seconds()*1e3, "took_ms", r.Took.Seconds()*1e3,
	)
	if r.Err != nil && !errors.Is(r.Err, weir.ErrClientGone) {
		line.Add("err", r.Err.Error())
	}
	_ = a.handler.Handle(context.Background(), line) // a log has nobody to complain to
}

// bounded is what a client has said, as far as a log can bear it; the log's
// format escapes the rest.
func bounded(said string) string {
	const most = 128
	if len(said) <= most {
		return said
	}
	return strings.ToValidUTF8(said[:most], "") + "…"
}
