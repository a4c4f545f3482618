package weir

import (
	"bytes"
	"sync/atomic"
	"time"

	"weir/reactor"
)

const pooledExchanges = 256

// shard is one loop's part of the server. Only its loop uses it, except for the
// counters.
type shard struct {
	srv      *Server
	loop     *reactor.Loop
	conns    conn // the head of a circle
	count    int
	spare    []*exchange
	scratch  []byte
	requests atomic.Uint64
	last     memo
	batched  writeQueue

	idle     time.Duration // how long a connection may be without a request
	refusing bool          // requests get 503
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
	sh := &shard{srv: s, loop: l, idle: s.Timeouts.Idle, scratch: make([]byte, 0, scratchSize), batched: writeQueue{loop: l}}
	sh.conns.prev, sh.conns.next = &sh.conns, &sh.conns
	return sh
}

// accept makes the handler of a new connection.
func (sh *shard) accept(rc *reactor.Conn) reactor.Handler {
	c := &conn{srv: sh.srv, shard: sh, rc: rc}
	c.timer.Init((*overdueTask)(c))
	c.since = sh.loop.Now()
	c.startTimer(c.since.Add(sh.idle))
	head := &sh.conns
	c.prev, c.next = head.prev, head
	head.prev.next, head.prev = c, c
	sh.count++
	sh.srv.conns.Add(1)
	rc.Rest(c.since)
	return c
}

func (sh *shard) remove(c *conn) {
	c.prev.next, c.next.prev = c.next, c.prev
	c.prev, c.next = nil, nil // who keeps one ended stream must not keep its connection's neighbours
	sh.count--
	sh.srv.connClosed()
}

// each calls f for every connection; f may close it.
func (sh *shard) each(f func(c *conn)) {
	for c := sh.conns.next; c != &sh.conns; {
		next := c.next
		f(c)
		c = next
	}
}

// exchange returns an exchange for a new request.
func (sh *shard) exchange(c *conn) *exchange {
	if n := len(sh.spare); n > 0 {
		ex := sh.spare[n-1]
		sh.spare = sh.spare[:n-1]
		ex.conn, ex.carrier, ex.wire, ex.srv = c, c, c.rc, c.srv
		ex.req.remote = c.rc.RemoteAddr()
		return ex
	}
	ex := &exchange{conn: c, carrier: c, wire: c.rc, srv: c.srv}
	ex.req.ex, ex.res.ex, ex.out = ex, ex, &ex.res
	ex.res.header.framed, ex.res.header.ex, ex.req.header.ex = true, ex, ex
	ex.req.remote = c.rc.RemoteAddr()
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
	if ex.req.route == nil || !ex.req.route.inline() || ex.left > 0 || ex.unread {
		return false
	}
	if ex.loop.released && ex.cause != nil || !ex.loop.released && ex.stream.id != 0 || ex.stream.given {
		return false // other goroutines may have it
	}
	return ex.done == nil && ex.ctx == nil
}
