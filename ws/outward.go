package ws

import (
	"crypto/rand"
	"errors"
	"fmt"
	"runtime/debug"
	"syscall"
	"time"

	"weir"
	"weir/reactor"
)

// ErrServerGone is the cause of a client's connection whose server has closed or
// reset it without a Close.
var ErrServerGone = errors.New("ws: server disconnected without a Close")

// outward is the link of a client's connection, and its reactor.Handler.
type outward struct {
	rc      *reactor.Conn
	conn    *Conn
	over    chan struct{} // closed when it has ended,
	why     error         // ... because of this; written before
	release func()        // of the loop; may be nil

	// Guarded by the output's lock.
	turn bool // Data is running: what is sent meanwhile leaves at the end of the loop's turn
	last bool // sendLast was called
}

// clientConn is a connection and what it stands on, in one piece of memory.
type clientConn struct {
	Conn
	out outward
}

// newMask returns a mask that the peer cannot foresee (RFC 6455 10.3).
func newMask() (mask [4]byte) {
	_, _ = rand.Read(mask[:]) // never fails
	return mask
}

func (o *outward) trySend(first byte, payload []byte) error {
	b, _, err := o.rc.Acquire()
	switch {
	case err == nil && o.last:
		err = weir.ErrPipeClosed
	case err == nil && b == nil:
		err = weir.ErrBacklog
	}
	if err != nil {
		o.rc.Unlock()
		return sendError(err)
	}
	o.put(b, first, payload)
	return nil
}

// trySendBatch copies the frame, as trySend does: what others get is not masked.
func (o *outward) trySendBatch(_ *weir.Batch, frame []byte) error {
	at := 2
	switch frame[1] {
	case 126:
		at = 4
	case 127:
		at = 10
	}
	return o.trySend(frame[0], frame[at:])
}

func (o *outward) sendLast(first byte, payload []byte) error {
	o.rc.Lock()
	if err := o.rc.Err(); err != nil {
		o.rc.Unlock()
		return sendError(err)
	}
	o.last = true
	o.rc.Wake() // those that wait to send
	o.put(o.rc.Buffer(), first, payload)
	return nil
}

// put adds a frame to the output, and releases its lock. The copy there is what
// is masked.
func (o *outward) put(b *[]byte, first byte, payload []byte) {
	*b = appendMasked(*b, first, payload, newMask())
	if o.turn {
		o.rc.Unlock()
	} else {
		o.rc.Flush()
	}
}

func (o *outward) room() <-chan struct{} {
	o.rc.Lock()
	defer o.rc.Unlock()
	if o.last {
		return nil
	}
	return o.rc.Room()
}

func (o *outward) behind() bool {
	o.rc.Lock()
	defer o.rc.Unlock()
	return o.rc.Backlogged()
}

func (o *outward) pause()  { o.rc.Pause() }
func (o *outward) resume() { o.rc.Resume() }

// keep has no budget to count in: a client's connection is bounded by its own
// limits.
func (o *outward) keep(int64) bool { return true }

func (o *outward) end() { o.rc.Loop().Post(reactor.TaskFunc(o.rc.Close)) }

func (o *outward) abort(cause error) {
	o.rc.Loop().Post(reactor.TaskFunc(func() { o.rc.Abort(cause) }))
}

func (o *outward) crash(value any) {
	err := &weir.PanicError{What: handlerName, Value: value, Stack: debug.Stack()}
	o.rc.Loop().Logger().Error("ws: "+err.Error(), "server", o.rc.RemoteAddr(), "stack", string(err.Stack))
	o.conn.sayClose(InternalError, "", err, false)
	o.end()
}

func (o *outward) done() <-chan struct{} { return o.over }

func (o *outward) cause() error {
	select {
	case <-o.over:
		return o.why
	default:
		return nil
	}
}

func (o *outward) loop() *reactor.Loop      { return o.rc.Loop() }
func (o *outward) drain() (time.Time, bool) { return time.Time{}, false }

func (o *outward) receiver() *receiver { return (*receiver)(o.conn) }

// Data implements reactor.Handler. The connection keeps what it cannot take.
func (o *outward) Data(p []byte) int {
	o.rc.Lock()
	o.turn = true
	o.rc.Unlock()
	o.receiver().Data(p)
	o.rc.Lock()
	if o.turn = false; o.rc.Pending() > 0 {
		o.rc.Defer()
	} else {
		o.rc.Unlock()
	}
	return len(p)
}

// PeerClosed implements reactor.Handler. What was sent before comes first.
func (o *outward) PeerClosed() {
	if o.rc.InputEnded() {
		o.receiver().End(ErrServerGone)
	}
}

// Drained implements reactor.Handler.
func (o *outward) Drained() { o.receiver().Drained() }

// Closed implements reactor.Handler.
func (o *outward) Closed(cause error) {
	o.why = causeOf(cause)
	close(o.over)
	o.receiver().Closed(o.why)
	if o.release != nil {
		o.release()
	}
}

// sendError returns why nothing can be sent any more.
func sendError(err error) error {
	if errors.Is(err, reactor.ErrClosed) {
		return weir.ErrPipeClosed
	}
	return causeOf(err)
}

// causeOf returns what the end of a client's connection is for its user: nil if
// this side has closed it.
func causeOf(err error) error {
	var errno syscall.Errno
	var tls *reactor.TLSError
	switch {
	case errors.Is(err, reactor.ErrClosed):
		return nil
	case errors.Is(err, reactor.ErrPeerClosed), errors.As(err, &errno), errors.As(err, &tls):
		return fmt.Errorf("%w: %w", ErrServerGone, err)
	}
	return err
}
