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

// Stream is the body of an answer that is sent while it is made. Every method
// may be called from any goroutine and at any time; after the end they return
// its cause and do nothing else.
//
// What is sent leaves at once. Above the connection's high mark Send waits
// until the client has taken some, or is gone.
type Stream struct {
	ex       *exchange
	id       uint64 // 0 = the answer is no stream
	chunks   bool   // the body is in chunks
	detached bool
	slot     *Route // whose limit it counts for, while it runs
	refusal  error  // why it is answered with an error instead
	pump     *pump
	beat     *heartbeat
	trailers []chunked.Field
	onRoom   func() // on the loop, when a client that was behind has caught up
}

// ID is the stream's number, unique in this process, from 1.
func (s *Stream) ID() uint64 { return s.id }

// open makes the exchange's answer a stream, once.
func (s *Stream) open(ex *exchange) {
	rc := ex.rc
	rc.Lock()
	if s.id != 0 {
		rc.Unlock()
		return
	}
	s.ex, s.id = ex, ex.srv.stats.nextStream()
	switch {
	case s.refusal != nil:
	case ex.told && ex.cause != nil && ex.srv.HalfClose != HalfCloseAllow:
		cause := ex.cause
		f := ex.end(cause)
		ex.broken = true
		rc.Unlock()
		f.announce()
		ex.conn.loop().Post(&abortTask{ex.conn, ex, cause})
		return
	case ex.over.Load():
	case s.slot != nil: // handed over, it counts already
	case !ex.srv.takeSlot(ex.req.routed()):
		s.refusal = ErrBusy
		ex.errorAnswer(503, ErrBusy)
		return
	default:
		s.slot = ex.req.routed()
	}
	rc.Unlock()
}

// count is called once, at the end of the exchange, with the lock held.
func (s *Stream) count(cause error) {
	if s.slot != nil {
		s.ex.srv.freeSlot(s.slot)
		s.ex.srv.stats.finished(cause)
		s.slot = nil
	}
}

// leave turns a stream that has sent nothing back into a plain answer.
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
		wait = wait && !s.ex.onLoop
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
		b.B = chunked.AppendSize(b.B, len(p))
		s.ex.rc.FlushWith(p, crlf)
	case direct:
		s.ex.rc.FlushWith(p, nil)
	default:
		b.B = s.frame(b.B, p)
		s.ex.flush()
	}
	return nil
}

var crlf = []byte("\r\n")

// ready commits the head, if that is still to be done, and checks that n bytes
// of body may follow. The lock is held; with an error it is given up.
func (s *Stream) ready(n int) error {
	ex := s.ex
	if ex.length > 0 && ex.sent.Bytes+int64(n) > ex.length-1 && !ex.bodyless() {
		ex.rc.Unlock()
		ex.fail(errLength)
		return errLength
	}
	if !ex.committed {
		ex.commit(ex.rc.Buffer(), ex.length-1)
		if ex.bodyless() {
			ex.finish(ErrNoBody, nil)
			return ErrNoBody
		}
	}
	if s.beat != nil && n > 0 {
		s.beat.last = time.Now()
	}
	if n > 0 {
		ex.count(n)
		ex.sent.Chunks++
	}
	ex.srv.Trace.chunk(ex, n)
	return nil
}

func (s *Stream) frame(dst, p []byte) []byte {
	if s.chunks {
		return chunked.AppendChunk(dst, p)
	}
	return append(dst, p...)
}

// SendEvent sends one server-sent event as a chunk; it waits as Send does. The
// answer's content type becomes text/event-stream if none was set. An event
// that cannot be written (sse.ErrName, sse.ErrID) is an error and sends nothing.
func (s *Stream) SendEvent(e *sse.Event) error {
	var store [1 << 10]byte
	event, err := sse.AppendEvent(store[:0], e)
	if err != nil {
		return err
	}
	if err := s.acquire(true); err != nil {
		return err
	}
	rc := s.ex.rc
	if !s.ex.committed {
		s.ex.res.eventStream()
	}
	if err := s.ready(len(event)); err != nil {
		return err
	}
	b := rc.Buffer()
	b.B = s.frame(b.B, event)
	s.ex.flush()
	return nil
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
	b.B = s.frame(b.B, p)
	if rc.Pending() < writeThrough {
		rc.Unlock()
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
// Status and fields are then fixed.
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
	if ex.length > 0 && ex.sent.Bytes != ex.length-1 && !ex.bodyless() {
		ex.rc.Unlock()
		ex.fail(fmt.Errorf("%w: %d of %d bytes", errLength, ex.sent.Bytes, ex.length-1))
		return false
	}
	b := ex.rc.Buffer()
	if !ex.committed {
		ex.commit(b, ex.length-1)
	}
	if s.chunks && !ex.bodyless() {
		b.B, _ = chunked.AppendTrailers(b.B, s.trailers...) // each was checked by SetTrailer
	}
	return true
}

// Abort ends the stream as failed: with an error response while nothing was
// sent, else by cutting the connection, so that the client sees that the body
// is not whole.
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

// Done is closed when the stream has ended or the client has left.
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

// OnClose has f called once when the stream has ended, with its cause. f runs
// as Request.OnClose says.
func (s *Stream) OnClose(f func(cause error)) { s.ex.onClose(f) }

// Draining is closed when the server shuts down and takes no new requests any
// more, which is after Timeouts.DrainGrace: a client that comes back at once is
// not to get here again. The stream may go on until Deadline, and had better
// end before.
func (s *Stream) Draining() <-chan struct{} { return s.ex.srv.draining }

// Deadline is when the server, shutting down, will cut the stream at the
// earliest; ok is false while it is not shutting down.
func (s *Stream) Deadline() (at time.Time, ok bool) { return s.ex.srv.drainDeadline() }
