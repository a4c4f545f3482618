package reactor

import (
	"errors"
	"net"
	"net/netip"
	"sync/atomic"

	"weir/internal/invariant"
)

var (
	// ErrClosed is the cause of a connection that this side closed with
	// [Conn.Close].
	ErrClosed = errors.New("reactor: connection closed")
	// ErrPeerClosed is the cause of a connection that the peer closed.
	ErrPeerClosed = errors.New("reactor: peer closed the connection")
	// ErrStalled is the cause of a connection whose peer acknowledged no byte
	// for Config.WriteStall.
	ErrStalled = errors.New("reactor: peer stopped reading")
	// ErrStopped is the cause of connections that were open when the reactor
	// stopped.
	ErrStopped = errors.New("reactor: stopped")
)

// A Handler handles the events of one connection. Its methods are called on the
// connection's loop, one at a time, and must not block.
type Handler interface {
	// Data is called with the bytes that arrived and were not consumed yet, and
	// returns how many it consumes. The rest is passed again, before what
	// arrives next or after Resume. p is valid until Data returns.
	Data(p []byte) (consumed int)
	// PeerClosed reports that the peer shut down its write side or both. Data
	// has had all that it sent; if reading is paused, that comes later, and
	// PeerClosed is called once more after it.
	PeerClosed()
	// Drained reports that output went above the high mark and is back at the
	// low one.
	Drained()
	// Closed is the last call and comes exactly once, with the cause; during
	// Close or Abort, if those end the connection at once.
	Closed(cause error)
}

// A DialHandler is the Handler of an outgoing connection, called on its loop.
type DialHandler interface {
	Handler
	// Connected reports that Data may be called and output may be written. If
	// the connection fails instead, Closed is the only call.
	Connected()
}

type phase uint8

const (
	connecting phase = iota
	open
	flushing  // Close was called: output is written to the end, input discarded
	lingering // FIN is sent: waiting for the peer's
	closed
)

// origin is how a connection came to be, and what it counts as.
type origin uint8

const (
	accepted origin = iota
	dialled
	refusal // accepted to be refused
)

// A Conn is one connection of a loop. Its methods must be called on that loop,
// except for Loop, RemoteAddr, ListenAddr, TLS, SendsFiles and those of the
// write side, which are safe for concurrent use: Lock and Acquire, and while the
// caller holds the lock Err, Pending, Buffer, Room, Backlogged, Wake, Unlock,
// Flush, FlushWith, SendFile and Narrow.
//
// Frames are written like this, on any goroutine:
//
//	c.Lock()
//	if err := c.Err(); err != nil {
//		c.Unlock()
//		return err
//	}
//	buf := c.Buffer()
//	*buf = append(*buf, frame...)
//	c.Flush()
//
// On the loop, Defer in place of Flush sends all frames of a turn by one write.
type Conn struct {
	// What each event needs comes first, so that it lies close together.
	loop     *Loop
	handler  Handler
	fd       int
	output   atomic.Bool // a goroutine writes, or the kernel has taken less than was written: room matters
	phase    phase
	fresh    bool // no event was seen yet
	wary     bool // the first event was not to be trusted: read until the kernel says no
	paused   bool
	choked   bool // nothing is read until a goroutine has taken what was (TLS)
	readable bool // the kernel may have more to read
	gone     bool // the peer shut its sending side
	ended    bool // ... and all of it was read
	toldGone bool // to the handler, that the peer is gone
	toldEnd  bool // ... and that all was read
	shut     bool // this side has shut its own
	reset    bool // close with RST
	dirty    bool // in loop.dirty
	resumed  bool // in loop.resumed
	waiting  bool // in loop.again
	spoken   bool // the peer has sent a byte
	origin   origin
	in       []byte // received, not consumed

	out output

	timer    Timer
	progress progress
	rest     rest
	ends
	cause error
	spare int // bytes still to be discarded while lingering
}

// Loop returns the loop that the connection lives on.
func (c *Conn) Loop() *Loop { return c.loop }

// RemoteAddr returns the peer's address; the zero value for unix sockets.
func (c *Conn) RemoteAddr() netip.AddrPort { return c.remote }

// ListenAddr returns the address of the listener that accepted the connection:
// a wildcard if it listens on one. It is nil for outgoing connections, and for
// those of [Reactor.Attach]. It is safe for concurrent use.
func (c *Conn) ListenAddr() net.Addr { return c.listened() }

// Buffered returns the number of bytes that Data has been called with and not
// consumed.
func (c *Conn) Buffered() int {
	c.loop.check()
	return len(c.in)
}

// PeerGone reports whether the peer has shut down its write side.
func (c *Conn) PeerGone() bool {
	c.loop.check()
	return c.gone
}

// Pause stops reading. A disconnect of the peer is still reported.
func (c *Conn) Pause() {
	c.loop.check()
	c.paused = true
}

// Resume undoes [Conn.Pause] and calls Data again with what was not consumed,
// at the end of the current turn.
func (c *Conn) Resume() {
	c.loop.check()
	c.paused = false
	if c.phase == open {
		c.goOnLater()
	}
}

// goOnLater makes the loop call goOn at the end of the current turn.
func (c *Conn) goOnLater() {
	if !c.resumed {
		c.resumed = true
		c.loop.resumed.add(c)
	}
}

// InputEnded reports whether the peer has shut down its write side and all that
// it sent was read.
func (c *Conn) InputEnded() bool {
	c.loop.check()
	return c.ended
}

// SetHandler passes the connection to another handler, which gets all further
// calls.
func (c *Conn) SetHandler(h Handler) {
	c.loop.check()
	c.handler = h
}

// Close closes the connection gracefully: what is pending is written, then FIN
// is sent, then input is discarded until the peer's FIN or the limits of
// [Config].Linger. Data is not called again.
func (c *Conn) Close() {
	c.loop.check()
	if c.phase == connecting {
		c.Abort(ErrClosed)
		return
	}
	if c.phase != open {
		return
	}
	if s := c.out.secure; s != nil && s.shaking() { // there is nothing to end yet
		c.Drop(ErrClosed)
		return
	}
	c.phase = flushing
	c.forgetInput()
	if c.shut {
		c.linger()
		return
	}
	c.lock().fin = true
	c.flush(nil, nil, true)
	if c.phase != closed {
		c.goOnLater() // discard what has arrived: no further edge will report it
	}
}

// CloseWrite shuts the sending side of the connection when what is pending is
// written, with TLS by a close_notify: nothing can be added any more, and Data is
// still called. Call Close behind it.
func (c *Conn) CloseWrite() {
	c.loop.check()
	if c.phase != open || c.shut {
		return
	}
	c.lock().fin = true
	c.flush(nil, nil, true)
}

// CloseIdle is [Conn.Close] for a connection on which nothing has moved for a
// while: if the peer has acknowledged all output and has sent nothing, it does
// not wait for its FIN. Call [Conn.ReadNow] before, to read what has arrived
// without an event.
func (c *Conn) CloseIdle() {
	c.loop.check()
	if c.phase != open || c.inFlight() {
		c.Close()
		return
	}
	if c.out.secure == nil {
		c.destroy(ErrClosed, false)
		return
	}
	if c.Close(); c.phase == lingering { // close_notify is sent, too
		c.destroy(ErrClosed, false)
	}
}

// inFlight reports whether bytes are on their way, in either direction, as far
// as this side can know.
func (c *Conn) inFlight() bool {
	o := c.lock()
	busy := o.writing || o.pending() > 0
	o.mu.Unlock()
	if busy || len(c.in) > 0 || c.readable || c.out.secure != nil && c.out.secure.holds() {
		return true
	}
	n, err := c.loop.sys.Unacknowledged(c.fd)
	return n > 0 || err != nil
}

// ReadNow reads what has arrived before its event, and calls Data with it. It
// must not be called by Data.
func (c *Conn) ReadNow() {
	c.loop.check()
	if c.phase == open {
		c.readable = true
		c.readOn()
	}
}

// Abort resets the connection at once. What is pending is lost, and the peer
// sees that.
func (c *Conn) Abort(cause error) {
	c.loop.check()
	c.destroy(cause, true)
}

// Drop closes the connection at once: the peer gets FIN, and RST for what it
// still sends. What is pending is lost.
func (c *Conn) Drop(cause error) {
	c.loop.check()
	c.destroy(cause, false)
}

// ready is one event of the kernel.
func (c *Conn) ready(ev Event) {
	if c.phase == connecting {
		if ev&(Writable|Dead) == 0 {
			return
		}
		if err := c.loop.sys.SocketError(c.fd); err != nil {
			c.destroy(err, false)
			return
		}
		c.phase = open
		if c.out.secure != nil {
			c.out.secure.greet()
		} else {
			c.handler.(DialHandler).Connected()
		}
	}
	if ev&(Readable|HalfClosed|Dead) != 0 {
		c.readable = true
	}
	if ev&(HalfClosed|Dead) != 0 {
		c.gone = true
	}
	if c.readable {
		c.read()
	}
	if ev&Dead != 0 && c.phase != closed {
		if err := c.loop.sys.SocketError(c.fd); err != nil {
			c.destroy(err, false)
			return
		}
	}
	if c.gone {
		c.peerGone()
	}
	if ev&Writable != 0 && c.output.Load() && c.phase != closed {
		c.writable()
	}
}

func (c *Conn) peerGone() {
	if s := c.out.secure; s != nil && s.waits() && c.phase == open {
		s.peerGone()
		return
	}
	switch {
	case c.phase == lingering && c.ended:
		c.destroy(ErrClosed, false)
	case c.phase == open && (c.ended && !c.toldEnd || c.paused && !c.toldGone):
		c.toldGone, c.toldEnd = true, c.ended
		c.handler.PeerClosed()
	}
}

// read reads until the kernel has no more, or for its share of the turn.
func (c *Conn) read() {
	for range readsPerTurn {
		if c.holdsBack() || c.ended || c.phase == closed || c.phase == lingering && c.spare <= 0 {
			return // a peer that keeps sending is not read further, so that closing does not cost it the response
		}
		n, err := c.loop.sys.Read(c.fd, c.loop.buf)
		switch {
		case n > 0:
			c.received(c.loop.buf[:n])
			if n < len(c.loop.buf) && !c.gone && !c.wary {
				c.readable = false // the end, were it there, would have been announced
				return
			}
		case err == ErrAgain:
			c.readable = false
			return
		case isEOF(err):
			c.ended, c.gone, c.readable = true, true, false
			c.peerGone()
			return
		default:
			c.destroy(err, false)
			return
		}
	}
	if c.phase != closed && !c.waiting {
		c.waiting = true
		c.loop.again.add(c)
		c.loop.poller.Wake()
	}
}

// holdsBack reports whether nothing is to be read for now. A pause is the
// handler's: a handshake goes on.
func (c *Conn) holdsBack() bool {
	if !c.paused && !c.choked || c.phase != open {
		return false
	}
	return c.choked || c.out.secure == nil || !c.out.secure.shaking()
}

// received passes bytes on, together with those that were not consumed before.
func (c *Conn) received(p []byte) {
	c.spoken = true
	if c.phase != open {
		c.spare -= len(p)
		return
	}
	if c.out.secure != nil {
		c.out.secure.received(p)
		return
	}
	c.show(p)
}

// show calls Data with what the handler may see.
func (c *Conn) show(p []byte) {
	if len(c.in) == 0 {
		if n := c.handler.Data(p); n < len(p) && c.phase == open {
			c.in = append(c.loop.spareBuffer(), p[n:]...)
		}
		invariant.Poison(p)
		return
	}
	c.in = append(c.in, p...)
	c.reshow()
}

// reshow calls Data with the kept bytes again.
func (c *Conn) reshow() {
	n := c.handler.Data(c.in)
	if c.phase != open {
		return
	}
	rest := copy(c.in, c.in[n:])
	invariant.Poison(c.in[rest:])
	switch {
	case rest == 0:
		c.forgetInput()
	default:
		c.in = c.in[:rest]
	}
}

func (c *Conn) forgetInput() {
	if c.in != nil {
		c.loop.keepBuffer(c.in)
		c.in = nil
	}
}

// goOn runs after Resume and after Close.
func (c *Conn) goOn() {
	if c.phase == open && len(c.in) > 0 && !c.paused {
		c.reshow()
	}
	if c.out.secure != nil {
		c.out.secure.proceed()
	}
	c.readOn()
}

// readOn continues where reading stopped: in a pause, or because the share of
// a turn was used up.
func (c *Conn) readOn() {
	if c.readable && c.phase != closed {
		c.read()
	}
	if c.gone && c.phase != closed {
		c.peerGone()
	}
}

// heed processes the news of the write side.
func (c *Conn) heed(n news) {
	if n&newsFree != 0 {
		c.loop.release(c)
	}
	if c.phase == closed {
		return
	}
	if n&newsFailed != 0 {
		c.lastWords()
		c.destroy(c.out.failure(), false)
		return
	}
	if n&newsBlocked != 0 {
		c.watchStall()
	}
	if n&newsFlushed != 0 {
		c.flushed()
		return
	}
	if n&newsDrained != 0 && c.phase == open && (c.out.secure == nil || !c.out.secure.waits()) {
		c.handler.Drained()
	}
}

// lastWords reads what a server sent before it reset a dialled connection,
// which may be the reason: the failed write may have come before the event. The
// end behind it must not be reported as a graceful one: the write has taken the
// error.
func (c *Conn) lastWords() {
	if c.origin != dialled {
		return
	}
	for range readsPerTurn {
		if c.paused || c.phase != open {
			return
		}
		n, err := c.loop.sys.Read(c.fd, c.loop.buf)
		if n <= 0 || err != nil {
			return // the cause is the write's
		}
		c.received(c.loop.buf[:n])
	}
}

func (o *output) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// flushed sends FIN. Behind Close it waits for the peer's: even if that has
// already come, what precedes it must be read: closing with unread input sends
// RST, and the peer loses what it was sent last.
func (c *Conn) flushed() {
	if c.phase == flushing && c.finished() {
		c.destroy(ErrClosed, false)
		return
	}
	if err := c.loop.sys.ShutdownWrite(c.fd); err != nil {
		c.destroy(err, false)
		return
	}
	if c.shut = true; c.phase == flushing {
		c.linger()
	}
}

// finished reports whether the peer's FIN was read, and not only what TLS has
// carried in its place.
func (c *Conn) finished() bool {
	return c.ended && (c.out.secure == nil || !c.out.secure.early)
}

// linger waits for the peer's FIN behind our own.
func (c *Conn) linger() {
	if c.finished() {
		c.destroy(ErrClosed, false)
		return
	}
	if c.ended { // FIN is still to come
		c.ended, c.readable = false, true
	}
	c.phase = lingering
	c.spare = c.loop.reactor.cfg.LingerBytes
	c.loop.StartTimer(&c.timer, c.loop.Now().Add(c.loop.reactor.cfg.Linger))
	c.goOnLater() // discard what has arrived: no further edge will report it
}

// destroy ends the connection. The descriptor is closed at once, or when the
// goroutine that is in write(2) with it comes back.
func (c *Conn) destroy(cause error, reset bool) {
	if c.phase == closed {
		return
	}
	c.phase = closed
	c.cause = cause
	c.loop.StopTimer(&c.timer)
	c.forgetInput()
	c.loop.forget(c, reset)
	o := c.lock()
	o.drop(cause)
	o.doomed = true
	busy := o.writing
	o.mu.Unlock()
	if o.secure != nil {
		o.secure.end(cause)
	}
	if !busy {
		c.loop.release(c)
	}
	c.handler.Closed(cause)
}

const readsPerTurn = 4
