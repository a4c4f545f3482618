package serve

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"weir"
	"weir/cmd/weir/internal/config"
	"weir/cmd/weir/internal/dialect/known"
	"weir/cmd/weir/internal/policy"
	"weir/cmd/weir/internal/relay"
	"weir/cmd/weir/internal/target"
	"weir/cmd/weir/internal/upstream"
)

func sameUpstream(a, b config.Upstream) bool { return reflect.DeepEqual(a, b) }

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// lookupHost is how the names of upstreams are looked up; nil = as package net
// does.
var lookupHost func(ctx context.Context, host string) ([]string, error)

func newUpstream(name string, c config.Upstream, standing *target.Standing, hold func() (func(), error)) *upstream.Upstream {
	cfg := upstream.Config{
		Name: name, Endpoint: c.Endpoint(), Key: c.Key(), MaxStreams: c.MaxStreams, Standing: standing, Hold: hold,
		HTTP2: c.HTTP2,
		Timeouts: upstream.Timeouts{
			Connect: c.Timeouts.Connect.D(), FirstEvent: c.Timeouts.FirstEvent.D(),
			Idle: c.Timeouts.Idle.D(), Whole: c.Timeouts.Whole.D(), Total: c.Timeouts.Total.D(),
		},
		Believed: c.Resolve.D(), Lookup: lookupHost,
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

// newModels makes the models, and then links their fallbacks.
func newModels(cfg *config.Config, ups map[string]kept, budget *target.Budget) (map[string]*relay.Model, error) {
	models := make(map[string]*relay.Model, len(cfg.Models))
	for name, c := range cfg.Models {
		m, err := newModel(name, c, ups)
		if err != nil {
			return nil, err
		}
		models[name] = m
	}
	for name, c := range cfg.Models {
		for _, other := range c.Fallback {
			models[name].Fallback = append(models[name].Fallback, models[other])
		}
	}
	for _, m := range models {
		m.Plan(budget)
	}
	return models, nil
}

func newModel(name string, c config.Model, ups map[string]kept) (*relay.Model, error) {
	if c.Native != "" {
		return &relay.Model{Name: name, Native: relay.Native{Name: c.Native, Handler: weir.Native(c.Native)}}, nil
	}
	choice, err := target.New(c.Policy, len(c.Targets), nil)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	rules, _ := policy.Compile(c.Rules()) // config has checked it
	m := &relay.Model{
		Name: name, Policy: choice, Request: rules.Request, Event: rules.Event, Retries: c.Retries, Keepalive: c.Keepalive.D(),
		ByHeader: c.Session.Header, ByPrefix: c.Policy == "prefix_hash",
		Hold: relay.Hold{Events: c.Hold.Events, Wait: c.Hold.Wait.D()},
	}
	for _, s := range c.RetryOn {
		m.RetryOn = append(m.RetryOn, relay.Statuses{From: s.First, To: s.Last})
	}
	for _, t := range c.Targets {
		m.Targets = append(m.Targets, relay.Target{
			Upstream: ups[t.Upstream].up, Model: t.Model, Weight: t.Weight, ID: target.ID(t.Upstream, t.Model),
		})
	}
	return m, nil
}
