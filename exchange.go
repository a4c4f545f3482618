package weir

import (
	"sync/atomic"
	"time"

	"weir/internal/h1"
)

// exchange is one request and its response. What several goroutines touch is
// guarded by the lock of the connection's output, so that "may this response
// still be written?" and the writing are one step: a byte of one response never
// gets into another.
//
// An exchange that an inline handler completed at once goes back to its loop's
// pool. One that left the loop, to a goroutine or in a Stream, never does,
// unless its handler kept both on the loop and promised so
// (LoopExchange.Release).
type exchange struct {
	// What each chunk of a stream needs comes first, so that it lies close
	// together.
	wire   wire
	srv    *Server
	trace  *traced      // nil without a Trace
	loop   LoopExchange // of a handler that stays on the loop
	stream Stream

	h1.Exchange // its progress is guarded as above, also where the carrier is another
	delivery

	out     *Response   // what is sent: &res, or the error response in its place; guarded as above
	warned  atomic.Bool // it was logged that status or fields were changed too late
	carrier carrier
	conn    *h1.Conn // under the carrier; nil where that is another
	shard   *shard   // likewise
	req     Request
	res     Response
	held    int64  // bytes taken from the server's budget for req.body
	counted bool   // among the server's goroutine handlers; that goroutine's
	away    bool   // a goroutine has it, by Offload
	offload func() // what was passed to Offload
}

// now is the time; while an inline handler runs, that of the loop's turn, which
// is in Ended already: the loop's own clock is not for every goroutine.
func (ex *exchange) now() time.Time {
	if ex.onLoop {
		return ex.Ended
	}
	return time.Now()
}

// serve runs the handler and finishes what it left to be finished.
func (ex *exchange) serve(h Handler) {
	if ex.call("handler", func() { h.Serve(&ex.res, &ex.req) }, ex.crash) {
		ex.leaveHandler()
		if ex.offload == nil || !ex.offloaded() {
			ex.handled()
		}
	}
}

// crash ends the response of a handler, or of what belongs to one, that has
// panicked.
func (ex *exchange) crash(err error) {
	ex.leaveHandler()
	l := ex.lock()
	ex.carrier.last(l) // its state is unknown
	ex.served = true
	l.unlock()
	ex.fail(err)
}

// leaveHandler counts a goroutine handler out and lets go of the request's
// body and forms, before its client can know that it is done: the client's next
// request finds its place free.
func (ex *exchange) leaveHandler() {
	ex.forgetBody()
	if ex.req.forms != nil {
		ex.req.removeForms()
	}
	if ex.counted {
		ex.counted = false
		ex.srv.handlers.Add(-1)
	}
}

// handled runs when the handler has returned.
func (ex *exchange) handled() {
	l := ex.lock()
	ex.served = true
	s := &ex.stream
	switch {
	case ex.over():
		l.forgetKept()
		l.flush()
	case s.refusal == errReplaced:
		l.finishBuffered()
	case s.refusal != nil:
		l.answerError(statusOf(s.refusal), s.refusal)
	case s.detached:
		l.flush()
	case s.pump != nil:
		inline := ex.onLoop
		l.flush()
		if !inline { // else the loop starts it, after the handler's turn
			ex.turn().Post((*startTask)(ex))
		}
	case s.id != 0:
		l.finishStream()
	default:
		l.finishBuffered()
	}
}

// finishLater is finishStream for the loop: what is pending is written, and the
// next request is looked at, at the end of the turn. It releases the lock.
func (l locked) finishLater() {
	if !l.sealStream() {
		return
	}
	carrier := l.ex.carrier
	l.end(nil)
	l.later()
	carrier.completed(true)
}

// finish ends a response whose last byte is in the buffer, but for big. It
// releases the lock.
func (l locked) finish(cause error, big []byte) {
	ex := l.ex
	l.end(cause)
	if ex.onLoop {
		l.finishInline(big)
		return
	}
	carrier, waits := ex.carrier, ex.carrier.waits(l)
	l.flushWith(big, nil)
	if waits {
		carrier.completed(false)
	}
}

// finishInline is finish while an inline handler runs. If the handler has given
// the stream away, this may be another goroutine: then the loop finds the
// response complete when the handler returns.
func (l locked) finishInline(big []byte) {
	ex := l.ex
	if big != nil {
		b := ex.wire.Buffer()
		*b = append(*b, big...)
	}
	if ex.noted != 0 || ex.stream.given {
		l.flush()
		return
	}
	ex.carrier.seal(l)
}

// finishBuffered writes the whole response. It releases the lock.
func (l locked) finishBuffered() {
	ex := l.ex
	if l.failed() != nil {
		l.finish(ex.cause, nil)
		return
	}
	body, length := ex.out.body, int64(len(ex.out.body))
	if ex.bodyless() {
		body = nil
	}
	var big []byte
	if len(body) >= 4<<10 {
		body, big = nil, body
	}
	l.commit(length, body)
	l.count(len(body) + len(big))
	l.finish(ex.cause, big)
}

// bodyless reports whether the response has no body whatever is written to it.
func (ex *exchange) bodyless() bool { return ex.out.bodyless(&ex.req) }

func (w *Response) bodyless(r *Request) bool { return r.isHead() || noContent(w.status) }

// noContent reports whether a response with that status has no content (RFC
// 9110 15.3.5, 15.3.6, 15.4.5). Of the three only a 205 says so by its length.
func noContent(status int) bool { return status == 204 || status == 205 || status == 304 }

// commit appends the head, and body as it is behind it. A length below 0 is a
// stream of unknown length. The caller moves the response on.
func (l locked) commit(length int64, body []byte) {
	ex := l.ex
	ex.sent.Status = ex.out.Status()
	if ex.out.status == 205 {
		length = 0
	}
	ex.stream.chunks = ex.carrier.head(l, length, body)
	l.traceHead()
}

func (ex *exchange) turn() turn { return ex.carrier.turn() }

// reset prepares a pooled exchange for its next request.
func (ex *exchange) reset() {
	ex.req.reset()
	ex.res.reset()
	ex.Exchange.Reset()
	ex.conn, ex.wire, ex.out = nil, nil, &ex.res
	ex.delivery = delivery{}
	ex.stream = Stream{}
	if ex.loop.ex != nil {
		ex.loop = LoopExchange{}
	}
	ex.trace.reset()
	if ex.warned.Load() {
		ex.warned.Store(false)
	}
	if ex.offload != nil {
		ex.offload = nil
	}
}
