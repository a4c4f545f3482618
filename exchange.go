package weir

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	"weir/chunked"
	"weir/http1"
	"weir/reactor"
)

// exchange is one request and its response. What several goroutines touch is
// guarded by the lock of the connection's output, so that "may this response
// still be written?" and the writing are one step: a byte of one response never
// gets into another.
//
// An exchange that an inline handler answered at once goes back to its loop's
// pool. One that left the loop, to a goroutine or in a Stream, never does, unless
// its handler kept both on the loop and promised so (LoopExchange.Release).
type exchange struct {
	// What each chunk of a stream needs comes first, so that it lies close
	// together.
	rc     *reactor.Conn // conn's
	srv    *Server
	trace  *traced // nil without a Trace
	stream Stream

	// Guarded by the output's lock, from here to hook.
	over      atomic.Bool // no byte may be added any more; written under the lock
	noted     notes       // what is to be reported when the lock is released
	committed bool        // the head is written
	told      bool        // the end was announced
	close     bool        // the connection ends with this response
	onLoop    bool        // an inline handler is running: the loop flushes for it
	unread    bool        // the request body has not arrived whole
	served    bool        // the handler has returned, or there is none
	broken    bool        // it ended before its last byte: the connection is lost
	reported  bool        // the log and OnError have heard of its failure
	length    int64       // of a stream's body, +1; 0 = not known
	out       *Response   // what is sent: &res, or the error response in its place
	cause     error       // why it ended; nil when the response is complete
	sent      Sent
	ended     time.Time
	done      chan struct{} // made when somebody asks
	ctx       context.Context
	cancel    context.CancelCauseFunc
	slot      *atomic.Int64 // of a detached native handler, to be counted out of
	kept      int64         // bytes taken from the server's budget by Request.Keep
	headKept  int64         // bytes taken from it for the copy of a long head
	hooks     []func(error)
	hook      [1]func(error) // where hooks begins

	frozen   atomic.Uint32 // whether res's status and fields are fixed: see freeze
	conn     *conn
	req      Request
	res      Response
	decoder  chunked.Decoder // of the request body
	left     int64           // of a request body with a length
	held     int64           // bytes taken from the server's budget for req.body
	received int64           // of the request body, framing included
	partial  bool            // a part of the head has arrived
	skip     bool            // the request is answered, its body not wanted
	counted  bool            // among the server's goroutine handlers; that goroutine's
	sealed   bool            // answered by an inline handler: nobody else will notify the loop
	awaited  bool            // the client waits for 100 Continue before it sends the body
	loop     LoopExchange    // of a handler that stays on the loop
}

// now is the time; while an inline handler runs, that of the loop's turn, which
// is in ended already: the loop's own clock is not for every goroutine.
func (ex *exchange) now() time.Time {
	if ex.onLoop {
		return ex.ended
	}
	return time.Now()
}

// serve runs the handler and finishes what it left to be finished.
func (ex *exchange) serve(h Handler) {
	if ex.call("handler", func() { h.Serve(&ex.res, &ex.req) }, ex.crash) {
		ex.leaveHandler()
		ex.handled()
	}
}

// crash ends the response of a handler, or of what belongs to one, that has
// panicked.
func (ex *exchange) crash(err error) {
	ex.leaveHandler()
	ex.rc.Lock()
	ex.close, ex.served = true, true // who knows what it has left behind
	ex.rc.Unlock()
	ex.fail(err)
}

// leaveHandler counts a goroutine handler out and lets go of the request's body,
// before its client can know that it is done: the client's next request finds
// its place free.
func (ex *exchange) leaveHandler() {
	ex.forgetBody()
	if ex.counted {
		ex.counted = false
		ex.srv.handlers.Add(-1)
	}
}

// handled runs when the handler has returned.
func (ex *exchange) handled() {
	ex.rc.Lock()
	ex.served = true
	s := &ex.stream
	switch {
	case ex.over.Load():
		ex.forgetKept()
		ex.flush()
	case s.refusal == errReplaced:
		ex.finishBuffered()
	case s.refusal != nil:
		ex.answerError(statusOf(s.refusal), s.refusal)
	case s.detached:
		ex.flush()
	case s.pump != nil:
		inline := ex.onLoop
		ex.flush()
		if !inline { // else the loop starts it, when the handler's turn is over
			ex.conn.loop().Post((*startTask)(s.pump))
		}
	case s.id != 0:
		ex.finishStream()
	default:
		ex.finishBuffered()
	}
}

// finishLater is finishStream for the loop: what is pending leaves, and the
// next request is looked at, at the end of the turn.
func (ex *exchange) finishLater() {
	if !ex.sealStream() {
		return
	}
	ex.end(nil)
	ex.flushLater()
	ex.conn.loop().Later((*settleTask)(ex.conn))
}

// finish ends a response whose last byte is in the buffer: entered with the
// lock, left without.
func (ex *exchange) finish(cause error, big []byte) {
	ex.end(cause)
	post := !ex.onLoop && (ex.close || ex.conn.waiting || ex.stream.id != 0)
	if ex.onLoop && big != nil {
		b := ex.rc.Buffer()
		*b = append(*b, big...)
		big = nil
	}
	ex.flushWith(big, nil)
	if post {
		ex.conn.loop().Post((*settleTask)(ex.conn))
	}
}

// finishBuffered writes the whole response. The lock is held.
func (ex *exchange) finishBuffered() {
	w := ex.out
	if ex.failed() != nil {
		ex.finish(ex.cause, nil)
		return
	}
	b := ex.rc.Buffer()
	ex.commit(b, int64(len(w.body)))
	body := w.body
	if ex.bodyless() {
		body = nil
	}
	ex.count(len(body))
	if len(body) < 4<<10 {
		*b = append(*b, body...)
		body = nil
	}
	ex.finish(ex.cause, body)
}

// bodyless reports whether the response has no body whatever is written to it.
func (ex *exchange) bodyless() bool { return ex.out.bodyless(&ex.req) }

func (w *Response) bodyless(r *Request) bool { return r.isHead() || noContent(w.status) }

// noContent reports whether a response with that status has no content (RFC
// 9110 15.3.5, 15.3.6, 15.4.5). Of the three only a 205 says so by its length.
func noContent(status int) bool { return status == 204 || status == 205 || status == 304 }

// commit appends the head. A length below 0 is a stream of unknown length. The
// lock is held.
func (ex *exchange) commit(b *[]byte, length int64) {
	w, r := ex.out, &ex.req
	ex.committed = true
	ex.freeze()
	ex.sent.Status = w.Status()
	old := r.head.Minor() == 0
	if w.status == 205 {
		length = 0
	}
	chunks := length < 0 && !old && !noContent(w.status)
	if !r.head.KeepAlive() || w.header.close || old && length < 0 && !ex.bodyless() || ex.conn.mustClose(ex) {
		ex.close = true
	}
	dst := http1.AppendStatusLine(*b, w.Status())
	dst = ex.appendDate(dst)
	dst = w.header.appendTo(dst)
	switch {
	case chunks:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
		dst = ex.stream.announceTrailers(dst)
	case length >= 0 && w.status != 204 && (w.status != 304 || length > 0):
		dst = append(dst, "Content-Length: "...)
		dst = append(strconv.AppendInt(dst, length, 10), "\r\n"...)
	}
	switch {
	case ex.close:
		dst = append(dst, "Connection: close\r\n"...)
	case old:
		dst = append(dst, "Connection: keep-alive\r\n"...)
	}
	*b = append(dst, "\r\n"...)
	ex.stream.chunks = chunks
	ex.traceHead()
}

// reset prepares a pooled exchange for its next request.
func (ex *exchange) reset() {
	ex.req.reset()
	ex.res.reset()
	ex.conn, ex.rc, ex.out = nil, nil, &ex.res
	ex.committed, ex.told, ex.close, ex.onLoop, ex.served, ex.broken = false, false, false, false, false, false
	ex.partial, ex.skip, ex.sealed, ex.awaited, ex.unread, ex.reported = false, false, false, false, false, false
	ex.cause, ex.hooks, ex.hook[0] = nil, nil, nil
	ex.done, ex.ctx, ex.cancel, ex.slot = nil, nil, nil, nil
	ex.sent, ex.length, ex.left, ex.received = Sent{}, 0, 0, 0
	ex.stream, ex.loop = Stream{}, LoopExchange{}
	ex.noted = 0
	ex.trace.reset()
	ex.frozen.Store(open)
	ex.over.Store(false)
}
