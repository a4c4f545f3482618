package weir

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"weir/chunked"
	"weir/sse"
)

// writeThrough is the number of buffered bytes from which Stream.Write does
// not wait for Flush.
const writeThrough = 16 << 10

var errLength = errors.New("weir: stream does not have the length that was announced")

// A Stream is a response body that is sent while it is made, safe for concurrent
// use at any time: after its end the methods return its cause and do nothing
// else.
//
// What is sent leaves at once. Above the connection's high mark Send waits
// until the client has taken some, or has disconnected. What was written with
// Response.Write before the stream was opened is its first chunk.
type Stream struct {
	ex       *exchange
	id       uint64 // 0 = the response is not a stream
	chunks   bool   // the body is in chunks
	detached bool
	typed    bool   // the head is known to have a Content-Type, for events
	slot     *Route // whose limit it counts for, while it runs
	refusal  error  // why it is answered with an error instead
	pump     *pump
	beat     *heartbeat
	trailers []chunked.Field
	given    bool // to a handler, by Response
}

// ID is the stream's number, unique in this process, from 1.
func (s *Stream) ID() uint64 { return s.id }

// open makes the exchange's response a stream, once, which src feeds if that is
// not nil. A src that finds no open stream is closed.
func (s *Stream) open(ex *exchange, src Source) {
	var p *pump
	if src != nil {
		p = newPump(ex, src)
	}
	ex.rc.Lock()
	refused := s.refusal
	cause := s.begin(ex, p)
	if s.refusal != refused {
		ex.answerError(503, cause)
	} else {
		ex.unlock()
	}
	if cause != nil && p != nil {
		p.endWith(cause, false)
	}
}

// begin is open with the lock held. It returns why nothing can be sent.
func (s *Stream) begin(ex *exchange, p *pump) error {
	if s.id != 0 {
		return errTwoBodies
	}
	s.ex, s.id = ex, ex.srv.stats.nextStream()
	switch {
	case s.refusal != nil, ex.over.Load():
		return s.state()
	case ex.told && ex.cause != nil && ex.srv.HalfClose != HalfCloseAllow:
		ex.broken = true
		ex.end(ex.cause)
		ex.conn.loop().Post(&abortTask{ex.conn, ex, ex.cause})
		return ex.cause
	case s.slot != nil: // handed over, it counts already
	case !ex.srv.takeSlot(ex.req.routed()):
		s.refusal = ErrBusy
		return ErrBusy
	default:
		s.slot = ex.req.routed()
	}
	s.pump = p
	return nil
}

var errTwoBodies = errors.New("weir: the response is a stream already")

// count is called once, at the end of the exchange, with the lock held.
func (s *Stream) count(cause error) {
	if s.slot != nil {
		s.ex.srv.freeSlot(s.slot)
		s.ex.srv.stats.finished(cause)
		s.slot = nil
	}
}

// leave turns a stream that has sent nothing back into a plain response.
func (s *Stream) leave(cause error) {
	s.refusal = cause
	s.count(cause)
}

// state is nil while chunks may be added. The lock is held.
func (s *Stream) state() error {
	switch {
	case s.refusal != nil:
		return s.refusal
	case s.ex.over.Load():
		if s.ex.cause != nil {
			return s.ex.cause
		}
		return ErrStreamEnded
	}
	return s.ex.failed()
}

// acquire takes the lock when a chunk may be added.
func (s *Stream) acquire(wait bool) error {
	rc := s.ex.rc
	for {
		rc.Lock()
		if err := s.state(); err != nil {
			rc.Unlock()
			return err
		}
		room := rc.Room()
		if room == nil {
			return nil
		}
		wait = wait && !s.ex.onLoop && !s.ex.loop.live()
		rc.Unlock()
		if !wait {
			return ErrBacklog
		}
		<-room
	}
}

// Send sends one chunk. It waits above the high mark, but on a loop, where it
// returns ErrBacklog. An empty p sends nothing. p is the caller's again when
// Send returns. Errors: ErrClientGone, ErrSlowClient, ErrServerClosed,
// ErrStreamEnded, ErrNoBody.
func (s *Stream) Send(p []byte) error { return s.send(p, true) }

// TrySend is Send that never waits: above the high mark it sends nothing and
// returns ErrBacklog.
func (s *Stream) TrySend(p []byte) error { return s.send(p, false) }

func (s *Stream) send(p []byte, wait bool) error {
	if err := s.acquire(wait); err != nil {
		return err
	}
	if len(p) == 0 {
		s.ex.rc.Unlock()
		return nil
	}
	if err := s.ready(len(p)); err != nil {
		return err
	}
	b := s.ex.rc.Buffer()
	switch direct := len(p) >= 4<<10 && !s.ex.onLoop; {
	case direct && s.chunks:
		*b = chunked.AppendSize(*b, len(p))
		s.ex.flushWith(p, crlf)
	case direct:
		s.ex.flushWith(p, nil)
	default:
		*b = s.frame(*b, p)
		s.ex.flush()
	}
	return nil
}

var crlf = []byte("\r\n")

// ready commits the head, if that is still to be done, and checks that n bytes
// of body may follow. The lock is held; with an error it is released.
func (s *Stream) ready(n int) error {
	ex := s.ex
	if ex.length > 0 && s.pending()+int64(n) > ex.length-1 && !ex.bodyless() {
		ex.rc.Unlock()
		ex.fail(errLength)
		return errLength
	}
	if !ex.committed {
		s.commitHead()
		if ex.bodyless() {
			ex.finish(ErrNoBody, nil)
			return ErrNoBody
		}
	}
	if s.beat != nil && n > 0 {
		s.beat.last = time.Now()
	}
	if n > 0 {
		ex.countChunk(n)
	}
	return nil
}

// commitHead commits the head of a stream, and behind it what was written to
// the response before it was one. The lock is held.
func (s *Stream) commitHead() {
	ex := s.ex
	b := ex.rc.Buffer()
	ex.commit(b, ex.length-1)
	if p := ex.res.body; len(p) > 0 && !ex.bodyless() {
		ex.countChunk(len(p))
		*b = s.frame(*b, p)
		ex.res.body = p[:0]
	}
}

// pending is how many bytes of body were sent, or are to be sent with the head.
// The lock is held.
func (s *Stream) pending() int64 {
	if s.ex.committed {
		return s.ex.sent.Bytes
	}
	return int64(len(s.ex.res.body))
}

func (s *Stream) frame(dst, p []byte) []byte {
	if s.chunks {
		return chunked.AppendChunk(dst, p)
	}
	return append(dst, p...)
}

// SendEvent sends one server-sent event as a chunk; it waits as Send does. If
// nothing was sent yet, the head gets the fields of an event stream, where the
// handler has not set them. An event that cannot be written (sse.ErrName,
// sse.ErrID) is an error and sends nothing, and so is one in a response that
// was committed without a Content-Type, in which no browser looks for events:
// set it before Commit, or open the stream with Response.EventStream.
func (s *Stream) SendEvent(e *sse.Event) error {
	var store [1 << 10]byte
	event, err := sse.AppendEvent(store[:0], e)
	if err != nil {
		return err
	}
	if err := s.acquire(true); err != nil {
		return err
	}
	if !s.typed && !s.promiseEvents() {
		s.ex.rc.Unlock()
		return errNotEvents
	}
	if err := s.ready(len(event)); err != nil {
		return err
	}
	b := s.ex.rc.Buffer()
	*b = s.frame(*b, event)
	s.ex.flush()
	return nil
}

var errNotEvents = errors.New("weir: SendEvent after a head without Content-Type: set text/event-stream before Commit, or use Response.EventStream")

// promiseEvents sees to it that the head says what it takes for events. It
// returns false if it is too late for that. The lock is held.
func (s *Stream) promiseEvents() bool {
	w := &s.ex.res
	w.setEventStream()
	s.typed = w.header.Has("Content-Type")
	return s.typed
}

// Write adds one chunk that may leave later: with the next Send, with Flush,
// or when enough has gathered. It waits as Send does.
func (s *Stream) Write(p []byte) (int, error) {
	if err := s.acquire(true); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		s.ex.rc.Unlock()
		return 0, nil
	}
	if err := s.ready(len(p)); err != nil {
		return 0, err
	}
	rc := s.ex.rc
	b := rc.Buffer()
	*b = s.frame(*b, p)
	if rc.Pending() < writeThrough {
		s.ex.unlock()
	} else {
		s.ex.flush()
	}
	return len(p), nil
}

// Flush sends what Write has gathered.
func (s *Stream) Flush() error {
	s.ex.rc.Lock()
	err := s.state()
	if err != nil {
		s.ex.rc.Unlock()
		return err
	}
	s.ex.flush()
	return nil
}

// Commit sends the head now, for a first chunk that will be long in coming.
// Status and fields are then fixed. An event stream is one already, by
// Response.EventStream or a Content-Type.
func (s *Stream) Commit() error {
	s.ex.rc.Lock()
	err := s.state()
	if err == nil {
		if err = s.ready(0); err != nil {
			return err
		}
	}
	s.ex.flush()
	return err
}

// SetTrailer sets a field that follows the last chunk, in place of an earlier
// one of that name. Those that are set before the first chunk are announced in
// the head. It is refused when the name is no token or one that must not be a
// trailer, or the value has control characters. HTTP/1.0 clients do not get it.
func (s *Stream) SetTrailer(name, value string) error {
	s.ex.rc.Lock()
	defer s.ex.rc.Unlock()
	if err := s.state(); err != nil {
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

// announceTrailers names the trailers that are known when the head is made.
func (s *Stream) announceTrailers(dst []byte) []byte {
	for i, f := range s.trailers {
		if i == 0 {
			dst = append(dst, "Trailer: "...)
		} else {
			dst = append(dst, ", "...)
		}
		dst = append(dst, f.Name...)
	}
	if len(s.trailers) > 0 {
		dst = append(dst, "\r\n"...)
	}
	return dst
}

// Close ends the stream in good order. It returns nil when the end is on its
// way, also the second time, else the cause of the earlier end.
func (s *Stream) Close() error { return s.end((*exchange).finishStream) }

// end has finish called with the lock, which it gives up, for a stream that has
// not ended.
func (s *Stream) end(finish func(*exchange)) error {
	s.ex.rc.Lock()
	if err := s.state(); err != nil {
		s.ex.rc.Unlock()
		if errors.Is(err, ErrStreamEnded) {
			return nil
		}
		return err
	}
	finish(s.ex)
	return nil
}

// finishStream ends a stream that is complete. The lock is held.
func (ex *exchange) finishStream() {
	if ex.sealStream() {
		ex.finish(nil, nil)
	}
}

// sealStream puts what ends a complete stream into the output. The lock is
// held; it is given up, and false returned, when the answer has failed.
func (ex *exchange) sealStream() bool {
	s := &ex.stream
	if ex.failed() != nil {
		ex.finish(ex.cause, nil)
		return false
	}
	if n := s.pending(); ex.length > 0 && n != ex.length-1 && !ex.bodyless() {
		ex.rc.Unlock()
		ex.fail(fmt.Errorf("%w: %d of %d bytes", errLength, n, ex.length-1))
		return false
	}
	if !ex.committed {
		s.commitHead()
	}
	if b := ex.rc.Buffer(); s.chunks && !ex.bodyless() {
		*b, _ = chunked.AppendTrailers(*b, s.trailers...) // each was checked by SetTrailer
	}
	return true
}

// Abort ends the stream as failed: with an error response while nothing was
// sent. Else the client receives what was accepted, and the end of the
// connection without the end of the body, so that it sees that the body is not
// whole. The connection is reset where the framing could not show that, as with
// HTTP/1.0, and when the client does not take what is pending.
func (s *Stream) Abort(cause error) {
	if cause == nil {
		cause = errors.New("weir: stream aborted")
	}
	s.ex.fail(cause)
}

// Detach lets the stream live on when Serve has returned, until Close or
// Abort.
func (s *Stream) Detach() {
	s.ex.rc.Lock()
	s.detached = true
	s.ex.rc.Unlock()
}

// Done is closed when the stream has ended or the client has disconnected.
func (s *Stream) Done() <-chan struct{} { return s.ex.doneChan() }

// Ended reports whether the stream has ended, at the cost of an atomic load.
func (s *Stream) Ended() bool { return s.ex.over.Load() }

// Cause is why the stream ended: nil while it runs and after Close.
func (s *Stream) Cause() error {
	s.ex.rc.Lock()
	defer s.ex.rc.Unlock()
	if s.refusal != nil {
		return s.refusal
	}
	return s.ex.cause
}

// OnClose registers f to be called once when the stream has ended, with its
// cause. f runs as Request.OnClose says.
func (s *Stream) OnClose(f func(cause error)) { s.ex.onClose(f) }

// Draining is closed when the server shuts down and takes no new requests any
// more, which is after Timeouts.DrainGrace: a client that comes back at once is
// not to get here again. The stream may go on until Deadline, and had better
// end before.
func (s *Stream) Draining() <-chan struct{} { return s.ex.srv.draining }

// Deadline is when the server, shutting down, will cut the stream at the
// earliest; ok is false while it is not shutting down.
func (s *Stream) Deadline() (at time.Time, ok bool) { return s.ex.srv.drainDeadline() }
