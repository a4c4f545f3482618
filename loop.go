package weir

import (
	"weir/internal/invariant"
	"weir/reactor"
)

// This file is for handlers that stay on the event loop for as long as their
// request lasts, such as a gateway whose upstream connection lives on the loop
// of its client.

// A LoopHandler serves requests on event loops, where nothing may block: each
// on that of its connection, or if net/http has received it, as with HTTP/2, on
// one of the server's. Register it with [Mux.HandleLoop].
type LoopHandler interface {
	// ServeLoop is called when the head of a request is complete. It returns
	// the receiver of the body and of what follows; the response is open until
	// x ends it. If it returns nil, the response is what it has made of
	// x.Response, as that of an inline handler, the body is not read, and x
	// must not be used any more.
	ServeLoop(x *LoopExchange) BodyReceiver
}

// LoopHandlerFunc is a function as a [LoopHandler].
type LoopHandlerFunc func(x *LoopExchange) BodyReceiver

// ServeLoop calls f.
func (f LoopHandlerFunc) ServeLoop(x *LoopExchange) BodyReceiver { return f(x) }

// A BodyReceiver receives the request body of a [LoopExchange], and reports of
// what happens to the exchange. Its methods are called on the exchange's loop,
// one at a time and never within a method of the exchange, and must not block.
// Once the exchange has been ended, aborted or handed over only Closed is
// called.
type BodyReceiver interface {
	// Data is called with each piece of the body, valid until it returns.
	Data(p []byte)
	// End is called once, after the last piece: with io.EOF if the body is
	// complete, else with why the rest will not come: [ErrBodyTooLarge],
	// [ErrTimeout], or a *[chunked.Error]. The request is then refused, or its
	// response aborted if it has begun. A disconnect is reported only by
	// Closed.
	End(err error)
	// Drained is called when the client's backlog is down to the low mark,
	// after a Push that returned false.
	Drained()
	// Closed is called once, last, when the request has ended: with nil if the
	// response was sent completely, else with the cause. If the server was closed
	// before it had ended, that may be after the loop has stopped, on another
	// goroutine: leave alone what is the loop's then.
	Closed(cause error)
}

// A Drainer is a [BodyReceiver] that is also notified of a shutdown: Draining is
// called on the exchange's loop when the server no longer accepts requests, as
// [Stream.Draining] reports it. It is not called if that was before there was a
// receiver, nor for requests that net/http has received.
type Drainer interface{ Draining() }

// A LoopExchange is a request and its response. Its methods, and those of
// Request and Response, must be called on its event loop. None of them waits.
// Loop and Keep are safe for concurrent use: Loop's Post leads back to the loop.
type LoopExchange struct {
	ex       *exchange
	receiver BodyReceiver // until Closed is called; written under the output's lock
	behind   bool         // Drained is due
	handed   bool         // to a handler on a goroutine
	released bool
}

// Request returns the request. Its Body is nil.
func (x *LoopExchange) Request() *Request {
	x.check()
	return &x.ex.req
}

// Response returns the response. Status and fields can be set until Commit, or
// the first Push.
func (x *LoopExchange) Response() *Response {
	x.check()
	return &x.ex.res
}

// Loop returns the exchange's event loop.
func (x *LoopExchange) Loop() *reactor.Loop { return x.ex.carrier.eventLoop() }

// check panics off the loop in builds with -tags invariants.
func (x *LoopExchange) check() {
	if invariant.Enabled {
		x.Loop().Check()
	}
}

// AddField is [Header.Add] on the response's header, for a field of another
// message as [http1.Response.Field] yields it. Both parts are copied.
func (x *LoopExchange) AddField(name, value []byte) {
	x.check()
	x.ex.out.header.addBytes(name, value)
}

// Push sends one chunk at the end of the loop's turn, together with the turn's
// other output. It copies p in any case, and reports whether there is room for
// more: after false, stop until Drained or Closed is called. Once the response
// has ended p is dropped, and Push returns false.
func (x *LoopExchange) Push(p []byte) (room bool) {
	x.check()
	ex := x.ex
	x.stream()
	l := ex.lock()
	if l.state() != nil {
		l.unlock()
		return false
	}
	if len(p) > 0 {
		if l.ready(len(p)) != nil {
			return false
		}
		l.append(p)
	}
	x.behind = ex.wire.Backlogged()
	l.later()
	return !x.behind
}

// Backlogged reports whether the client is behind, whoever sends. If so, Drained
// is called when it has caught up.
func (x *LoopExchange) Backlogged() bool {
	x.check()
	l := x.ex.lock()
	defer l.unlock()
	behind := l.state() == nil && x.ex.wire.Backlogged()
	x.behind = x.behind || behind
	return behind
}

// Commit sends the head now, for a first chunk that will come late.
func (x *LoopExchange) Commit() {
	x.check()
	_ = x.stream().Commit() // Closed reports it
}

// End ends the response, which is complete, at the end of the loop's turn. If
// nothing was pushed, the body is empty, or what was written to Response.
func (x *LoopExchange) End() {
	x.check()
	_ = x.stream().end(locked.finishLater) // Closed reports it
}

// Abort ends the response as failed, as [Stream.Abort] does.
func (x *LoopExchange) Abort(cause error) {
	x.check()
	x.stream().Abort(cause)
}

// Err returns why nothing can be pushed any more: the cause with which Closed
// is, or was, called, or [ErrStreamEnded] after End. It is nil while the
// response is open.
func (x *LoopExchange) Err() error {
	x.check()
	x.stream()
	l := x.ex.lock()
	defer l.unlock()
	return l.state()
}

// stream returns the response's stream, and opens it.
func (x *LoopExchange) stream() *Stream {
	s := &x.ex.stream
	if s.id == 0 {
		s.open(x.ex, nil)
	}
	return s
}

// PauseBody stops reading the body until ResumeBody is called. In ServeLoop it
// also delays 100 Continue until then.
func (x *LoopExchange) PauseBody() {
	x.check()
	x.ex.carrier.pauseBody(x.ex)
}

// ResumeBody undoes PauseBody.
func (x *LoopExchange) ResumeBody() {
	x.check()
	x.ex.carrier.continueBody(x.ex)
}

// Keep notes how many bytes of the request the handler keeps: see
// [Request.Keep].
func (x *LoopExchange) Keep(n int64) bool {
	return x.ex.req.Keep(n)
}

// Release lets the memory of the request and its response be reused after
// Closed, as that of inline requests is. By calling it the handler promises not
// to use anything of the exchange once Closed has returned. Without it a method
// that is called too late has no effect.
func (x *LoopExchange) Release() {
	x.check()
	x.released = true
}

// holds reports whether the exchange is with its LoopHandler.
func (x *LoopExchange) holds() bool { return x.ex != nil && !x.handed }

// live reports whether the receiver is to be called.
func (x *LoopExchange) live() bool {
	return x.receiver != nil && x.holds() && !x.ex.over()
}

// data hands on a piece of the body.
func (x *LoopExchange) data(p []byte) {
	if x.live() {
		x.ex.call("BodyReceiver.Data", func() { x.receiver.Data(p) }, x.crash)
	}
}

// endBody reports the end of the body.
func (x *LoopExchange) endBody(err error) {
	if x.live() {
		x.ex.call("BodyReceiver.End", func() { x.receiver.End(err) }, x.crash)
	}
}

// drained is called when a client that was behind has caught up.
func (x *LoopExchange) drained() {
	if x.behind && x.live() {
		x.behind = false
		x.ex.call("BodyReceiver.Drained", x.receiver.Drained, x.crash)
	}
}

// draining is called when requests begin to be refused.
func (x *LoopExchange) draining() {
	if d, ok := x.receiver.(Drainer); ok && x.live() {
		x.ex.call("Drainer.Draining", d.Draining, x.crash)
	}
}

// crash ends the response of a receiver that has panicked. The rest of the
// exchange of a Pipe may be a goroutine's.
func (x *LoopExchange) crash(err error) {
	if x.ex.pipe != nil {
		x.ex.fail(err)
	} else {
		x.ex.crash(err)
	}
}

// serveLoop is a LoopHandler as a Handler, for its middleware.
type serveLoop struct{ LoopHandler }

func (h serveLoop) Serve(w *Response, _ *Request) {
	x := &w.ex.loop
	x.ex = w.ex
	switch rcv := h.ServeLoop(x); {
	case rcv != nil:
		x.begin(rcv)
	case w.ex.pipe != nil && w.ex.stream.detached:
		w.ex.fail(errUnread)
	}
}

// begin is the time after ServeLoop.
func (x *LoopExchange) begin(rcv BodyReceiver) {
	ex := x.ex
	l := ex.lock()
	x.receiver = rcv
	if ex.pipe == nil || !ex.pipe.receives { // else the end of the handler is the pipe's
		ex.stream.detached = true
	}
	told := ex.told
	l.unlock()
	if told { // before there was a receiver
		ex.postHooks(true)
	}
	x.stream()
	if !ex.over() {
		ex.carrier.receiveBody(ex)
	}
}
