package client

import (
	"crypto/tls"
	"net"
	"slices"
	"time"

	"weir/http1"
	"weir/reactor"
)

// Config configures a [Pool]. The zero value of a field is its default.
//
// In a copy of TLS, ServerName is the host of Addr by default, NextProtos is
// "http/1.1" and ClientSessionCache a cache of the pool's own, so that it does
// not take a whole handshake to connect once more.
type Config struct {
	Addr     string        // "127.0.0.1:8000", "[::1]:8000" or "unix:/path"
	TLS      *tls.Config   // of connections that speak TLS; nil = in the clear. See below
	Idle     time.Duration // how long an unused connection is kept: 4 s, below what servers use; negative = until its peer closes it
	MaxIdle  int           // how many of them: 64; negative = none
	Limits   http1.Limits  // of a response's head
	BodySize int64         // longest body of a response in chunks or until close; 0 and less = no limit
}

// A Pool keeps one loop's connections to one address. Its methods must be
// called on that loop.
type Pool struct {
	loop   *reactor.Loop
	cfg    Config
	tls    *reactor.TLS // nil = in the clear
	idle   []*conn      // the last one was used last
	closed bool
}

// NewPool returns an empty pool.
func NewPool(l *reactor.Loop, cfg Config) *Pool {
	cfg.fillIn()
	p := &Pool{loop: l, cfg: cfg}
	if cfg.TLS != nil {
		p.tls = &reactor.TLS{Config: tlsConfig(cfg.TLS, cfg.Addr)}
	}
	return p
}

// tlsConfig fills in what a client's configuration lacks.
func tlsConfig(of *tls.Config, addr string) *tls.Config {
	c := of.Clone()
	if c.ServerName == "" {
		c.ServerName, _, _ = net.SplitHostPort(addr) // none for a unix socket: the handshake will say so
	}
	if c.NextProtos == nil {
		c.NextProtos = []string{"http/1.1"}
	}
	if c.ClientSessionCache == nil {
		c.ClientSessionCache = tls.NewLRUClientSessionCache(1) // of one name
	}
	return c
}

// The defaults of Config's fields.
const (
	DefaultIdle    = 4 * time.Second
	DefaultMaxIdle = 64
)

func (c *Config) fillIn() {
	switch {
	case c.Idle == 0:
		c.Idle = DefaultIdle
	case c.Idle < 0:
		c.Idle = reactor.Never
	}
	c.BodySize = max(0, c.BodySize)
	if c.MaxIdle == 0 {
		c.MaxIdle = DefaultMaxIdle
	}
}

// Do starts a call. What goes wrong later, connecting included, is reported by
// Receiver.Done; a failure that is known at once is returned, as an *[Error] of
// kind [ErrConnect] or one that wraps ErrRequest, and then recv is not called.
//
// A pooled connection that turns out to be closed before a byte of the response
// is replaced by a fresh one, once, unseen by the Receiver (RFC 9112 9.3.1). A
// request with More could not be sent again, so it gets a fresh one from the
// start.
func (p *Pool) Do(req RawRequest, recv Receiver) (*Call, error) {
	p.loop.Check()
	if err := checkSwitch(req.Upgrade, req.More, recv); err != nil {
		return nil, err
	}
	call := &Call{req: req, recv: recv, more: req.More}
	if err := p.connect(call); err != nil {
		return nil, &Error{Kind: ErrConnect, Cause: err}
	}
	return call, nil
}

// connect gives the call a pooled connection if it may have one, else starts
// one.
func (p *Pool) connect(call *Call) error {
	if !call.req.More {
		if c := p.take(); c != nil {
			call.pool, call.reused = p, true
			c.start(call)
			return nil
		}
	}
	return p.dial(call)
}

// dial starts a connection for the call.
func (p *Pool) dial(call *Call) error {
	call.pool = p
	c := &conn{pool: p, call: call}
	c.timer.Init((*lateTask)(c))
	rc, err := p.connection(c)
	if err != nil {
		return err
	}
	c.rc, call.conn, call.reused = rc, c, false
	if call.paused {
		rc.Pause()
	}
	call.search.limit(c)
	return nil
}

func (p *Pool) connection(c *conn) (*reactor.Conn, error) {
	if p.tls != nil {
		return p.loop.DialTLS(p.cfg.Addr, p.tls, c)
	}
	return p.loop.Dial(p.cfg.Addr, c)
}

// Addr returns the address that the pool connects to.
func (p *Pool) Addr() string { return p.cfg.Addr }

// GiveUp closes the connection that has been idle longest, if there is one. The
// loop calls it when another connection needs the descriptor.
func (p *Pool) GiveUp() {
	p.loop.Check()
	if len(p.idle) > 0 {
		p.idle[0].drop(reactor.ErrClosed)
	}
}

// IdleConns returns the number of pooled idle connections.
func (p *Pool) IdleConns() int {
	p.loop.Check()
	return len(p.idle)
}

// Close closes the pooled connections, and from then on none is pooled. Running
// calls continue, and further ones may be made.
func (p *Pool) Close() {
	p.loop.Check()
	p.closed = true
	for len(p.idle) > 0 {
		p.idle[len(p.idle)-1].retire()
	}
}

func (p *Pool) room() bool { return !p.closed && len(p.idle) < p.cfg.MaxIdle }

// put pools a connection for the next call.
func (p *Pool) put(c *conn) {
	if p.idle = append(p.idle, c); len(p.idle) == 1 {
		p.loop.Offer(p)
	}
	p.loop.StartTimer(&c.timer, p.loop.Now().Add(p.cfg.Idle))
}

// take returns the connection that was used last: the others may expire. It
// returns nil if there is none.
func (p *Pool) take() *conn {
	if len(p.idle) == 0 {
		return nil
	}
	c := p.idle[len(p.idle)-1]
	p.remove(c)
	return c
}

// remove forgets c if it is pooled.
func (p *Pool) remove(c *conn) {
	for i := len(p.idle) - 1; i >= 0; i-- {
		if p.idle[i] == c {
			p.idle = slices.Delete(p.idle, i, i+1)
			p.loop.StopTimer(&c.timer)
			if len(p.idle) == 0 {
				p.loop.Withdraw(p)
			}
			return
		}
	}
}
