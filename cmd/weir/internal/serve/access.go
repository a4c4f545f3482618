package serve

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"weir"
	"weir/cmd/weir/internal/command"
	"weir/cmd/weir/internal/config"
	"weir/cmd/weir/internal/relay"
	"weir/internal/logq"
)

// accessLog writes a line for each request, in the order in which they ended.
// Nobody waits for whoever reads them.
type accessLog struct {
	handler slog.Handler // nil = none
	sample  float64
}

func newAccessLog(cfg config.Log, e *command.Env) *accessLog {
	a := &accessLog{sample: cfg.Sample}
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
func (a *accessLog) add(r *relay.Record) {
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
		"model", r.Model, "upstream", r.Upstream, "attempts", r.Attempts, "stream", r.Stream,
		"events", r.Events, "bytes", r.Bytes,
		"first_ms", r.First.Seconds()*1e3, "took_ms", r.Took.Seconds()*1e3,
	)
	if r.Err != nil && !errors.Is(r.Err, weir.ErrClientGone) {
		line.Add("err", r.Err.Error())
	}
	_ = a.handler.Handle(context.Background(), line) // a log has nobody to complain to
}
