package weir

import (
	"bytes"
	"sync/atomic"

	"weir/internal/h1"
	"weir/reactor"
)

const pooledExchanges = 256

// shard is one loop's part of the server. Only its loop uses it, except for the
// counters.
type shard struct {
	srv      *Server
	loop     *reactor.Loop
	conns    *h1.Group
	spare    []*exchange
	scratch  []byte
	requests atomic.Uint64
	last     memo
	batched  writeQueue
	woken    roundQueue
}

// memo is the route of the last request that was routed by a pattern without
// wildcards. Clients ask for the same thing again and again: it is found
// without a look at the patterns.
type memo struct {
	mux                *Mux
	route              *Route
	method, host, path []byte
}

// find routes a request.
func (sh *shard) find(r *Request) *Route {
	m, mux := &sh.last, sh.srv.mux()
	method, host, path := r.head.Method(), r.head.Host(), r.head.Path()
	if m.route != nil && m.mux == mux && bytes.Equal(path, m.path) && bytes.Equal(method, m.method) && bytes.Equal(host, m.host) {
		return m.route
	}
	rt := sh.srv.find(mux, r)
	if rt.pattern != "" && r.params.Len() == 0 {
		m.mux, m.route = mux, rt
		m.method, m.host, m.path = append(m.method[:0], method...), append(m.host[:0], host...), append(m.path[:0], path...)
	}
	return rt
}

func newShard(s *Server, l *reactor.Loop) *shard {
	sh := &shard{srv: s, loop: l, scratch: make([]byte, 0, scratchSize)}
	sh.batched.loop, sh.woken.loop = l, l
	sh.conns = h1.NewGroup(l, (*host)(sh), &h1.Limits{
		Head: s.headLimits, Pipelined: s.Limits.Pipelined, BodyRate: s.Limits.BodyRate, Bodies: s.bodies,
		HeadTime: s.Timeouts.Head, BodyGrace: s.Timeouts.BodyGrace, Idle: s.Timeouts.Idle,
	})
	return sh
}

// accept makes the handler of a new connection.
func (sh *shard) accept(rc *reactor.Conn) reactor.Handler {
	sh.srv.conns.Add(1)
	return sh.conns.Accept(rc)
}

// host is a shard as its connections see it.
type host shard

// Exchange returns an exchange for a new request.
func (h *host) Exchange(c *h1.Conn) *h1.Exchange {
	ex := (*shard)(h).exchange()
	rc := c.Wire()
	ex.conn, ex.wire, ex.req.remote = c, rc, rc.RemoteAddr()
	return &ex.Exchange
}

// Secured gives a connection to net/http if that speaks its protocol.
func (h *host) Secured(rc *reactor.Conn) (taken bool) {
	if h.srv.http2 == nil || rc.TLS().NegotiatedProtocol != "h2" {
		return false
	}
	h.srv.http2.take(rc)
	return true
}

// Idle reports whether net/http has no request of a connection.
func (h *host) Idle(rc *reactor.Conn) bool { return h.srv.http2.idle.giveUp(rc) }

func (h *host) Closed() { h.srv.connClosed() }

// exchange returns a spare exchange, or a new one.
func (sh *shard) exchange() *exchange {
	if n := len(sh.spare); n > 0 {
		ex := sh.spare[n-1]
		sh.spare = sh.spare[:n-1]
		return ex
	}
	ex := &exchange{shard: sh, srv: sh.srv}
	ex.carrier = (*downward)(ex)
	ex.req.ex, ex.res.ex, ex.out = ex, ex, &ex.res
	ex.res.header.framed, ex.res.header.ex, ex.req.header.ex = true, ex, ex
	ex.Init((*upward)(ex), &ex.req.head)
	return ex
}

// recycle takes back an exchange that never left the loop.
func (sh *shard) recycle(ex *exchange) {
	if !ex.free() || len(sh.spare) == pooledExchanges {
		return
	}
	ex.reset()
	sh.spare = append(sh.spare, ex)
}

// free reports whether the exchange, which has ended, is no longer used:
// nothing of it was given away, or its handler has promised so.
func (ex *exchange) free() bool {
	if ex.req.route == nil || !ex.req.route.inline() || !ex.Arrived() {
		return false
	}
	if ex.loop.released && ex.cause != nil || !ex.loop.released && ex.stream.id != 0 || ex.stream.given || ex.listed || ex.away {
		return false // other goroutines may have it, or the loop's queue
	}
	return ex.done == nil && ex.ctx == nil
}
