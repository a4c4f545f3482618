// Package client is the outgoing side of HTTP/1.1 on a server's own event
// loops: a gateway's connection to its upstream lives on the loop of the
// connection to its client, so that what is relayed crosses no goroutine.
//
// A Pool keeps the connections of one loop to one address. Pool.Do sends a
// request and returns a Call; a Receiver is shown the answer as it arrives.
// Everything here is for the loop and never blocks.
//
//	Do ──> connect or reuse ──> Receiver.Head ──> Body … ──> Done(nil)
//	                 └───────────────┴──────────────┴──────> Done(err)
package client

import (
	"errors"
	"time"

	"weir/chunked"
	"weir/http1"
	"weir/internal/wheel"
	"weir/reactor"
)

var (
	// ErrCancelled is the end of a call that was cancelled.
	ErrCancelled = errors.New("client: call cancelled")
	// ErrConnect is the end of a call for which no connection could be made.
	ErrConnect = errors.New("client: cannot connect")
	// ErrNoAnswer is the end of a call whose connection closed before a byte
	// of the answer.
	ErrNoAnswer = errors.New("client: connection closed before the answer")
	// ErrTruncated is the end of a call whose connection closed inside the
	// answer.
	ErrTruncated = errors.New("client: connection closed inside the answer")
)

// A Receiver is told how a call goes, on its loop. Every method may cancel the
// call.
type Receiver interface {
	// Head shows the head of the answer; h is valid until Head returns.
	// Interim answers (1xx) are not shown.
	Head(h *http1.Response)
	// Body shows a piece of the body, transfer coding removed; p is valid
	// until Body returns.
	Body(p []byte)
	// Drained tells that a request body that was above the high mark (see
	// Call.Write) may go on.
	Drained()
	// Done is the last call and comes exactly once: with nil when the answer
	// is complete.
	Done(err error)
}

// Request is what a call sends.
type Request struct {
	Method string // decides whether the answer has a body
	Head   []byte // the whole head, with its empty line
	Body   []byte // the body, framed as Head says; or its beginning, when More
	More   bool   // the rest follows by Call.Write and Call.EndBody
}

// Call is one request and its answer.
type Call struct {
	pool  *Pool
	conn  *conn
	req   Request
	recv  Receiver
	more  bool // the request body is not complete
	moved bool // more than req was sent: it cannot be sent again
	over  bool
}

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

// Write sends a further piece of the request body. It reports whether more is
// welcome; if not, the Receiver is told Drained.
func (c *Call) Write(p []byte) (room bool) {
	if c.over {
		return true
	}
	c.moved = true
	if !c.conn.ready {
		c.req.Body = append(c.req.Body[:len(c.req.Body):len(c.req.Body)], p...)
		return false // Connected tells Drained
	}
	rc := c.conn.rc
	rc.Lock()
	if rc.Err() == nil {
		b := rc.Buffer()
		b.B = append(b.B, p...)
	}
	room = !rc.Backlogged()
	rc.Defer()
	return room
}

// EndBody says that the request body is complete.
func (c *Call) EndBody() {
	c.more = false
}

// Pause stops reading the answer; Resume goes on, at the end of the loop's
// turn.
func (c *Call) Pause() {
	if !c.over {
		c.conn.rc.Pause()
	}
}

// Resume undoes Pause.
func (c *Call) Resume() {
	if !c.over {
		c.conn.rc.Resume()
	}
}

// Connected reports whether there is a connection.
func (c *Call) Connected() bool { return c.conn.ready }

// Reused reports whether the call runs on a connection that was kept.
func (c *Call) Reused() bool { return c.conn.used }

// Answered reports whether a byte of the answer has arrived.
func (c *Call) Answered() bool { return c.conn.heard }

// Cancel ends the call and its connection at once. Done is told ErrCancelled.
func (c *Call) Cancel() {
	if !c.over {
		c.finish(ErrCancelled)
		c.conn.rc.Drop(ErrCancelled)
	}
}

func (c *Call) finish(err error) {
	if c.over {
		return
	}
	c.over = true
	c.conn.call = nil
	c.recv.Done(err)
}

// phase is what a connection expects from the upstream.
type phase uint8

const (
	phaseIdle phase = iota // nothing
	phaseHead
	phaseBody
)

// conn is one connection to the upstream.
type conn struct {
	pool    *Pool
	rc      *reactor.Conn
	call    *Call
	head    http1.Response
	decoder chunked.Decoder
	timer   wheel.Timer // of idleness
	left    int64
	phase   phase
	kind    http1.BodyKind
	ready   bool // connected
	used    bool // was in the pool
	heard   bool // a byte of the present answer has arrived
}

// Connected is the reactor's.
func (c *conn) Connected() {
	c.ready = true
	if c.call == nil {
		c.rc.Drop(ErrCancelled)
		return
	}
	moved := c.call.moved
	c.start(c.call)
	if moved && c.call != nil {
		c.call.recv.Drained()
	}
}

// start sends the request.
func (c *conn) start(call *Call) {
	c.call, call.conn = call, c
	c.phase, c.heard = phaseHead, false
	c.head.Reset()
	c.rc.Lock()
	if c.rc.Err() == nil {
		b := c.rc.Buffer()
		b.B = append(append(b.B, call.req.Head...), call.req.Body...)
	}
	c.rc.Defer()
}

// Data is the reactor's.
func (c *conn) Data(p []byte) (consumed int) {
	for {
		n, more := c.step(p[consumed:])
		consumed += n
		if !more {
			return consumed
		}
	}
}

func (c *conn) step(p []byte) (n int, more bool) {
	if c.call == nil || len(p) == 0 {
		if len(p) > 0 { // an answer that nobody asked for
			c.drop(ErrCancelled)
		}
		return 0, false
	}
	c.heard = true
	if c.phase == phaseHead {
		return c.readHead(p)
	}
	return c.readBody(p)
}

func (c *conn) readHead(p []byte) (n int, more bool) {
	n, err := c.head.Parse(p, &c.pool.cfg.Limits)
	switch {
	case err != nil:
		c.fail(err)
		return 0, false
	case n == 0:
		return 0, false
	case c.head.Status() == 101:
		c.fail(errors.New("client: the upstream switched protocols unasked"))
		return 0, false
	case c.head.Status() < 200:
		c.head.Reset()
		return n, true
	}
	c.phase = phaseBody
	c.kind, c.left = c.head.Body(c.call.req.Method)
	c.decoder = chunked.Decoder{MaxBody: c.pool.cfg.BodySize}
	c.call.recv.Head(&c.head)
	if c.call == nil {
		return n, false
	}
	if c.kind == http1.BodyNone || c.kind == http1.BodyLength && c.left == 0 {
		c.complete(len(p) - n)
		return n, c.call != nil
	}
	return n, true
}

func (c *conn) readBody(p []byte) (n int, more bool) {
	data, done := p, false
	switch n = len(p); c.kind {
	case http1.BodyChunked:
		var err error
		if data, n, err = c.decoder.Next(p); err != nil {
			c.fail(err)
			return 0, false
		}
		done = c.decoder.Done()
	case http1.BodyLength:
		n = int(min(c.left, int64(len(p))))
		c.left -= int64(n)
		data, done = p[:n], c.left == 0
	}
	if len(data) > 0 {
		c.call.recv.Body(data)
	}
	if c.call == nil {
		return n, false
	}
	if done {
		c.complete(len(p) - n)
		return n, c.call != nil
	}
	return n, n > 0
}

// complete is the end of a whole answer. The connection is kept if it can be
// used again: the request was sent whole, nobody wants to close, and nothing
// follows that nobody asked for.
func (c *conn) complete(rest int) {
	call := c.call
	c.phase = phaseIdle
	keep := rest == 0 && c.head.KeepAlive() && c.kind != http1.BodyUntilClose && !call.more && !c.rc.PeerGone() &&
		len(c.pool.idle) < c.pool.cfg.MaxIdle
	c.call = nil
	if keep {
		c.used = true
		c.rc.Resume() // the call may have paused it
		c.pool.idle = append(c.pool.idle, c)
		c.pool.loop.StartTimer(&c.timer, c.pool.loop.Now().Add(c.pool.cfg.Idle))
	}
	call.finish(nil)
	if !keep {
		c.rc.Close()
	}
}

// fail ends the call and the connection.
func (c *conn) fail(err error) {
	if call := c.call; call != nil {
		call.finish(err)
	}
	c.rc.Drop(err)
}

// drop ends an unused connection.
func (c *conn) drop(cause error) {
	c.leavePool()
	c.rc.Drop(cause)
}

func (c *conn) leavePool() {
	for i, other := range c.pool.idle {
		if other == c {
			c.pool.idle = append(c.pool.idle[:i], c.pool.idle[i+1:]...)
			c.pool.loop.StopTimer(&c.timer)
			return
		}
	}
}

// Timeout is the wheel's: the connection was idle for too long.
func (c *conn) Timeout(*wheel.Timer) { c.drop(ErrCancelled) }

// Drained is the reactor's.
func (c *conn) Drained() {
	if c.call != nil {
		c.call.recv.Drained()
	}
}

// PeerClosed is the reactor's: the upstream sends nothing more.
func (c *conn) PeerClosed() {
	switch {
	case c.call == nil:
		c.drop(ErrCancelled)
	case !c.rc.InputEnded(): // paused: what has arrived comes first
	case c.phase == phaseBody && c.kind == http1.BodyUntilClose:
		c.complete(0)
	default:
		c.gone()
	}
}

// Closed is the reactor's last word.
func (c *conn) Closed(cause error) {
	c.leavePool()
	if c.call != nil {
		c.lost(cause)
	}
}

// gone is a connection that ended before its answer did.
func (c *conn) gone() {
	c.lost(nil)
	c.rc.Drop(reactor.ErrPeerClosed)
}

// lost gives the call up, or tries it again where that cannot be noticed.
func (c *conn) lost(cause error) {
	call := c.call
	c.call = nil
	if c.used && !c.heard && !call.moved {
		if err := call.pool.dial(call); err == nil {
			return
		}
	}
	err := ErrTruncated
	switch {
	case !c.ready:
		err = ErrConnect
	case !c.heard:
		err = ErrNoAnswer
	}
	if cause != nil {
		err = &Error{Kind: err, Cause: cause}
	}
	call.finish(err)
}

// Error is the end of a call by a failure of its connection.
type Error struct {
	Kind  error // ErrConnect, ErrNoAnswer or ErrTruncated
	Cause error // what the system said
}

func (e *Error) Error() string   { return e.Kind.Error() + ": " + e.Cause.Error() }
func (e *Error) Unwrap() []error { return []error{e.Kind, e.Cause} }
