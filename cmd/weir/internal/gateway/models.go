package gateway

import (
	"fmt"
	"maps"
	"slices"

	"weir"
	"weir/cmd/weir/internal/config"
	"weir/cmd/weir/internal/dialect/openai"
	"weir/cmd/weir/internal/policy"
	"weir/cmd/weir/internal/relay"
	"weir/cmd/weir/internal/target"
)

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
		Name: name, Policy: choice, Request: rules.Request, Event: rules.Event, Response: rules.Response, Retries: c.Retries, Keepalive: c.Keepalive.D(),
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

// listed is a model as GET /v1/models describes it.
func (gw *Gateway) listed(name string) openai.Model {
	return openai.Model{ID: name, Created: gw.started.Unix(), OwnedBy: "weir"}
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
