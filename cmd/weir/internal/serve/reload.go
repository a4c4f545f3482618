package serve

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"time"

	"weir/cmd/weir/internal/command"
	"weir/cmd/weir/internal/config"
	"weir/cmd/weir/internal/gateway"
	"weir/cmd/weir/internal/observe"
)

// running is a gateway whose configuration follows its files.
type running struct {
	o        *options
	first    *config.Config // what was started with
	log      *slog.Logger
	gateway  *gateway.Gateway
	observer observe.Observer
	end      context.CancelFunc
	over     chan struct{}
}

// lookupHost is how the names of upstreams are looked up; nil = as package net
// does.
var lookupHost func(ctx context.Context, host string) ([]string, error)

// begin starts a gateway. versions are those of the files when they were read.
func begin(e *command.Env, o *options, cfg *config.Config, versions string) (*running, error) {
	r := &running{o: o, first: cfg, log: e.Log, over: make(chan struct{})}
	r.observer = observe.Observer{
		Metrics: observe.NewMetrics(e.Lost), Failures: observe.NewFailures(e.Log), Access: observe.NewAccess(cfg.Log, e),
	}
	r.observer.Shortage = observe.NewShortage(e.Log, r.observer.Metrics)
	var err error
	if r.gateway, err = gateway.New(cfg, gateway.Env{Log: e.Log, Observer: &r.observer, Lookup: lookupHost}); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.end = cancel
	go r.watch(ctx, e.Hangup, versions)
	return r, nil
}

func (r *running) stop() {
	r.end()
	<-r.over
	r.gateway.Close()
	r.observer.Flush()
}

// watch reloads on SIGHUP and when a file has changed. last is what is in force.
func (r *running) watch(ctx context.Context, hangup <-chan os.Signal, last string) {
	defer close(r.over)
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for files := (edits{last, last}); ; {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			files.applied = r.o.versions()
			r.reload("SIGHUP")
		case <-look.C:
			if files.settled(r.o.versions()) {
				r.reload("a file has changed")
			}
		}
	}
}

// edits is which versions of the files were applied, and seen last.
type edits struct{ applied, seen string }

// settled reports whether there is a change to apply: one that two looks have seen
// alike. The first may have come while it was written, and half a file can be a
// configuration, too.
func (e *edits) settled(now string) bool {
	changed := now != e.applied && now == e.seen
	e.seen = now
	if changed {
		e.applied = now
	}
	return changed
}

// versions returns a text that changes when one of the files does.
func (o *options) versions() (v string) {
	for _, path := range append([]string{o.config}, o.overlays...) {
		st, err := os.Stat(path)
		if err != nil {
			v += "?"
			continue
		}
		v += fmt.Sprint(st.ModTime().UnixNano(), st.Size(), "/")
	}
	return v
}

// reload applies the files' current content. If it has mistakes, nothing
// changes (G16).
func (r *running) reload(why string) {
	cfg, err := r.o.load()
	if err == nil {
		err = r.gateway.Use(cfg)
	}
	r.observer.Reloaded(err == nil)
	if err != nil {
		r.log.Error("configuration not reloaded, the current one stays in force", "because", why, "err", err)
		return
	}
	if fields := append(fixed(r.first, cfg), r.o.libraries.replaced(cfg)...); len(fields) > 0 {
		r.log.Warn("restart required to apply these changes", "fields", fields)
	}
	r.log.Info("configuration reloaded", "because", why)
}

// fixed returns what differs and cannot be changed without a restart.
func fixed(a, b *config.Config) (fields []string) {
	for _, f := range []struct {
		pointer string
		differs bool
	}{
		{"/listen", !slices.Equal(a.Listen, b.Listen)},
		{"/tls", a.TLS != b.TLS},
		{"/admin/listen", a.Admin.Listen != b.Admin.Listen},
		{"/admin/token_env", a.Admin.TokenEnv != b.Admin.TokenEnv},
		{"/limits/bodies", a.Limits.Bodies != b.Limits.Bodies},
		{"/limits/streams", a.Limits.Streams != b.Limits.Streams},
		{"/log", !reflect.DeepEqual(a.Log, b.Log)},
		{"/drain", a.Drain != b.Drain},
	} {
		if f.differs {
			fields = append(fields, f.pointer)
		}
	}
	return fields
}
