// Package upstream sends requests to the servers behind the gateway. A plain
// HTTP upstream is talked to on the event loop of the client's connection.
package upstream

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"weir/client"
	"weir/cmd/weir/internal/target"
	"weir/http1"
	"weir/reactor"
)

// Field is a header field.
type Field struct{ Name, Value string }

// View is a header field as it came. It is valid until Do returns.
type View struct{ Name, Value []byte }

// Request is what an upstream is asked. Host and framing fields are added.
type Request struct {
	Method string
	Path   []byte // a view, like Query
	Query  []byte // without "?"
	Fields []View
	Length int64  // of the whole body; -1 = not known
	Body   []byte // the body, or its beginning; it stays as it is until Head or Done is told
	More   bool   // the rest follows by Call.Write and Call.EndBody
	Head   []byte // room for the rendered head, in use until Head or Done is told; Do may replace it

	tracked tracked // of the call; last, so that it lies close to what follows in the receiver
}

// Receiver is told how a call goes, on the loop it was made on.
type Receiver = client.Receiver

// Call is a request that was sent. It is used on its loop.
type Call interface {
	// Write sends a further piece of the body. It reports whether more is
	// welcome; if not, Receiver.Drained is called.
	Write(p []byte) (room bool)
	EndBody()
	Pause()  // stop reading the answer
	Resume() // go on
	Cancel() // end the call and its connection at once
	Connected() bool
	Pending() int // bytes of the request that the kernel has not taken
}

// Timeouts bound what an upstream may take (G5). Zero = no limit.
type Timeouts struct{ Connect, FirstEvent, Idle, Total time.Duration }

// Config describes an upstream.
type Config struct {
	Name       string
	URL        string // http://host:port[/prefix], https, or unix:/path
	Timeouts   Timeouts
	Key        string         // sent as a bearer token; "" = none
	Headers    []Field        // replace the fields of these names that a Request has
	MaxStreams int            // 0 = no limit
	KeepIdle   time.Duration  // how long an unused connection is kept; 0 = 4 s, below what servers use
	Standard   bool           // http too goes by net/http, on goroutines
	Roots      *x509.CertPool // whom to trust for https; nil = the system's
	MaxHead    http1.Limits
	Health     Health
	Standing   *target.Standing // what is known of it; nil = nothing yet, and no breaker

	// Hold counts a connection that package net makes among the descriptors that
	// connections may take, until release; nil = they are not counted.
	Hold func() (release func(), err error)
}

// Upstream is one server behind the gateway.
type Upstream struct {
	Config
	replaced  *http1.FieldSet   // the names of Headers, and the key's
	transport http.RoundTripper // of an upstream that is not talked to on the loop
	host      string            // of the Host field
	authority string            // to be looked up: host:port
	prefix    string
	addr      atomic.Pointer[string]
	pools     []*client.Pool     // by loop; each is its loop's own
	lookup    atomic.Int64       // when the last look-up began, in unix nanoseconds
	end       context.CancelFunc // of the probes
}

// New checks the URL and looks its host up.
func New(ctx context.Context, cfg Config, loops int) (*Upstream, error) {
	u := &Upstream{Config: cfg, replaced: replaced(cfg), pools: make([]*client.Pool, loops)}
	if cfg.KeepIdle == 0 {
		u.KeepIdle = 4 * time.Second
	}
	if cfg.Standing == nil {
		u.Standing = target.NewStanding(target.Config{}, nil)
	}
	if strings.HasPrefix(cfg.URL, "unix:") {
		u.host = "localhost"
		u.addr.Store(&cfg.URL)
		return u, nil
	}
	at, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("upstream %s: %w", cfg.Name, err)
	}
	if at.Scheme != "http" && at.Scheme != "https" || at.Host == "" {
		return nil, fmt.Errorf("upstream %s: url %q: want http://host:port or https://host", cfg.Name, cfg.URL)
	}
	u.prefix = strings.TrimSuffix(at.EscapedPath(), "/")
	if at.Scheme == "https" || cfg.Standard {
		u.URL = strings.TrimSuffix(cfg.URL, "/")
		u.transport = newTransport(cfg.Roots, u.KeepIdle, newDialer(cfg.Hold))
		return u, nil
	}
	port := at.Port()
	if port == "" {
		port = "80"
	}
	u.host, u.authority = at.Host, net.JoinHostPort(at.Hostname(), port)
	if err := u.resolve(ctx); err != nil {
		return nil, fmt.Errorf("upstream %s: %w", cfg.Name, err)
	}
	return u, nil
}

// replaced is the fields that a request to the upstream has from its
// configuration alone; nil = none.
func replaced(cfg Config) *http1.FieldSet {
	var names []string
	for _, f := range cfg.Headers {
		names = append(names, f.Name)
	}
	if cfg.Key != "" {
		names = append(names, keyField)
	}
	if names == nil {
		return nil
	}
	return http1.NewFieldSet(names...)
}

// keyField is the field that the key is sent in.
const keyField = "Authorization"

// resolve looks the host up and remembers its first address.
func (u *Upstream) resolve(ctx context.Context) error {
	u.lookup.Store(time.Now().UnixNano())
	host, port, err := net.SplitHostPort(u.authority)
	if err != nil {
		return err
	}
	ips, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return err
	}
	addr := net.JoinHostPort(ips[0], port)
	u.addr.Store(&addr)
	return nil
}

// resolveAnew looks the host up again after a failure, off the loop and once a
// second at most.
func (u *Upstream) resolveAnew() {
	if u.authority == "" {
		return // a unix socket
	}
	last := u.lookup.Load()
	now := time.Now().UnixNano()
	if net.ParseIP(hostOf(u.authority)) != nil || now-last < int64(time.Second) || !u.lookup.CompareAndSwap(last, now) {
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = u.resolve(ctx) // the old address stays
	}()
}

func hostOf(authority string) string {
	host, _, _ := net.SplitHostPort(authority) // made by JoinHostPort
	return host
}

// OnLoop reports whether its calls stay on the loop that makes them: nothing of
// them goes on when Done was told.
func (u *Upstream) OnLoop() bool { return u.transport == nil }

// Do sends a request from loop l and tells recv how it goes. It never waits.
// req is in use until Done is told.
func (u *Upstream) Do(l *reactor.Loop, req *Request, recv Receiver) (Call, error) {
	if u.transport != nil {
		return u.doRemote(l, req, recv), nil
	}
	req.tracked = tracked{recv, u}
	t := &req.tracked
	req.Head = u.appendHead(req.Head[:0], req)
	call, err := u.pool(l).Do(client.Request{Method: req.Method, Head: req.Head, Body: u.body(req), More: req.More}, t)
	if err != nil {
		u.resolveAnew()
		return nil, err
	}
	if req.More && req.Length < 0 {
		return chunkedCall{call}, nil
	}
	return call, nil
}

// pool is the loop's connections to the upstream's present address.
func (u *Upstream) pool(l *reactor.Loop) *client.Pool {
	pool, addr := u.pools[l.ID()], *u.addr.Load()
	if pool == nil || pool.Addr() != addr {
		if pool != nil {
			pool.Close()
		}
		pool = client.NewPool(l, client.Config{Addr: addr, Idle: u.KeepIdle, Limits: u.MaxHead})
		u.pools[l.ID()] = pool
	}
	return pool
}

// tracked is a Receiver that has the host looked up again when it could not be
// connected to.
type tracked struct {
	Receiver
	u *Upstream
}

func (t *tracked) Done(err error) {
	if errors.Is(err, client.ErrConnect) && !reactor.LocalShortage(err) {
		t.u.resolveAnew()
	}
	t.Receiver.Done(err)
}

// appendHead renders the request's head.
func (u *Upstream) appendHead(b []byte, req *Request) []byte {
	b = append(append(append(append(b, req.Method...), ' '), u.prefix...), req.Path...)
	if len(req.Query) > 0 {
		b = append(append(b, '?'), req.Query...)
	}
	b = append(b, " HTTP/1.1\r\n"...)
	b = http1.AppendField(b, "Host", u.host)
	for _, f := range req.Fields {
		if !u.replaced.Has(f.Name) {
			b = http1.AppendField(b, f.Name, f.Value)
		}
	}
	for _, f := range u.Headers {
		b = http1.AppendField(b, f.Name, f.Value)
	}
	if u.Key != "" {
		b = append(append(append(b, keyField+": Bearer "...), u.Key...), "\r\n"...)
	}
	switch {
	case req.Length >= 0:
		b = append(strconv.AppendInt(append(b, "Content-Length: "...), req.Length, 10), "\r\n"...)
	case req.More:
		b = http1.AppendField(b, "Transfer-Encoding", "chunked")
	}
	return append(b, "\r\n"...)
}
