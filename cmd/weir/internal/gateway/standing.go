package gateway

import (
	"context"
	"log/slog"

	"weir/cmd/weir/internal/config"
	"weir/cmd/weir/internal/target"
)

// identity identifies an upstream across reloads. Whatever else changes, its
// requests still run there, and what is known of it is still true.
type identity struct{ name, url string }

// standings are the standings of upstreams, across reloads (G16). Only the
// goroutine that reloads uses them.
type standings struct {
	log *slog.Logger
	of  map[identity]*target.Standing
}

// find returns the standing of an upstream, a new one if nothing is known.
func (s *standings) find(name string, c config.Upstream) *target.Standing {
	if known := s.of[identity{name, c.URL}]; known != nil {
		return known
	}
	return target.NewStanding(target.Config{}, func(change target.Change) { s.report(name, change) })
}

// set sets the limits of the current upstreams. A removed one is remembered
// while it still has requests, so that they count if it comes back.
func (s *standings) set(ups map[string]kept) {
	of := make(map[identity]*target.Standing, len(ups))
	for name, k := range ups {
		of[identity{name, k.cfg.URL}] = k.up.Standing
		k.up.Standing.Set(limitsOf(k.cfg))
	}
	for id, standing := range s.of {
		if of[id] == nil && standing.Running() > 0 {
			of[id] = standing
		}
	}
	s.of = of
}

// limitsOf is the limits that decisions about an upstream need.
func limitsOf(c config.Upstream) target.Config {
	b := c.Breaker
	return target.Config{
		Breaker: target.BreakerConfig{Share: b.Share, Volume: b.Volume, Window: b.Window.D(), Open: b.Open.D()},
		Probed:  c.Health.Path != "",
		Healthy: c.Health.Healthy, Unhealthy: c.Health.Unhealthy,
	}
}

// report logs a change. It is safe for concurrent use.
func (s *standings) report(name string, c target.Change) {
	level, time := slog.LevelWarn, "for"
	if c.Up || c.Breaker && c.State == target.Closed {
		level, time = slog.LevelInfo, "after"
	}
	args := []any{"upstream", name, "healthy", c.Up}
	message := "upstream health has changed"
	switch {
	case c.Breaker:
		message = "upstream breaker has changed"
		args = []any{"upstream", name, "state", c.State.String()}
	case c.Name && !c.Up:
		message = "upstream has no address and gets no requests until a look-up of its name works"
	case c.Name && c.Reason != "":
		level, message = slog.LevelWarn, "upstream name does not resolve any more, the addresses that are known stay in use"
	case c.Name:
		message = "upstream has an address again"
	}
	if c.Name {
		args = args[:2]
	}
	if c.Reason != "" {
		args = append(args, "reason", c.Reason)
	}
	if c.For > 0 {
		args = append(args, time, c.For.String())
	}
	s.log.Log(context.Background(), level, message, args...)
}
