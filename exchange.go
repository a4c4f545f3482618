package weir

import (
	"context"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"weir/chunked"
	"weir/http1"
	"weir/reactor"

	"github.com/valyala/bytebufferpool"
)

// exchange is one request and its answer. What several goroutines touch is
// guarded by the lock of the connection's output, so that "is this answer
// still the one that may be written?" and the writing are one step: a byte of
// one answer never gets into another.
//
// An exchange that an inline handler answered at once goes back to its loop's
// pool. One that left the loop, to a goroutine or in a Stream, never does, unless
// its handler kept both on the loop and promised so (Request.Recycle).
type exchange struct {
	// What each chunk of a stream needs comes first, so that it lies close
	// together.
	rc     *reactor.Conn // conn's
	srv    *Server
	stream Stream

	// Guarded by the output's lock, from here to hook.
	over      atomic.Bool // no byte may be added any more; written under the lock
	committed bool        // the head is written
	told      bool        // the end was announced
	close     bool        // the connection ends with this answer
	onLoop    bool        // an inline handler is running: the loop flushes for it
	unread    bool        // the request body has not arrived whole
	served    bool        // the handler has returned
	broken    bool        // it ended before its last byte: the connection is lost
	reported  bool        // the log and OnError have heard of its failure
	length    int64       // of a stream's body, +1; 0 = not known
	cause     error       // why it ended; nil when answered in full
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

	conn     *conn
	req      Request
	res      Response
	decoder  chunked.Decoder // of the request body
	left     int64           // of a request body with a length
	held     int64           // bytes taken from the server's budget for req.body
	received int64           // of the request body, framing included
	started  time.Time       // of the request body
	partial  bool            // a part of the head has arrived
	skip     bool            // the request is answered, its body not wanted
	counted  bool            // among the server's goroutine handlers; that goroutine's
	sealed   bool            // answered by an inline handler: nobody else will tell the loop
	awaited  bool            // the client waits for 100 Continue before it sends the body
	onBody   func(p []byte, err error)
	recycled func() // see Request.Recycle
}

// end is entered with the lock held. It closes the answer for good; what it
// returns is to be announced without the lock.
func (ex *exchange) end(cause error) farewell {
	if ex.over.Load() {
		return farewell{}
	}
	ex.over.Store(true)
	ex.ended = ex.now()
	if ex.cause == nil {
		ex.cause = cause
	}
	ex.stream.count(cause)
	if ex.slot != nil {
		ex.slot.Add(-1)
		ex.slot = nil
	}
	ex.forgetKept()
	ex.srv.Trace.requestEnd(ex)
	f := ex.farewell(ex.cause)
	f.pump = ex.stream.pump
	return f
}

// now is the time; while an inline handler runs, that of the loop's turn, which
// is in ended already: the loop's own clock is not for every goroutine.
func (ex *exchange) now() time.Time {
	if ex.onLoop {
		return ex.ended
	}
	return time.Now()
}

// farewell is what has to be told at the end of an exchange, once.
type farewell struct {
	cause  error
	done   chan struct{}
	cancel context.CancelCauseFunc
	hooks  []func(error)
	inline bool
	pump   *pump // to be closed
}

func (ex *exchange) farewell(cause error) farewell {
	if ex.told {
		return farewell{}
	}
	ex.told = true
	f := farewell{cause: cause, done: ex.done, cancel: ex.cancel, hooks: ex.hooks, inline: ex.req.route.inline()}
	ex.hooks = nil
	return f
}

func (f farewell) announce() {
	if f.done != nil {
		close(f.done)
	}
	if f.cancel != nil {
		cause := f.cause
		if cause == nil {
			cause = context.Canceled
		}
		f.cancel(cause)
	}
	for _, hook := range f.hooks {
		if f.inline {
			hook(f.cause)
		} else {
			go hook(f.cause)
		}
	}
	if f.pump != nil {
		f.pump.endWith(f.cause)
	}
}

// failed is why nothing can be written any more, and notes it as the cause; nil
// while the connection is open. The loop may not have heard of it yet. The lock
// is held.
func (ex *exchange) failed() error {
	err := ex.rc.Err()
	if err != nil && ex.cause == nil {
		ex.cause = departure(err)
	}
	if err != nil {
		return ex.cause
	}
	return nil
}

// depart tells the handler that the client has left and leaves the answer
// open, for a client that shut only its sending side.
func (ex *exchange) depart(cause error) (first bool) {
	o := ex.rc
	o.Lock()
	if ex.cause == nil {
		ex.cause = cause
	}
	first = !ex.told
	f := ex.farewell(cause)
	o.Unlock()
	f.announce()
	return first
}

// cut ends the exchange from outside: nothing more is written. It reports
// whether the handler had not been told of an end before.
func (ex *exchange) cut(cause error) (first bool) {
	o := ex.rc
	o.Lock()
	first = !ex.told
	if !ex.over.Load() {
		ex.broken = true
	}
	f := ex.end(cause)
	o.Unlock()
	if p := ex.stream.pump; p != nil {
		p.closeQuietly(cause)
	}
	f.announce()
	return first
}

func (ex *exchange) doneChan() <-chan struct{} {
	o := ex.rc
	o.Lock()
	defer o.Unlock()
	if ex.done == nil {
		ex.done = make(chan struct{})
		if ex.told {
			close(ex.done)
		}
	}
	return ex.done
}

func (ex *exchange) context() context.Context {
	o := ex.rc
	o.Lock()
	defer o.Unlock()
	if ex.ctx == nil {
		ex.ctx, ex.cancel = context.WithCancelCause(context.Background())
		if ex.told {
			ex.cancel(ex.cause)
		}
	}
	return ex.ctx
}

func (ex *exchange) onClose(f func(error)) {
	o := ex.rc
	o.Lock()
	told, cause := ex.told, ex.cause
	if !told {
		if ex.hooks == nil {
			ex.hooks = ex.hook[:0]
		}
		ex.hooks = append(ex.hooks, f)
	}
	o.Unlock()
	if told {
		f(cause)
	}
}

// serve runs the handler and finishes what it left to be finished.
func (ex *exchange) serve(h Handler) {
	defer ex.rescue()
	h.Serve(&ex.res, &ex.req)
	ex.leaveHandler()
	ex.handled()
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
	o := ex.rc
	o.Lock()
	ex.served = true
	s := &ex.stream
	switch {
	case ex.over.Load():
		ex.forgetKept()
		ex.flush()
	case s.refusal != nil:
		ex.errorAnswer(statusOf(s.refusal), s.refusal)
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

// flush lets go of the lock and has what is pending written: by the loop at
// the end of its turn while an inline handler runs, else at once.
func (ex *exchange) flush() {
	if ex.onLoop {
		ex.rc.Unlock()
		return
	}
	ex.rc.Flush()
}

// finishLater is finishStream for the loop: what is pending leaves, and the
// next request is looked at, at the end of the turn.
func (ex *exchange) finishLater() {
	if !ex.sealStream() {
		return
	}
	f := ex.end(nil)
	ex.rc.Defer()
	f.announce()
	ex.conn.loop().Later((*settleTask)(ex.conn))
}

// finish ends an answer whose last byte is in the buffer: entered with the
// lock, left without.
func (ex *exchange) finish(cause error, big []byte) {
	f := ex.end(cause)
	post := !ex.onLoop && (ex.close || ex.conn.waiting || ex.stream.id != 0)
	switch {
	case ex.onLoop && big != nil:
		b := ex.rc.Buffer()
		b.B = append(b.B, big...)
		ex.rc.Unlock()
	case ex.onLoop:
		ex.rc.Unlock()
	default:
		ex.rc.FlushWith(big, nil)
	}
	f.announce()
	if post {
		ex.conn.loop().Post((*settleTask)(ex.conn))
	}
}

// finishBuffered writes the whole answer. The lock is held.
func (ex *exchange) finishBuffered() {
	w := &ex.res
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
		b.B = append(b.B, body...)
		body = nil
	}
	ex.finish(ex.cause, body)
}

// bodyless reports whether the answer has no body whatever is written to it.
func (ex *exchange) bodyless() bool {
	return ex.req.isHead() || noContent(ex.res.status)
}

// noContent reports whether a response with that status has no content (RFC
// 9110 15.3.5, 15.3.6, 15.4.5). Of the three only a 205 says so by its length.
func noContent(status int) bool { return status == 204 || status == 205 || status == 304 }

// commit appends the head. A length below 0 is a stream of unknown length. The
// lock is held.
func (ex *exchange) commit(b *bytebufferpool.ByteBuffer, length int64) {
	w, r := &ex.res, &ex.req
	ex.committed = true
	ex.sent.Status = w.Status()
	old := r.head.Minor() == 0
	if w.status == 205 {
		length = 0
	}
	chunks := length < 0 && !old && !noContent(w.status)
	if !r.head.KeepAlive() || w.header.close || old && length < 0 && !ex.bodyless() || ex.conn.mustClose(ex) {
		ex.close = true
	}
	dst := http1.AppendStatusLine(b.B, w.Status())
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
	b.B = append(dst, "\r\n"...)
	ex.stream.chunks = chunks
	ex.srv.Trace.firstByte(ex)
}

// rescue is deferred around handlers: a panic becomes a 500, or, when bytes
// are out, a cut connection.
func (ex *exchange) rescue() {
	ex.leaveHandler()
	p := recover()
	if p == nil {
		return
	}
	err := &PanicError{Value: p, Stack: debug.Stack()}
	ex.srv.logPanic("handler", ex.req.Pattern(), err)
	ex.rc.Lock()
	ex.close = true // who knows what it has left behind
	ex.rc.Unlock()
	ex.fail(err)
}

// fail ends the answer with an error: by an error response while no byte is
// out, else by cutting the connection, so that the part is never taken for the
// whole. Any goroutine.
func (ex *exchange) fail(err error) {
	o := ex.rc
	o.Lock()
	ex.served = true
	if ex.over.Load() {
		ex.forgetKept()
		ex.flush()
		return
	}
	if ex.failed() == nil && !ex.committed {
		ex.stream.leave(err)
		ex.errorAnswer(500, err)
		return
	}
	f := ex.end(err)
	ex.broken = true
	o.Unlock()
	f.announce()
	ex.conn.loop().Post(&abortTask{ex.conn, ex, err})
}

// errorAnswer replaces the answer by an error response. The lock is held, and
// given up while the log and OnError hear of it; what fails meanwhile adds
// nothing.
func (ex *exchange) errorAnswer(status int, err error) {
	w := &ex.res
	if w.failing {
		ex.flush()
		return
	}
	w.header.reset()
	w.body = w.body[:0]
	w.status, w.failing, ex.reported = status, true, true
	if ex.cause == nil {
		ex.cause = err
	}
	if status == 503 {
		w.header.fields = append(w.header.fields, headerField{"Retry-After", "1"})
	}
	f := ex.failure(err)
	ex.rc.Unlock()
	ex.explain(f, http1.StatusText(status))
	ex.rc.Lock()
	if ex.over.Load() {
		ex.flush()
		return
	}
	ex.finishBuffered()
}

// reset prepares a pooled exchange for its next request.
func (ex *exchange) reset() {
	ex.req.reset()
	ex.res.reset()
	ex.conn, ex.rc = nil, nil
	ex.committed, ex.told, ex.close, ex.onLoop, ex.served, ex.broken = false, false, false, false, false, false
	ex.partial, ex.skip, ex.sealed, ex.awaited, ex.unread, ex.reported = false, false, false, false, false, false
	ex.cause, ex.hooks, ex.hook[0], ex.onBody, ex.recycled = nil, nil, nil, nil, nil
	ex.done, ex.ctx, ex.cancel, ex.slot = nil, nil, nil, nil
	ex.sent, ex.length, ex.left, ex.received = Sent{}, 0, 0, 0
	ex.stream = Stream{}
	ex.over.Store(false)
}
