// Package upstream is the servers behind the gateway: each is a client.Origin
// with what the gateway knows and asks of it.
package upstream

import (
	"bytes"
	"context"
	"crypto/x509"
	"time"

	"weir/client"
	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/dialect/openai"
	"weir/cmd/weir/internal/target"
	"weir/http1"
	"weir/reactor"
)

// Field is a header field.
type Field struct{ Name, Value string }

// Timeouts bound what an upstream may take (G5). Zero = no limit.
type Timeouts struct{ Connect, FirstEvent, Idle, Whole, Total time.Duration }

// Config describes an upstream.
type Config struct {
	Name       string
	Endpoint   client.Endpoint
	Timeouts   Timeouts
	Key        string            // sent as each dialect wants it; "" = none
	Dialects   []dialect.Dialect // that it speaks; none = OpenAI's
	Headers    []Field           // replace the fields of these names that a request has
	MaxStreams int               // 0 = no limit
	KeepIdle   time.Duration     // how long an unused connection is kept; 0 = client.DefaultIdle
	HTTP2      bool              // calls are net/http's, on goroutines, over HTTP/2 if an https server offers it
	Roots      *x509.CertPool    // whom to trust for https; nil = the system's
	MaxHead    http1.Limits
	Health     Health
	Standing   *target.Standing // what is known of it; nil = nothing yet, and no breaker
	Believed   time.Duration    // how long the addresses of its name are; 0 = client.DefaultRefresh, negative = until one cannot be connected to

	// Lookup returns the addresses of a host; nil = net.DefaultResolver.
	Lookup func(ctx context.Context, host string) ([]string, error)

	// Hold counts a connection that package net makes among the descriptors that
	// connections may take, until release; nil = they are not counted.
	Hold func() (release func(), err error)
}

// Upstream is one server behind the gateway. Safe for concurrent use, except
// that Do must be called on the loop that it is given.
type Upstream struct {
	Config
	origin      *client.Origin
	credentials []credentials
	end         context.CancelFunc // of what Start began; nil = nothing
}

// New returns an upstream of which nothing is looked up yet: see Resolve.
func New(cfg Config) *Upstream {
	if cfg.Standing == nil {
		cfg.Standing = target.NewStanding(target.Config{}, nil)
	}
	if cfg.Dialects == nil {
		cfg.Dialects = []dialect.Dialect{openai.Dialect}
	}
	u := &Upstream{Config: cfg, credentials: cfg.credentialsOf()}
	u.origin = &client.Origin{
		Endpoint: cfg.Endpoint, Header: cfg.fields(), Idle: cfg.KeepIdle, Limits: cfg.MaxHead,
		NetHTTP: cfg.HTTP2, Roots: cfg.Roots, Hold: cfg.Hold,
		Refresh: cfg.Believed, Lookup: cfg.Lookup, Looked: u.looked,
	}
	if limit := cfg.Timeouts.Connect; limit > 0 {
		u.origin.Attempt = min(client.DefaultAttempt, limit/2) // so that there is time for another address
	}
	return u
}

// fields are the upstream's own.
func (c *Config) fields() (all []client.Field) {
	for _, f := range c.Headers {
		all = append(all, client.NewField(f.Name, f.Value))
	}
	return all
}

// Do sends a request, whose path is as clients write it: see client.Origin, and
// place for what becomes of the path.
func (u *Upstream) Do(l *reactor.Loop, req *client.Request, recv client.Receiver) (*client.Call, error) {
	u.place(req)
	return u.origin.Do(l, req, recv)
}

// apiBase is how the paths of an API begin, where an upstream's URL has no path.
const apiBase = "/v1"

// place puts a client's path where the upstream has it (G21): the path of its
// URL replaces /v1. Other paths, such as Ollama's, begin at the host.
func (u *Upstream) place(req *client.Request) {
	rest, isAPI := bytes.CutPrefix(req.Path, []byte(apiBase))
	if !isAPI || len(rest) == 0 || rest[0] != '/' {
		req.Rooted = true
	} else if u.Endpoint.Path != "" {
		req.Path = rest
	}
}

// OnLoop reports whether its calls stay on the loop that makes them: all but
// those of HTTP/2, and of https through a proxy.
func (u *Upstream) OnLoop() bool { return u.origin.OnLoop() }
