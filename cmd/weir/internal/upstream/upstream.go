// Package upstream is the servers behind the gateway: each is a client.Origin
// with what the gateway knows and asks of it.
package upstream

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"weir/client"
	"weir/cmd/weir/internal/target"
	"weir/http1"
	"weir/reactor"
)

// Field is a header field.
type Field struct{ Name, Value string }

// Timeouts bound what an upstream may take (G5). Zero = no limit.
type Timeouts struct{ Connect, FirstEvent, Idle, Total time.Duration }

// Config describes an upstream.
type Config struct {
	Name       string
	Endpoint   client.Endpoint
	Timeouts   Timeouts
	Key        string         // sent as a bearer token; "" = none
	Headers    []Field        // replace the fields of these names that a request has
	MaxStreams int            // 0 = no limit
	KeepIdle   time.Duration  // how long an unused connection is kept; 0 = client.DefaultIdle
	Standard   bool           // http too goes by net/http, on goroutines
	Roots      *x509.CertPool // whom to trust for https; nil = the system's
	MaxHead    http1.Limits
	Health     Health
	Standing   *target.Standing // what is known of it; nil = nothing yet, and no breaker

	// Hold counts a connection that package net makes among the descriptors that
	// connections may take, until release; nil = they are not counted.
	Hold func() (release func(), err error)
}

// Upstream is one server behind the gateway. Safe for concurrent use, except
// that Do must be called on the loop that it is given.
type Upstream struct {
	Config
	origin *client.Origin
	end    context.CancelFunc // of the probes
}

// New looks the upstream's name up.
func New(ctx context.Context, cfg Config) (*Upstream, error) {
	if cfg.Standing == nil {
		cfg.Standing = target.NewStanding(target.Config{}, nil)
	}
	o := &client.Origin{
		Endpoint: cfg.Endpoint, Header: cfg.fields(), Idle: cfg.KeepIdle, Limits: cfg.MaxHead,
		NetHTTP: cfg.Standard, Roots: cfg.Roots, Hold: cfg.Hold,
	}
	if limit := cfg.Timeouts.Connect; limit > 0 {
		o.Attempt = min(client.DefaultAttempt, limit/2) // so that there is time for another address
	}
	if err := o.Resolve(ctx); err != nil {
		return nil, fmt.Errorf("upstream %s: %w", cfg.Name, err)
	}
	return &Upstream{Config: cfg, origin: o}, nil
}

// fields are the upstream's own, and its key.
func (c *Config) fields() (all []client.Field) {
	for _, f := range c.Headers {
		all = append(all, client.NewField(f.Name, f.Value))
	}
	if c.Key != "" {
		all = append(all, client.NewField("Authorization", "Bearer "+c.Key))
	}
	return all
}

// Do sends a request: see client.Origin.
func (u *Upstream) Do(l *reactor.Loop, req *client.Request, recv client.Receiver) (*client.Call, error) {
	return u.origin.Do(l, req, recv)
}

// OnLoop reports whether its calls stay on the loop that makes them.
func (u *Upstream) OnLoop() bool { return u.origin.OnLoop() }
