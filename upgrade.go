package weir

import (
	"errors"
	"fmt"
	"io"
	"net"

	"weir/internal/h1"
	"weir/internal/hijack"
)

// Upgrade switches the connection to another protocol (RFC 9110 7.8): it sends
// 101 Switching Protocols with the fields that were set, and from then on the
// connection is the [Pipe]'s, which Upgrade returns. protocol is one that the
// client offers in Upgrade, in any case, such as "websocket". What was written
// with Response.Write before is sent behind the head.
//
// It is an [ErrUpgrade], and the response is what it was before, if the client
// does not offer the protocol, as in HTTP/1.0 and HTTP/2; if the response has
// begun or is a stream already; if the request body has not arrived whole; if
// the request is HEAD, for which there is no body; and with nethttp.ToHTTP. To
// clients that must upgrade respond with 426, or as if they had not asked: a
// server may ignore Upgrade. If a limit on concurrent streams is reached, it is
// [ErrBusy], and the response is 503.
//
// A pipe counts as a stream: for limits, statistics, Trace and shutdown. It ends
// when Serve returns, unless it is detached, and the connection with it.
//
// A [LoopHandler] upgrades in ServeLoop, or later on the loop: its BodyReceiver
// then receives what the peer sends, and may change those bytes. The bytes that
// have come behind the head are the first ones.
func (w *Response) Upgrade(protocol string) (*Pipe, error) {
	return w.upgrade(protocol, newPipe(w.ex))
}

// UpgradeLoop is [Response.Upgrade] for a handler on a goroutine that wants what
// the peer sends on the connection's loop: it calls [Pipe.Receive], once and at
// once, and Read is an error. On a loop it is [ErrBlockingOnLoop]: a
// [LoopHandler] has Upgrade.
func (w *Response) UpgradeLoop(protocol string) (*Pipe, error) {
	if w.ex.onTheLoop() {
		return nil, ErrBlockingOnLoop
	}
	return w.upgrade(protocol, &Pipe{ex: w.ex, receives: true})
}

func (w *Response) upgrade(protocol string, p *Pipe) (*Pipe, error) {
	ex := w.ex
	l := ex.lock()
	if err := l.mayUpgrade(protocol); err != nil {
		l.unlock()
		return nil, err
	}
	return l.pipeTo(p, func() {
		w.status = 101
		ex.carrier.upgrade(l, protocol)
	})
}

func init() {
	hijack.Take = func(response any) (net.Conn, error) {
		p, err := response.(*Response).hijack()
		if err != nil {
			return nil, err
		}
		return p, nil
	}
}

// hijack is for internal/hijack.
func (w *Response) hijack() (*Pipe, error) {
	ex := w.ex
	p := newPipe(ex)
	p.hijacked = true
	l := ex.lock()
	if err := l.mayPipe(); err != nil {
		l.unlock()
		return nil, err
	}
	ex.stream.detached = true
	return l.pipeTo(p, func() { w.status, w.body = 101, nil })
}

// mayUpgrade returns why the response cannot be a switch to the protocol.
func (l locked) mayUpgrade(protocol string) error {
	head := &l.ex.req.head
	switch {
	case !head.Upgrades(), !head.HasToken("Upgrade", protocol):
		return fmt.Errorf("%w: the client does not offer %q", ErrUpgrade, protocol)
	case l.ex.req.isHead():
		return fmt.Errorf("%w: the request is HEAD", ErrUpgrade)
	}
	return l.mayPipe()
}

// mayPipe returns why the connection cannot become a pipe's.
func (l locked) mayPipe() error {
	ex, s := l.ex, &l.ex.stream
	switch err := l.state(); {
	case ex.conn == nil:
		return fmt.Errorf("%w: the connection is not weir's, but net/http's", ErrUpgrade)
	case s.refusal != nil, ex.over(), err != nil:
		return err
	case ex.begun(), ex.out != &ex.res:
		return fmt.Errorf("%w: %w", ErrUpgrade, ErrHeadSent)
	case s.given, s.pump != nil, s.id != 0 && !ex.loop.holds():
		return fmt.Errorf("%w: the response is a stream already", ErrUpgrade)
	case !ex.MaySwitch(), ex.onTheLoop() && !ex.carrier.bodyArrived(ex):
		return fmt.Errorf("%w: the request body has not arrived; have it read first", ErrUpgrade)
	}
	return nil
}

// onTheLoop reports whether the caller, a handler that makes its response, is on
// the event loop.
func (ex *exchange) onTheLoop() bool { return ex.onLoop || ex.loop.holds() }

// pipeTo makes p what the connection is for, and returns it; head adds the
// response's head. It releases the lock.
func (l locked) pipeTo(p *Pipe, head func()) (*Pipe, error) {
	ex := l.ex
	s := &ex.stream
	if s.id == 0 {
		s.ex, s.id = ex, ex.srv.stats.nextStream()
	}
	if err := l.takeSlot(); err != nil {
		l.answerError(503, err)
		return nil, err
	}
	s.given, ex.pipe = true, p
	ex.length = bodyLength{}
	ex.Tunnel((*tunnel)(p))
	head()
	ex.Become(h1.Committed)
	ex.sent.Status = 101
	l.traceHead()
	l.writtenFirst()
	onLoop := ex.onTheLoop()
	if p.receives {
		ex.loop.ex = ex
	}
	l.flush()
	if p.receives {
		return p, nil // Receive goes on
	}
	if onLoop {
		ex.conn.Switch(&ex.Exchange) // at once, so that PauseBody has an effect
		ex.turn().Later((*pipeTask)(ex))
	} else {
		ex.turn().Post((*pipeTask)(ex))
	}
	return p, nil
}

// pipeTask is an exchange as what starts its pipe, or looks what has happened to
// the peer before it was started.
type pipeTask exchange

func (t *pipeTask) Run() {
	if ex := (*exchange)(t); ex.pipe.begin != nil {
		ex.call("function given to Receive", func() { ex.receive(ex.pipe.begin(&ex.loop)) }, ex.fail)
	}
	t.conn.Switch(&t.Exchange)
	t.conn.LookAtPeer(&t.Exchange)
}

// receive is the time after the function given to Receive.
func (ex *exchange) receive(rcv BodyReceiver) {
	if rcv == nil {
		ex.fail(errUnread)
		return
	}
	ex.loop.begin(rcv)
}

// tunnel is a Pipe as its connection drives it, on the loop.
type tunnel Pipe

func (t *tunnel) Take(b []byte) bool {
	if t.in != nil {
		return (*readBody)(t.in).Take(b)
	}
	p := (*Pipe)(t)
	p.beginTurn()
	t.ex.loop.data(b)
	p.endTurn()
	return true
}

func (t *tunnel) End() {
	if t.in != nil {
		t.in.end(io.EOF)
	} else {
		t.ex.loop.endBody(io.EOF)
	}
}

// Gone notifies a handler that may not read that the peer may have disconnected.
// One on the loop learns of it by BodyReceiver.End.
func (t *tunnel) Gone() {
	if t.in != nil && !t.hijacked {
		(*upward)(t.ex).Depart()
	}
}

func (t *tunnel) Drop() {}

var _ h1.Tunnel = (*tunnel)(nil)

var errUnread = errors.New("weir: no BodyReceiver for what the peer of a Pipe sends: return one from ServeLoop, or from the function given to Receive")
