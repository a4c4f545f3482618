// Package gateway is what `weir serve` serves: it makes upstreams, models and
// routes of a configuration, and exchanges them while it runs. It knows no
// flags, files or signals.
//
//	Config ──> upstreams ──> models ──> routes ──> one generation, which requests keep
//	             │ kept as far as nothing about them changes
//	             └ their standings: breaker, health, name, counters, by name and URL
package gateway

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"weir"
	"weir/cmd/weir/internal/admin"
	"weir/cmd/weir/internal/config"
	"weir/cmd/weir/internal/dialect/openai"
	"weir/cmd/weir/internal/glob"
	"weir/cmd/weir/internal/guard"
	"weir/cmd/weir/internal/observe"
	"weir/cmd/weir/internal/relay"
	"weir/cmd/weir/internal/target"
	"weir/cmd/weir/internal/upstream"
	"weir/reactor"
)

// A Gateway serves by a configuration that can be replaced while it runs.
// Requests continue with the one that they began with.
//
// New, Use and Close must not be called at the same time; what it has for a
// server is safe for concurrent use.
type Gateway struct {
	Probes admin.Probes // whether it accepts new requests

	env     Env
	started time.Time

	now       atomic.Pointer[generation]
	shown     atomic.Pointer[[]*upstream.Upstream] // the current generation's, to operators
	routes    weir.SwapMux                         // to those of the current generation
	upstreams map[string]kept                      // of the current generation
	standings standings
	budget    target.Budget
}

// Env is what a Gateway has from the program around it.
type Env struct {
	Log      *slog.Logger
	Observer *observe.Observer
	// Lookup returns the addresses of a host; nil = net.DefaultResolver.
	Lookup func(ctx context.Context, host string) ([]string, error)
}

// generation is one configuration in use.
type generation struct {
	cfg     *config.Config
	gateway *relay.Gateway
	models  []openai.Model
	guard   *guard.Policy
	admin   *guard.Policy // of the admin endpoints
	sockets []string      // the patterns of routes that serve WebSockets
}

// New returns a gateway with that configuration, which is in use: upstreams are
// probed, and may have requests.
func New(cfg *config.Config, env Env) (*Gateway, error) {
	gw := &Gateway{env: env, started: time.Now(), standings: standings{log: env.Log}}
	env.Observer.SetBudget(&gw.budget)
	if err := gw.Use(cfg); err != nil {
		return nil, err
	}
	return gw, nil
}

// Close ends what goes on beside requests, and closes idle connections.
func (gw *Gateway) Close() { gw.probe(nil) }

// Use applies a configuration, whole or not at all.
func (gw *Gateway) Use(cfg *config.Config) error {
	ups := gw.upstreamsOf(cfg)
	models, err := newModels(cfg, ups, &gw.budget)
	if err != nil {
		return err
	}
	g := &generation{cfg: cfg, guard: guard.New(guard.Config{Origins: cfg.CORS.Origins, Hosts: cfg.Hosts})}
	g.admin = guard.New(guard.Config{Origins: guard.NoPages.Origins, Hosts: cfg.Hosts})
	g.gateway = &relay.Gateway{
		Models: models, MaxBody: int64(cfg.Limits.Body), MaxReplay: int64(cfg.Limits.Replay), MaxEvent: int(cfg.Limits.Event),
		Mark: g.guard.Mark, Observer: gw.env.Observer,
		Carriers: relay.NewCarriers(cfg.Strip.Headers, cfg.Strip.Query), Forwarding: forwarding[cfg.Forwarded],
	}
	for _, name := range sortedNames(models) {
		if glob.IsPattern(name) {
			g.gateway.Patterns = append(g.gateway.Patterns, name)
			continue // what it matches is not known
		}
		g.models = append(g.models, gw.listed(name))
	}
	glob.Sort(g.gateway.Patterns)
	gw.budget.Set(cfg.RetryBudget.Share, cfg.RetryBudget.Floor)
	gw.standings.set(ups)
	mux := gw.mux(g)
	gw.now.Store(g)
	gw.routes.Set(mux)
	gw.probe(ups)
	gw.upstreams = ups
	all := inForce(ups)
	gw.shown.Store(&all)
	gw.env.Observer.SetUpstreams(all)
	return nil
}

var forwarding = map[string]relay.Forwarding{"drop": relay.ForwardingDrop, "pass": relay.ForwardingPass, "add": relay.ForwardingAdd}

// Server returns the server in front of the gateway. Its own limits are those
// of the first configuration, except that of bodies.
func (gw *Gateway) Server(log *slog.Logger) *weir.Server {
	limits := gw.now.Load().cfg.Limits
	return &weir.Server{
		Handler: &gw.routes, OnHeaders: gw.admit, OnError: gw.explain, Logger: log, Trace: gw.env.Observer.Trace(),
		Limits: weir.Limits{
			Streams: limits.Streams, Handlers: limits.Streams, Bodies: int64(limits.Bodies),
			Conns: reactor.DescriptorBudget() / 2, // each client counts as two, with its upstream's connection
		},
	}
}

// AdminGuard is the policy by which the admin endpoints are guarded now.
func (gw *Gateway) AdminGuard() *guard.Policy { return gw.now.Load().admin }
