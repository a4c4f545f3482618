package gateway

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"

	"weir/cmd/weir/internal/config"
	"weir/cmd/weir/internal/observe"
)

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Parse(config.Source{Name: "weir.yaml", YAML: []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func lookup(_ context.Context, host string) ([]string, error) {
	if host == "nobody" {
		return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
	}
	return []string{"192.0.2.1"}, nil
}

func start(t *testing.T, text string) *Gateway {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	gw, err := New(parse(t, text), Env{
		Log: log, Lookup: lookup,
		Observer: &observe.Observer{Metrics: observe.NewMetrics(func() uint64 { return 0 }), Failures: observe.NewFailures(log)},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(gw.Close)
	return gw
}

// G16: an upstream about which nothing changes stays, one whose settings change
// keeps its standing and its addresses, and one that is elsewhere begins anew.
func TestUse(t *testing.T) {
	const models = "models: {m: {targets: [{upstream: a}, {upstream: b}, {upstream: c}]}}\n"
	gw := start(t, "upstreams: {a: {url: 'http://a:1'}, b: {url: 'http://b:1'}, c: {url: 'http://c:1'}}\n"+models)
	old, generation := gw.upstreams, gw.now.Load()
	gw.env.Lookup = func(context.Context, string) ([]string, error) { return nil, &net.DNSError{Err: "no such host"} }
	if err := gw.Use(parse(t, "upstreams: {a: {url: 'http://a:1'}, b: {url: 'http://b:1', max_streams: 5}, c: {url: 'http://c:2'}}\n"+models)); err != nil {
		t.Fatal(err)
	}
	a, b, c := gw.upstreams["a"].up, gw.upstreams["b"].up, gw.upstreams["c"].up
	if a != old["a"].up {
		t.Error("a is another upstream, want the same: nothing about it has changed")
	}
	if b == old["b"].up || b.Standing != old["b"].up.Standing || b.MaxStreams != 5 || b.Standing.Lost() || len(b.Addresses()) != 1 {
		t.Errorf("got b %+v with %q, want a new one with the old standing and the old address", b, b.Addresses())
	}
	if c.Standing == old["c"].up.Standing || !c.Standing.Lost() || old["c"].up.Standing.Lost() {
		t.Error("c has the standing of another address, or one at all, want it out until its name resolves")
	}
	if gw.now.Load() == generation || len(generation.gateway.Models) != 1 {
		t.Error("want a new generation beside the old one, which requests continue with")
	}
}

// Exact names are listed, patterns find what they match.
func TestModels(t *testing.T) {
	gw := start(t, "upstreams: {a: {url: 'http://a:1'}}\nmodels: {'*': {targets: [{upstream: a}]}, 'b-*': {targets: [{upstream: a}], fallback: [b]}, b: {targets: [{upstream: a}]}}\n")
	g := gw.now.Load()
	if len(g.models) != 1 || g.models[0].ID != "b" {
		t.Errorf("got %+v listed, want b", g.models)
	}
	for asked, want := range map[string]string{"b": "b", "b-1": "b-*", "x": "*"} {
		if m := g.gateway.Model(asked); m == nil || m.Name != want {
			t.Errorf("%s: got %+v, want %s", asked, m, want)
		}
	}
}

func TestUnresolved(t *testing.T) {
	cfg := parse(t, "upstreams:\n  a: {url: 'http://a:1'}\n  b: {url: 'https://nobody:1'}\n  c: {url: 'unix:/run/x'}\n  d: {url: 'http://[::1]:1'}\nmodels: {m: {targets: [{upstream: a}]}}\n")
	got := Unresolved(cfg, lookup)
	if len(got) != 1 || !strings.HasPrefix(got[0].String(), "weir.yaml:3: /upstreams/b/url: warning: ") || !strings.Contains(got[0].Message, "no such host") {
		t.Errorf("got %v, want a warning about b alone", got)
	}
}
