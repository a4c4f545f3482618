package client

import (
	"time"

	"weir/http1"
	"weir/reactor"
)

// Config is how a Pool connects. The zero value of a field is its default.
type Config struct {
	Addr     string        // "127.0.0.1:8000", "[::1]:8000" or "unix:/path"
	Idle     time.Duration // how long an unused connection is kept: 4 s, below what servers use
	MaxIdle  int           // how many of them: 64
	Limits   http1.Limits  // of the answer's head
	BodySize int64         // longest body of an answer in chunks or until close; 0 = no limit
}

// Pool keeps one loop's connections to one address.
type Pool struct {
	loop *reactor.Loop
	cfg  Config
	idle []*conn // the last one was used last
}

// NewPool returns an empty pool.
func NewPool(l *reactor.Loop, cfg Config) *Pool {
	if cfg.Idle == 0 {
		cfg.Idle = 4 * time.Second
	}
	if cfg.MaxIdle == 0 {
		cfg.MaxIdle = 64
	}
	return &Pool{loop: l, cfg: cfg}
}

// Do starts a call. What goes wrong later, connecting included, is told by
// Done; a failure that is known at once is returned, and then nothing is told.
//
// A kept connection that turns out to be closed before a byte of the answer is
// replaced by a fresh one, once, unseen by the Receiver (RFC 9112 9.3.1), as
// long as no more than req was sent.
func (p *Pool) Do(req Request, recv Receiver) (*Call, error) {
	call := &Call{pool: p, req: req, recv: recv, more: req.More}
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.loop.StopTimer(&c.timer)
		c.start(call)
		return call, nil
	}
	return call, p.dial(call)
}

func (p *Pool) dial(call *Call) error {
	c := &conn{pool: p, call: call}
	c.timer.Owner = c
	rc, err := p.loop.Dial(p.cfg.Addr, c)
	if err != nil {
		return err
	}
	c.rc, call.conn = rc, c
	return nil
}

// Addr is where the pool connects to.
func (p *Pool) Addr() string { return p.cfg.Addr }

// IdleConns is the number of kept connections.
func (p *Pool) IdleConns() int { return len(p.idle) }

// Close drops the kept connections.
func (p *Pool) Close() {
	for len(p.idle) > 0 {
		p.idle[len(p.idle)-1].drop(ErrCancelled)
	}
}
