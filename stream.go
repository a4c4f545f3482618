package weir

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"weir/chunked"
	"weir/internal/h1"
	"weir/sse"
)

// writeThrough is the number of buffered bytes from which Stream.Write does
// not wait for Flush.
const writeThrough = 16 << 10

// A Stream is a response body that is sent while it is produced. It is safe for
// concurrent use at any time: after its end the methods have no effect and
// return its cause.
//
// Send writes to the connection immediately. Above the connection's high mark
// it waits until the client has read some, or has disconnected. What was
// written with Response.Write before the stream was opened is its first chunk.
//
// How it is fed decides which methods are for whom:
//
//	pushed      Response.Stream, EventStream      the producer: Send, TrySend, SendEvent, Write and Flush; Close
//	pumped      Response.StreamFrom               the Source sends, and its io.EOF ends it; Wake has the loop call it again
//	generated   Response.StreamSeq, StreamEvents  the sequence sends, and its end ends it
//
// All have Commit, Heartbeat (for events), SetTrailer, Abort, and what reports
// the end: Done, OnClose, Ended, Cause, Draining and Deadline. Detach is for
// pushed ones. What is sent to a stream that is fed otherwise gets between the
// chunks of its source or sequence.
type Stream struct {
	ex       *exchange
	id       uint64 // 0 = the response is not a stream
	chunks   bool   // the body is in chunks
	detached bool
	file     bool   // its body begins with a file, see SendFile
	typed    bool   // the head is known to have a Content-Type, for events
	given    bool   // to a handler, by Response
	passing  int64  // bytes of a file that the kernel is about to take
	slot     *Route // whose limit it counts for, while it runs
	refusal  error  // why an error response is sent instead
	pump     *pump
	beat     *heartbeat
	trailers []chunked.Field
}

// ID returns the stream's number, unique in this process, from 1.
func (s *Stream) ID() uint64 { return s.id }

// open makes the exchange's response a stream, once, which src feeds if that is
// not nil. A src that finds no open stream is closed.
func (s *Stream) open(ex *exchange, src Source) {
	if src == nil {
		s.openWith(ex, nil)
	} else {
		s.openWith(ex, newPump(ex, src))
	}
}

func (s *Stream) openWith(ex *exchange, p *pump) {
	l := ex.lock()
	refused := s.refusal
	cause := l.beginStream(p)
	if s.refusal != refused {
		l.answerError(503, cause)
	} else {
		l.unlock()
	}
	if cause != nil && p != nil {
		p.endWith(cause, false)
	}
}

// beginStream is open. It returns why nothing can be sent.
func (l locked) beginStream(p *pump) error {
	ex, s := l.ex, &l.ex.stream
	if s.id != 0 {
		return errTwoBodies
	}
	s.ex, s.id = ex, ex.srv.stats.nextStream()
	switch {
	case s.refusal != nil, ex.over():
		return l.state()
	case ex.told && ex.cause != nil && ex.srv.HalfClose != HalfCloseAllow:
		l.breakOff(ex.cause)
		ex.carrier.abort(ex, ex.cause)
		return ex.cause
	}
	if err := l.takeSlot(); err != nil {
		return err
	}
	s.pump = p
	return nil
}

// takeSlot counts the stream in, unless it is already, and refuses it if there
// are too many.
func (l locked) takeSlot() error {
	ex, s := l.ex, &l.ex.stream
	if s.slot != nil { // the one that was handed over, or that a LoopExchange is
		return nil
	}
	if s.refusal = ex.srv.takeSlot(ex.req.routed()); s.refusal == nil {
		s.slot = ex.req.routed()
	}
	return s.refusal
}

var errTwoBodies = errors.New("weir: the response is a stream already")

// leaveStream counts the stream out, once.
func (l locked) leaveStream(cause error) {
	if s := &l.ex.stream; s.slot != nil {
		l.ex.srv.freeSlot(s.slot)
		l.ex.srv.stats.finished(cause)
		s.slot = nil
	}
}

// refuseStream turns a stream that has sent nothing back into a plain response.
func (l locked) refuseStream(cause error) {
	l.ex.stream.refusal = cause
	l.leaveStream(cause)
}

// state is nil while chunks may be added.
func (l locked) state() error {
	ex := l.ex
	switch {
	case ex.stream.refusal != nil:
		return ex.stream.refusal
	case ex.over():
		if ex.cause != nil {
			return ex.cause
		}
		return ErrStreamEnded
	case ex.pipe != nil && ex.pipe.shut.Load():
		return ErrPipeClosed
	}
	return l.failed()
}

// acquire takes the lock when a chunk may be added to b. With an error it is
// not held.
func (s *Stream) acquire(wait bool) (l locked, b *[]byte, err error) {
	ex := s.ex
	l = locked{ex}
	for {
		b, room, _ := ex.wire.Acquire() // the error is state's
		if b != nil && s.refusal == nil && !ex.over() {
			return l, b, nil
		}
		err := l.state()
		wait = wait && !ex.onLoop && !ex.loop.live()
		l.unlock()
		switch {
		case err != nil:
			return locked{}, nil, err
		case !wait:
			return locked{}, nil, ErrBacklog
		}
		<-room
	}
}

// Send sends one chunk. Above the high mark it waits, except on a loop, where
// it returns [ErrBacklog]. An empty p sends nothing. The caller may reuse p
// when Send returns. Errors: [ErrClientGone], [ErrSlowClient],
// [ErrServerClosed], [ErrStreamEnded], [ErrNoBody].
func (s *Stream) Send(p []byte) error { return s.send(p, true) }

// TrySend is [Stream.Send] except that it never waits: above the high mark it
// sends nothing and returns [ErrBacklog].
func (s *Stream) TrySend(p []byte) error { return s.send(p, false) }

func (s *Stream) send(p []byte, wait bool) error {
	l, b, err := s.acquire(wait)
	if err != nil {
		return err
	}
	if len(p) == 0 {
		l.unlock()
		return nil
	}
	if err := l.ready(len(p)); err != nil {
		return err
	}
	switch direct := len(p) >= 4<<10; {
	case direct && s.chunks:
		*b = chunked.AppendSize(*b, len(p))
		l.flushWith(p, crlf)
	case direct:
		l.flushWith(p, nil)
	default:
		*b = s.frame(*b, p)
		l.flush()
	}
	return nil
}

var crlf = []byte("\r\n")

// ready commits the head, if that is still to be done, and checks that n bytes
// of body may follow. With an error it releases the lock.
func (l locked) ready(n int) error {
	ex := l.ex
	if err := l.fits(int64(n)); err != nil {
		return err
	}
	if !ex.begun() {
		l.commitStream()
		if ex.bodyless() {
			l.finish(ErrNoBody, nil)
			return ErrNoBody
		}
	}
	if b := ex.stream.beat; b != nil && n > 0 {
		b.last = time.Now()
	}
	if n > 0 {
		l.countChunk(n)
	}
	return nil
}

// fits checks that n more bytes of body are not more than was announced. With an
// error it releases the lock.
func (l locked) fits(n int64) error {
	ex := l.ex
	if !ex.length.known() || n <= ex.length.n()-l.pending()-ex.stream.passing || ex.bodyless() {
		return nil
	}
	l.unlock()
	ex.fail(ErrLength)
	return ErrLength
}

// commitStream commits the head of a stream, and behind it what was written to
// the response before it was one.
func (l locked) commitStream() {
	l.ex.Become(h1.Committed)
	l.commit(l.ex.length.n(), nil)
	l.writtenFirst()
}

// writtenFirst appends what was written to the response before it was a stream.
func (l locked) writtenFirst() {
	ex := l.ex
	if p := ex.res.body; len(p) > 0 && !ex.bodyless() {
		l.countChunk(len(p))
		l.append(p)
		ex.res.body = p[:0]
	}
}

// pending is how many bytes of body were sent, or are to be sent with the head.
func (l locked) pending() int64 {
	if l.ex.begun() {
		return l.ex.sent.Bytes
	}
	return int64(len(l.ex.res.body))
}

func (s *Stream) frame(dst, p []byte) []byte {
	if s.chunks {
		return chunked.AppendChunk(dst, p)
	}
	return append(dst, p...)
}

// SendEvent sends one server-sent event as a chunk; it waits as [Stream.Send]
// does. If nothing was sent yet, the head gets the fields of an event stream,
// unless the handler has set them. An event that cannot be written
// ([sse.ErrName], [sse.ErrID]) is an error and sends nothing, and so is one in
// a response that was committed without a Content-Type, in which no browser
// looks for events: set it before Commit, or open the stream with
// [Response.EventStream].
func (s *Stream) SendEvent(e *sse.Event) error {
	var store [1 << 10]byte
	event, err := sse.AppendEvent(store[:0], e)
	if err != nil {
		return err
	}
	l, b, err := s.acquire(true)
	if err != nil {
		return err
	}
	if !s.typed && !s.promiseEvents() {
		l.unlock()
		return errNotEvents
	}
	if err := l.ready(len(event)); err != nil {
		return err
	}
	*b = s.frame(*b, event)
	l.flush()
	return nil
}

var errNotEvents = errors.New("weir: SendEvent after a head without Content-Type: set text/event-stream before Commit, or use Response.EventStream")

// promiseEvents sees to it that the head says what it takes for events. It
// returns false if it is too late for that. The exchange is locked.
func (s *Stream) promiseEvents() bool {
	w := &s.ex.res
	w.setEventStream()
	s.typed = w.header.Has("Content-Type")
	return s.typed
}

// Write adds one chunk that may be sent later: with the next Send, with Flush,
// or when enough has gathered. It waits as [Stream.Send] does.
func (s *Stream) Write(p []byte) (int, error) {
	l, b, err := s.acquire(true)
	if err != nil {
		return 0, err
	}
	if len(p) == 0 {
		l.unlock()
		return 0, nil
	}
	if err := l.ready(len(p)); err != nil {
		return 0, err
	}
	*b = s.frame(*b, p)
	if l.ex.wire.Pending() < writeThrough {
		l.unlock()
	} else {
		l.flush()
	}
	return len(p), nil
}

// Flush sends what [Stream.Write] has gathered.
func (s *Stream) Flush() error {
	l := s.ex.lock()
	err := l.state()
	if err != nil {
		l.unlock()
		return err
	}
	l.flush()
	return nil
}

// Commit sends the head now, for a first chunk that will come late. Status and
// fields are then fixed. Before Commit make an event stream one, with
// [Response.EventStream] or a Content-Type.
func (s *Stream) Commit() error {
	l := s.ex.lock()
	err := l.state()
	if err == nil {
		if err = l.ready(0); err != nil {
			return err
		}
	}
	l.flush()
	return err
}

// SetTrailer sets a field that follows the last chunk, in place of an earlier
// one of that name. Those that are set before the first chunk are announced in
// the head. It returns an error if the name is not a token or must not be a
// trailer, or the value has control characters. HTTP/1.0 clients do not get
// trailers.
func (s *Stream) SetTrailer(name, value string) error {
	l := s.ex.lock()
	defer l.unlock()
	if err := l.state(); err != nil {
		return err
	}
	f := chunked.Field{Name: name, Value: value}
	if _, err := chunked.AppendTrailers(nil, f); err != nil {
		return err
	}
	for i := range s.trailers {
		if strings.EqualFold(s.trailers[i].Name, name) {
			s.trailers[i] = f
			return nil
		}
	}
	s.trailers = append(s.trailers, f)
	return nil
}

// Close ends the stream cleanly, also one that is fed otherwise: its Source is
// closed with [ErrStreamEnded], its sequence stopped. It returns nil if the
// stream is complete, also when it is called again, else the cause of the
// earlier end.
func (s *Stream) Close() error { return s.end(locked.finishStream) }

// end calls finish, which releases the lock, for a stream that has not ended.
func (s *Stream) end(finish func(locked)) error {
	l := s.ex.lock()
	if err := l.state(); err != nil && err != ErrPipeClosed { // which only sends no more
		l.unlock()
		if errors.Is(err, ErrStreamEnded) {
			return nil
		}
		return err
	}
	finish(l)
	return nil
}

// finishStream ends a stream that is complete. It releases the lock.
func (l locked) finishStream() {
	if l.sealStream() {
		l.finish(nil, nil)
	}
}

// sealStream puts what ends a complete stream into the output. If the response
// has failed, it returns false, and the lock is released.
func (l locked) sealStream() bool {
	ex := l.ex
	if l.failed() != nil {
		l.finish(ex.cause, nil)
		return false
	}
	if n := l.pending(); ex.length.known() && n != ex.length.n() && !ex.bodyless() {
		l.unlock()
		ex.fail(fmt.Errorf("%w: %d of %d bytes", ErrLength, n, ex.length.n()))
		return false
	}
	if !ex.begun() {
		l.commitStream()
	}
	ex.carrier.tail(l)
	return true
}

// Abort ends the stream as failed: with an error response while nothing was
// sent, 503 with Retry-After for [ErrBusy] and [ErrServerClosed] and 500 for
// others. Otherwise the client receives what was accepted, and the end of the
// connection without the end of the body, so that it sees that the body is
// truncated. The connection is reset if the framing could not show that, as
// with HTTP/1.0, and if the client does not read what is pending.
func (s *Stream) Abort(cause error) {
	if cause == nil {
		cause = errors.New("weir: stream aborted")
	}
	s.ex.fail(cause)
}

// Detach lets a pushed stream continue after Serve has returned, until Close or
// Abort is called.
func (s *Stream) Detach() {
	l := s.ex.lock()
	s.detached = true
	l.unlock()
}

// Done is closed when the stream has ended or the client has disconnected.
func (s *Stream) Done() <-chan struct{} { return s.ex.doneChan() }

// Ended reports whether the stream has ended, at the cost of an atomic load.
func (s *Stream) Ended() bool { return s.ex.over() }

// Cause returns why the stream ended: nil while it runs and after Close.
func (s *Stream) Cause() error {
	l := s.ex.lock()
	defer l.unlock()
	if s.refusal != nil {
		return s.refusal
	}
	return s.ex.cause
}

// OnClose registers f to be called once when the stream has ended, with its
// cause, as [Request.OnClose] does.
func (s *Stream) OnClose(f func(cause error)) { s.ex.onClose(f) }

// Draining returns a channel that is closed when the server shuts down and no
// longer accepts requests, which is after [Timeouts].DrainGrace: a client that
// comes back at once does not get here again. The stream may continue until
// Deadline, and should end before.
func (s *Stream) Draining() <-chan struct{} { return s.ex.carrier.draining() }

// Deadline returns when the server, shutting down, aborts the stream at the
// earliest; ok is false while it is not shutting down.
func (s *Stream) Deadline() (at time.Time, ok bool) { return s.ex.srv.drainDeadline() }
