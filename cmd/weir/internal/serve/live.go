package serve

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"weir"
	"weir/cmd/weir/internal/admin"
	"weir/cmd/weir/internal/command"
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

// live is the running gateway, and what replaces it on a reload. Requests
// continue with the gateway that they began with.
type live struct {
	o        *options
	first    *config.Config // what was started with
	log      *slog.Logger
	started  time.Time
	observer observe.Observer
	loops    int

	probes    admin.Probes
	now       atomic.Pointer[generation]
	shown     atomic.Pointer[[]*upstream.Upstream] // the current generation's, to operators
	routes    weir.SwapMux                         // to those of the current generation
	upstreams map[string]kept                      // of the current generation; used by the reloading goroutine
	standings standings
	budget    target.Budget
	end       context.CancelFunc
	over      chan struct{}
}

// generation is one configuration in use.
type generation struct {
	cfg     *config.Config
	gateway *relay.Gateway
	models  []openai.Model
	guard   *guard.Policy
	admin   *guard.Policy // of the admin endpoints
}

// kept is an upstream that outlives reloads that do not change it.
type kept struct {
	cfg config.Upstream
	up  *upstream.Upstream
}

func newLive(e *command.Env, o *options, cfg *config.Config, versions string) (*live, error) {
	l := &live{o: o, first: cfg, log: e.Log, started: time.Now(), loops: o.loops, over: make(chan struct{})}
	if l.loops == 0 {
		l.loops = runtime.GOMAXPROCS(0)
	}
	l.standings.log = e.Log
	l.observer = observe.Observer{
		Metrics: observe.NewMetrics(e.Lost), Failures: observe.NewFailures(e.Log), Access: observe.NewAccess(cfg.Log, e),
	}
	l.observer.Shortage = observe.NewShortage(e.Log, l.observer.Metrics)
	l.observer.SetBudget(&l.budget)
	if err := l.use(cfg); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.end = cancel
	go l.watch(ctx, e.Hangup, versions)
	return l, nil
}

func (l *live) stop() {
	l.end()
	<-l.over
	l.probe(nil)
	l.observer.Flush()
}

// use applies a configuration, whole or not at all.
func (l *live) use(cfg *config.Config) error {
	ups := l.upstreamsOf(cfg)
	models, err := newModels(cfg, ups, &l.budget)
	if err != nil {
		return err
	}
	g := &generation{cfg: cfg, guard: guard.New(guard.Config{Origins: cfg.CORS.Origins, Hosts: cfg.Hosts})}
	g.admin = guard.New(guard.Config{Origins: guard.NoPages.Origins, Hosts: cfg.Hosts})
	g.gateway = &relay.Gateway{
		Models: models, MaxBody: int64(cfg.Limits.Body), MaxReplay: int64(cfg.Limits.Replay), MaxEvent: int(cfg.Limits.Event),
		Mark: g.guard.Mark, Observer: &l.observer,
		Carriers: relay.NewCarriers(cfg.Strip.Headers, cfg.Strip.Query), Forwarding: forwarding[cfg.Forwarded],
	}
	for _, name := range sortedNames(models) {
		if glob.IsPattern(name) {
			g.gateway.Patterns = append(g.gateway.Patterns, name)
			continue // what it matches is not known
		}
		g.models = append(g.models, l.listed(name))
	}
	glob.Sort(g.gateway.Patterns)
	l.budget.Set(cfg.RetryBudget.Share, cfg.RetryBudget.Floor)
	l.standings.set(ups)
	l.now.Store(g)
	l.routes.Set(l.mux(g))
	l.probe(ups)
	l.upstreams = ups
	all := inForce(ups)
	l.shown.Store(&all)
	l.observer.SetUpstreams(all)
	return nil
}

// upstreamsOf returns the upstreams of a configuration: those of the current
// generation as far as nothing about them changes, and new ones, whose names are
// looked up. One whose name does not resolve is out until it does, unless its
// predecessor knows the addresses (G21).
func (l *live) upstreamsOf(cfg *config.Config) map[string]kept {
	ups := make(map[string]kept, len(cfg.Upstreams))
	var looks sync.WaitGroup
	for name, c := range cfg.Upstreams {
		old, known := l.upstreams[name]
		if known && sameUpstream(old.cfg, c) {
			ups[name] = old
			continue
		}
		up := newUpstream(name, c, l.standings.find(name, c), l.hold)
		if known {
			up.Inherit(old.up)
		}
		looks.Go(func() { _ = up.Resolve(context.Background()) }) // its standing has the failure
		ups[name] = kept{c, up}
	}
	looks.Wait()
	return ups
}

// listed is a model as GET /v1/models describes it.
func (l *live) listed(name string) openai.Model {
	return openai.Model{ID: name, Created: l.started.Unix(), OwnedBy: "weir"}
}

// hold counts a connection that package net makes among those of the server's
// loops, once it runs.
func (l *live) hold() (release func(), err error) {
	srv := l.observer.Server()
	if srv == nil {
		return func() {}, nil
	}
	r := srv.Reactor()
	if err := r.Hold(); err != nil {
		return nil, err
	}
	return r.Release, nil
}

// inForce returns the upstreams in the order of their names.
func inForce(ups map[string]kept) (all []*upstream.Upstream) {
	for _, name := range slices.Sorted(maps.Keys(ups)) {
		all = append(all, ups[name].up)
	}
	return all
}

var forwarding = map[string]relay.Forwarding{"drop": relay.ForwardingDrop, "pass": relay.ForwardingPass, "add": relay.ForwardingAdd}

// probe starts the probes of new upstreams and ends those of old ones.
func (l *live) probe(ups map[string]kept) {
	for name, k := range ups {
		if l.upstreams[name].up != k.up {
			k.up.Start()
		}
	}
	for name, k := range l.upstreams {
		if ups[name].up != k.up {
			k.up.Close()
		}
	}
}

// watch reloads on SIGHUP and when a file has changed.
func (l *live) watch(ctx context.Context, hangup <-chan os.Signal, last string) {
	defer close(l.over)
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			last = l.o.versions()
			l.reload("SIGHUP")
		case <-look.C:
			if now := l.o.versions(); now != last {
				last = now
				l.reload("a file has changed")
			}
		}
	}
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
func (l *live) reload(why string) {
	cfg, err := l.o.load()
	if err == nil {
		err = l.use(cfg)
	}
	l.observer.Reloaded(err == nil)
	if err != nil {
		l.log.Error("configuration not reloaded, the current one stays in force", "because", why, "err", err)
		return
	}
	if fields := append(fixed(l.first, cfg), l.o.libraries.replaced(cfg)...); len(fields) > 0 {
		l.log.Warn("restart required to apply these changes", "fields", fields)
	}
	l.log.Info("configuration reloaded", "because", why)
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
		{"/log", a.Log != b.Log},
		{"/drain", a.Drain != b.Drain},
	} {
		if f.differs {
			fields = append(fields, f.pointer)
		}
	}
	return fields
}

// server returns the server in front of the gateway. Its own limits are those
// of the first configuration, except that of bodies.
func (l *live) server(log *slog.Logger) *weir.Server {
	limits := l.now.Load().cfg.Limits
	return &weir.Server{
		Handler: &l.routes, OnHeaders: l.admit, OnError: l.explain, Logger: log, Trace: l.observer.Trace(),
		Limits: weir.Limits{
			Streams: limits.Streams, Handlers: limits.Streams, Bodies: int64(limits.Bodies),
			Conns: reactor.DescriptorBudget() / 2, // each client counts as two, with its upstream's connection
		},
	}
}
