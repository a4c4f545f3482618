package weir

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"

	"weir/internal/h1"
	"weir/internal/pipe"
	"weir/reactor"
)

// A Pipe is a connection that [Response.Upgrade] has switched to another
// protocol: what is sent is sent as it is, and what the peer sends is read. It
// is a [net.Conn], safe for concurrent use at any time, as a [Stream] is, except
// for Receive, which is called once; of several readers each gets a part.
//
// Writing is that of a Stream: Send, Write and TrySend send immediately, or at
// the end of the loop's turn while BodyReceiver.Data runs; Send and Write wait
// above the high mark, a peer that acknowledges no byte for Timeouts.WriteStall is
// disconnected with ErrSlowClient.
//
// Reading is for goroutines: an inline handler detaches the pipe and reads on
// one, a [LoopHandler] has a BodyReceiver instead. While the reader is behind,
// no more is read from the peer. When the peer shuts down its sending side, Read
// returns io.EOF behind what it has sent, and the pipe can still send. With
// [HalfCloseGone] that is also reported as a disconnect, by Done, OnClose and
// the request's context, since a handler that only sends would not learn of it
// otherwise. A peer that has reset the connection, or does so when something is
// sent to it, ends the pipe.
type Pipe struct {
	ex       *exchange
	in       *bodyReader                      // nil: what arrives is for the BodyReceiver
	shut     atomic.Bool                      // CloseWrite or SendLast was called; written under the output's lock
	hijacked bool                             // the handler writes the head itself, and learns of the peer's end by Read alone
	receives bool                             // made by UpgradeLoop
	begin    func(*LoopExchange) BodyReceiver // of Receive

	// Guarded by the output's lock.
	turn          bool   // Data is running: what is sent meanwhile leaves at the end of the loop's turn
	shown         bool   // the peer sees from the protocol that the pipe has failed
	whole, failed []byte // of EndWith

	reads, writes pipe.Deadline
}

func newPipe(ex *exchange) *Pipe {
	p := &Pipe{ex: ex}
	if !ex.loop.holds() {
		p.in = newBodyReader(ex, false)
	}
	return p
}

// Loop returns the event loop of the pipe's connection.
func (p *Pipe) Loop() *reactor.Loop { return p.ex.carrier.eventLoop() }

// ID returns the number by which the log and [Stream.ID] name streams.
func (p *Pipe) ID() uint64 { return p.ex.stream.id }

// Receive has what the peer sends received on the connection's loop, by the
// receiver that begin returns, which is called there, soon. The receiver's Closed
// is the last call. It is for pipes of [Response.UpgradeLoop].
func (p *Pipe) Receive(begin func(x *LoopExchange) BodyReceiver) {
	if !p.receives || p.begin != nil {
		panic("weir: Pipe.Receive is for a Pipe of UpgradeLoop, once")
	}
	p.begin = begin
	p.ex.turn().Post((*pipeTask)(p.ex))
}

// Read waits for what the peer sends. It returns io.EOF when the peer sends no
// more, the cause when it has disconnected, [ErrPipeClosed] after Close, and
// [ErrBlockingOnLoop] in a [LoopHandler].
func (p *Pipe) Read(b []byte) (int, error) {
	if p.in == nil {
		return 0, ErrBlockingOnLoop
	}
	return p.in.pipe.ReadBefore(b, p.reads.Passed())
}

// Send sends b. Above the high mark it waits, except on a loop and for a pipe
// with a BodyReceiver, where it returns [ErrBacklog]: see Room. The caller may
// reuse b when Send returns. Errors: [ErrClientGone], [ErrSlowClient],
// [ErrServerClosed], [ErrPipeClosed], and [os.ErrDeadlineExceeded].
func (p *Pipe) Send(b []byte) error {
	for {
		err := p.TrySend(b)
		if err != ErrBacklog {
			return err
		}
		if err := p.awaitRoom(); err != nil {
			return err
		}
	}
}

// awaitRoom waits until the peer is no longer behind, or has disconnected.
func (p *Pipe) awaitRoom() error {
	l := p.ex.lock()
	onLoop, room := p.ex.onLoop || p.ex.loop.live(), p.ex.wire.Room()
	l.unlock()
	switch {
	case room == nil:
		return nil
	case onLoop:
		return ErrBacklog
	}
	select {
	case <-room:
		return nil
	case <-p.writes.Passed():
		return os.ErrDeadlineExceeded
	}
}

// TrySend is [Pipe.Send] except that it never waits: above the high mark it
// sends nothing and returns [ErrBacklog].
func (p *Pipe) TrySend(b []byte) error {
	_, err := p.TrySendParts(nil, b)
	return err
}

// pipeError is an error of a Stream as that of a Pipe.
func pipeError(err error) error {
	if err != nil && errors.Is(err, ErrStreamEnded) {
		return ErrPipeClosed
	}
	return err
}

// Write is [Pipe.Send].
func (p *Pipe) Write(b []byte) (int, error) {
	if err := p.Send(b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close ends the pipe: what was sent is delivered, and the connection closed. It
// returns nil if that is how the pipe ends, also when it is called again, else
// the cause of its earlier end.
func (p *Pipe) Close() error { return p.ex.stream.Close() }

// CloseWrite ends the sending: what was sent is delivered, the peer's Read then
// returns io.EOF, and what the peer sends can still be read until Close.
func (p *Pipe) CloseWrite() error {
	l := p.ex.lock()
	err := l.state()
	if err == nil {
		p.shut.Store(true)
		p.ex.wire.Wake() // those that wait to send
	}
	l.flush()
	switch {
	case err == nil:
		p.ex.turn().Post((*shutTask)(p))
	case errors.Is(err, ErrStreamEnded):
		err = ErrPipeClosed
	}
	return err
}

// shutTask is a Pipe as the loop's task of CloseWrite.
type shutTask Pipe

func (t *shutTask) Run() { t.ex.conn.CloseWrite(&t.ex.Exchange) }

// Abort ends the pipe as failed: the connection is reset.
func (p *Pipe) Abort(cause error) { p.ex.stream.Abort(cause) }

// Crash is [Pipe.Abort] for code that calls functions of others on behalf of the
// pipe, as package ws does, and recovers from their panics: what names the
// function, value is what recover returned. The panic is logged once, with its
// stack, and the cause is a *[PanicError].
func (p *Pipe) Crash(what string, value any) {
	p.Abort(p.ex.srv.panicked(what, p.ex.req.Pattern(), value))
}

// Detach lets the pipe continue after Serve has returned, until Close or Abort
// is called.
func (p *Pipe) Detach() { p.ex.stream.Detach() }

// Done is closed when the pipe has ended or the peer has disconnected.
func (p *Pipe) Done() <-chan struct{} { return p.ex.doneChan() }

// Ended reports whether the pipe has ended, at the cost of an atomic load.
func (p *Pipe) Ended() bool { return p.ex.over() }

// Cause returns why the pipe ended: nil while it runs and after Close.
func (p *Pipe) Cause() error { return p.ex.stream.Cause() }

// OnClose registers f to be called once when the pipe has ended or the peer has
// disconnected, with the cause, as [Request.OnClose] does.
func (p *Pipe) OnClose(f func(cause error)) { p.ex.onClose(f) }

// Draining is as [Stream.Draining].
func (p *Pipe) Draining() <-chan struct{} { return p.ex.stream.Draining() }

// Deadline is as [Stream.Deadline].
func (p *Pipe) Deadline() (at time.Time, ok bool) { return p.ex.stream.Deadline() }

// LocalAddr returns the address of the listener, as [Request.ListenAddr] does.
func (p *Pipe) LocalAddr() net.Addr {
	if at := p.ex.carrier.listenAddr(); at != nil {
		return at
	}
	return unknownAddr{}
}

// RemoteAddr returns the peer's address; that of a peer on a unix socket is
// empty.
func (p *Pipe) RemoteAddr() net.Addr {
	if at := p.ex.req.remote; at.IsValid() {
		return net.TCPAddrFromAddrPort(at)
	}
	return unknownAddr{}
}

// unknownAddr is an end of a connection that has no address.
type unknownAddr struct{}

func (unknownAddr) Network() string { return "unix" }
func (unknownAddr) String() string  { return "" }

// SetDeadline sets the deadlines of Read and of Send, calls that wait included.
// The zero time is no deadline.
func (p *Pipe) SetDeadline(at time.Time) error {
	p.reads.Set(at)
	p.writes.Set(at)
	return nil
}

// SetReadDeadline sets the deadline of Read.
func (p *Pipe) SetReadDeadline(at time.Time) error { p.reads.Set(at); return nil }

// SetWriteDeadline sets the deadline of Send. What is sent is sent whole or not
// at all: a Send that was too late may be tried again.
func (p *Pipe) SetWriteDeadline(at time.Time) error { p.writes.Set(at); return nil }

// closed ends the reading of a pipe that has ended so. What a peer that has
// disconnected sent before can still be read, and belongs to the reader: the
// server does not count it any more. It is called once, with the lock held.
func (p *Pipe) closed(s h1.Stage, cause error) {
	bodies := p.ex.srv.bodies
	switch {
	case p.in == nil:
	case s == h1.Whole:
		bodies.Give(int64(p.in.pipe.Drop(ErrPipeClosed)))
	default:
		p.in.end(cause)
		bodies.Give(int64(p.in.pipe.Size()))
	}
	p.reads.Stop()
	p.writes.Stop()
}

var _ net.Conn = (*Pipe)(nil)
