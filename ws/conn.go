package ws

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"weir"
	"weir/reactor"
)

// A Conn is one WebSocket connection. It is safe for concurrent use at any time,
// except Read, which is for one goroutine: after its end the methods have no
// effect and return its cause.
//
// A message that is sent leaves at once, or with others of the same turn of the
// event loop. While more than the server's Limits.HighMark bytes wait for the
// peer, Send waits, and TrySend returns [weir.ErrBacklog]; a peer that takes no
// byte for Timeouts.WriteStall is disconnected. As long as the peer is behind,
// nothing is read from it.
type Conn struct {
	link     link
	set      *settings
	mode     mode
	deflate  terms
	handler  Handler // of the goroutine that works, or of the loop
	protocol string
	remote   netip.AddrPort

	// The loop's, see loop.go.
	dec  decoder
	rest []byte // shown to the decoder, and not taken
	owed []byte // the payload of a pong for which there was no room
	chores
	share     int32 // bytes that may still be inflated in this turn
	inflating bool  // a goroutine inflates a message for the loop
	paused    bool  // nothing is read from the peer
	ended     bool  // nothing that comes is of interest any more
	end       error // ... because of this

	moved atomic.Int64 // messages, in both directions
	deaf  atomic.Bool  // messages that come, or wait, are dropped

	mu      sync.Mutex
	close   farewell
	asked   bool  // Close was called
	err     error // why the connection ends; nil while it does not
	working bool  // a goroutine works on the queue
	queue   queue
	input   int // bytes that the loop keeps; the loop changes them
	inHand  int // bytes of the message that a goroutine has
	kept    int // bytes of the server's budget
	rooms   []*Room
	value   any
	last    []byte // what Read has returned
}

// farewell is how far this side is with its Close.
type farewell uint8

const (
	open   farewell = iota
	saying          // it is about to be sent
	silent          // it was sent, or there is nobody to send it to
)

// mode is where the messages go.
type mode uint8

const (
	inline  mode = iota // to the handler, on the loop
	working             // to the handler, on a goroutine while there are any
	reading             // to Read
)

// A link is what a connection stands on. What is not said to be the loop's is
// safe for concurrent use.
type link interface {
	// trySend sends a frame and never waits. It returns weir.ErrBacklog if there
	// is no room.
	trySend(first byte, payload []byte) error
	// trySendBatch is trySend of a whole frame that others get, too; it is not
	// masked.
	trySendBatch(b *weir.Batch, frame []byte) error
	// sendLast sends a frame, even if there is no room, and no other behind it.
	sendLast(first byte, payload []byte) error
	// room returns nil while there is room, else what is closed when there is.
	room() <-chan struct{}
	// behind reports whether there is none; then drained is called when there is
	// some. The loop's, as are pause and resume.
	behind() bool
	pause()
	resume()
	// keep notes how many bytes the connection holds; it reports false if that is
	// too much.
	keep(n int64) bool
	// end closes the connection behind what was sent, abort resets it. crash is
	// abort for a handler that has panicked with that value, which it logs; the
	// peer gets 1011.
	end()
	abort(cause error)
	crash(value any)
	// done is closed when it has ended, before Closed is called. cause says why,
	// from then on; nil before, and if end was called.
	done() <-chan struct{}
	cause() error
	loop() *reactor.Loop
	// drain returns when the server, shutting down, aborts the connection at the
	// earliest; ok is false while it is not.
	drain() (at time.Time, ok bool)
}

// ErrClosed is what Send returns once this side has closed the connection, with
// Close or by its limits or a drain. The cause is what Err returns.
var ErrClosed = errors.New("ws: connection closed")

var errKind = errors.New("ws: unknown kind of message: want Text or Binary")

// ErrNoPong is the cause of a connection whose peer was silent from one ping to
// the next. It is a [weir.ErrClientGone], and an [ErrServerGone].
var ErrNoPong error = &noPong{}

type noPong struct{}

func (*noPong) Error() string   { return "ws: no pong" }
func (*noPong) Unwrap() []error { return []error{weir.ErrClientGone, ErrServerGone} }

// Subprotocol returns the subprotocol that was agreed on, or "".
func (c *Conn) Subprotocol() string { return c.protocol }

// Deflates reports whether compression was agreed on.
func (c *Conn) Deflates() bool { return c.deflate.on }

// RemoteAddr returns the peer's address; the zero value on unix sockets.
func (c *Conn) RemoteAddr() netip.AddrPort { return c.remote }

// SetValue keeps a value with the connection, for Value. It belongs to the
// handler.
func (c *Conn) SetValue(v any) {
	c.mu.Lock()
	c.value = v
	c.mu.Unlock()
}

// Value returns what SetValue has kept.
func (c *Conn) Value() any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.value
}

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.link.done() }

// Err returns why the connection ends or has ended: nil while it is open, a
// *[CloseError] if a Close was sent or received, else [weir.ErrClientGone],
// [weir.ErrSlowClient], [weir.ErrServerClosed], a *[weir.PanicError] and the
// like; for a connection of [Dial], [ErrServerGone] or one of package reactor.
func (c *Conn) Err() error {
	c.mu.Lock()
	err := c.err
	c.mu.Unlock()
	if err == nil {
		err = c.link.cause() // which the loop may be about to report
	}
	return err
}

// Send sends a message. Above the high mark it waits, except with
// [Options].Inline, where it returns [weir.ErrBacklog]. The caller may reuse p
// when Send returns. Text is not checked to be UTF-8. Errors: [ErrClosed] once
// this side has closed, and the cause after another end.
func (c *Conn) Send(kind Kind, p []byte) error { return c.send(kind, p, c.mode != inline) }

// TrySend is [Conn.Send] except that it never waits: above the high mark it sends
// nothing and returns [weir.ErrBacklog].
func (c *Conn) TrySend(kind Kind, p []byte) error { return c.send(kind, p, false) }

func (c *Conn) send(kind Kind, p []byte, wait bool) error {
	if !kind.valid() {
		return errKind
	}
	first, payload := finBit|byte(kind), p
	if c.deflate.on && len(p) >= c.set.DeflateMin {
		small := appendDeflated(grow(nil, 0, 0), p, int(c.deflate.window))
		defer release(small)
		if len(small) < len(p) {
			first, payload = first|rsv1Bit, small
		}
	}
	for {
		err := c.link.trySend(first, payload)
		if err != weir.ErrBacklog || !wait {
			return c.noteSent(err, len(p))
		}
		if room := c.link.room(); room != nil {
			<-room
		}
	}
}

// noteSent counts a message of n bytes, unless it was not sent.
func (c *Conn) noteSent(err error, n int) error {
	if err != nil {
		return c.sendError(err)
	}
	c.moved.Add(1)
	c.set.Stats.sent.Add(1)
	c.set.Stats.bytesOut.Add(int64(n))
	return nil
}

// sendError returns what a failed send returns.
func (c *Conn) sendError(err error) error {
	if err == weir.ErrBacklog {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.asked:
		return ErrClosed
	case c.err != nil:
		return c.err
	case errors.Is(err, weir.ErrPipeClosed):
		return ErrClosed
	}
	return err
}

// Close begins to close the connection: what was sent is delivered, then a Close
// with the code, or without one for [NoStatus], and the reason, of which at most
// 123 bytes are sent; and the connection ends when the peer has closed it too, or
// after CloseTimeout. It does not wait for that. What the peer still sends is
// dropped. It returns an error if the code must not be sent, and [ErrClosed] if
// the connection was closed before.
func (c *Conn) Close(code Code, reason string) error {
	if !code.sendable() && code != NoStatus {
		return errors.New("ws: this code is not for sending: want 1000 to 1003, 1007 to 1014, or 3000 to 4999")
	}
	if !c.sayClose(code, reason, &CloseError{Code: code, Reason: reason}, true) {
		return ErrClosed
	}
	c.link.loop().Post((*closeTask)(c))
	return nil
}

// sayClose sends a Close, once, and notes the cause, and whether the user asked
// for it. It reports whether it was the one that did: who else wanted to leaves
// the end of the connection to that one.
func (c *Conn) sayClose(code Code, reason string, cause error, asked bool) bool {
	c.mu.Lock()
	if c.close != open {
		c.mu.Unlock()
		return false
	}
	c.close, c.err, c.asked = saying, cause, asked
	c.mu.Unlock()
	if asked {
		c.deaf.Store(true)
	}
	var b [maxControl]byte
	_ = c.link.sendLast(finBit|byte(ws.OpClose), appendClose(b[:0], code, reason)) // a peer that is gone needs none
	c.silence(cause)
	return true
}

// silence notes that no Close is to be sent any more, and the cause, unless there
// is another.
func (c *Conn) silence(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.close = silent
	if c.err == nil {
		c.err = cause
	}
}

func (c *Conn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.close != open
}

// conclude ends the connection because of the peer: it has closed it, and gets its
// code back; it violates the protocol or a limit, and gets the code for that; or
// it sends no more, and gets no Close.
func (c *Conn) conclude(end error) {
	e, ok := end.(*CloseError)
	switch {
	case !ok:
		c.silence(end)
	case e.Remote:
		c.sayClose(e.Code, "", e, false)
	case c.sayClose(e.Code, e.Reason, e, false):
		c.set.Stats.failed.Add(1)
	}
	c.mu.Lock()
	said := c.close == silent
	c.mu.Unlock()
	if said { // else Close is about to send its own, and the end is closeTask's
		c.link.end()
	}
}

// lose ends a connection whose peer is lost.
func (c *Conn) lose(cause error) {
	c.silence(cause)
	c.link.abort(cause)
}
