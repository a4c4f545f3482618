package gateway

import (
	"context"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"weir/cmd/weir/internal/config"
	"weir/cmd/weir/internal/dialect/known"
	"weir/cmd/weir/internal/upstream"
)

// kept is an upstream that outlives reloads that do not change it.
type kept struct {
	cfg config.Upstream
	up  *upstream.Upstream
}

func sameUpstream(a, b config.Upstream) bool { return reflect.DeepEqual(a, b) }

// upstreamsOf returns the upstreams of a configuration: those of the current
// generation as far as nothing about them changes, and new ones, whose names are
// looked up. One whose name does not resolve is out until it does, unless its
// predecessor knows the addresses (G21).
func (gw *Gateway) upstreamsOf(cfg *config.Config) map[string]kept {
	ups := make(map[string]kept, len(cfg.Upstreams))
	var looks sync.WaitGroup
	for name, c := range cfg.Upstreams {
		old, known := gw.upstreams[name]
		if known && sameUpstream(old.cfg, c) {
			ups[name] = old
			continue
		}
		up := gw.newUpstream(name, c)
		if known {
			up.Inherit(old.up)
		}
		looks.Go(func() { _ = up.Resolve(context.Background()) }) // its standing has the failure
		ups[name] = kept{c, up}
	}
	looks.Wait()
	return ups
}

// newUpstream makes an upstream of its configuration.
func (gw *Gateway) newUpstream(name string, c config.Upstream) *upstream.Upstream {
	cfg := upstream.Config{
		Name: name, Endpoint: c.Endpoint(), Key: c.Key(), MaxStreams: c.MaxStreams, Standing: gw.standings.find(name, c), Hold: gw.hold,
		HTTP2: c.HTTP2,
		Timeouts: upstream.Timeouts{
			Connect: c.Timeouts.Connect.D(), FirstEvent: c.Timeouts.FirstEvent.D(),
			Idle: c.Timeouts.Idle.D(), Whole: c.Timeouts.Whole.D(), Total: c.Timeouts.Total.D(),
		},
		Believed: c.Resolve.D(), Lookup: gw.env.Lookup,
	}
	for _, name := range c.Dialects {
		cfg.Dialects = append(cfg.Dialects, known.Named(name))
	}
	if cfg.Believed == 0 {
		cfg.Believed = -1
	}
	cfg.Health = upstream.Health{Path: c.Health.Path, Interval: c.Health.Interval.D(), Timeout: c.Health.Timeout.D()}
	for _, field := range sortedNames(c.Headers) {
		cfg.Headers = append(cfg.Headers, upstream.Field{Name: field, Value: c.Headers[field]})
	}
	return upstream.New(cfg)
}

// probe starts the probes of new upstreams and ends those of old ones.
func (gw *Gateway) probe(ups map[string]kept) {
	for name, k := range ups {
		if gw.upstreams[name].up != k.up {
			k.up.Start()
		}
	}
	for name, k := range gw.upstreams {
		if ups[name].up != k.up {
			k.up.Close()
		}
	}
}

// inForce returns the upstreams in the order of their names.
func inForce(ups map[string]kept) (all []*upstream.Upstream) {
	for _, name := range slices.Sorted(maps.Keys(ups)) {
		all = append(all, ups[name].up)
	}
	return all
}

// hold counts a connection that package net makes among those of the server's
// loops, once it runs.
func (gw *Gateway) hold() (release func(), err error) {
	srv := gw.env.Observer.Server()
	if srv == nil {
		return func() {}, nil
	}
	r := srv.Reactor()
	if err := r.Hold(); err != nil {
		return nil, err
	}
	return r.Release, nil
}

// Unresolved looks the names of all upstreams up, and returns a problem for each
// that has no address now. They are no reason not to start.
func Unresolved(cfg *config.Config, lookup func(ctx context.Context, host string) ([]string, error)) (all []config.Problem) {
	gw := &Gateway{env: Env{Lookup: lookup}, standings: standings{log: slog.New(slog.DiscardHandler)}}
	names := sortedNames(cfg.Upstreams)
	failures := make([]string, len(names))
	var looks sync.WaitGroup
	for i, name := range names {
		looks.Go(func() {
			u := gw.newUpstream(name, cfg.Upstreams[name])
			if u.Resolve(context.Background()) != nil {
				failures[i] = u.Standing.Snapshot(time.Now()).LookupFailure
			}
		})
	}
	looks.Wait()
	for i, name := range names {
		if failures[i] == "" {
			continue
		}
		p := config.Problem{
			Pointer: config.Pointer("upstreams", name, "url"),
			Message: "warning: the name does not resolve here and now: " + failures[i] + "; the upstream gets no requests until it does",
		}
		cfg.Place(&p)
		all = append(all, p)
	}
	return all
}
