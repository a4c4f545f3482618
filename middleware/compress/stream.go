package compress

import (
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"weir"
	"weir/middleware"
	"weir/sse"
)

// MaxStreams is how many coded streams there are at once, each with some hundred
// kilobytes of its own. One beyond it is not coded.
const MaxStreams = 1000

var streams atomic.Int64

// A Stream is a response that is sent while it is produced, coded as its client
// accepts it. It is safe for concurrent use. Each chunk is flushed: the client
// can decode it at once, at the cost of some bytes a chunk.
//
// It is for handlers on goroutines. End it with Close: if the handler returns
// without it, the coded text is cut, and the client sees that.
type Stream struct {
	s *weir.Stream

	mu     sync.Mutex
	enc    writer // nil = it is not coded, or has ended
	coded  bool
	out    chunk
	events []byte
}

// chunk gathers what the encoder writes.
type chunk []byte

func (c *chunk) Write(p []byte) (int, error) {
	*c = append(*c, p...)
	return len(p), nil
}

// NewStream makes the response a stream, coded with one of [Codings] if the
// client accepts one. Set its fields before; what was written to the response
// before makes it one that is not coded.
func NewStream(w *weir.Response, r *weir.Request) *Stream { return newStream(w, r, w.Stream) }

// NewEventStream is [NewStream] for server-sent events.
func NewEventStream(w *weir.Response, r *weir.Request) *Stream {
	return newStream(w, r, w.EventStream)
}

func newStream(w *weir.Response, r *weir.Request, open func() *weir.Stream) *Stream {
	h := w.Header()
	middleware.AddVary(h, "Accept-Encoding")
	name := choose(r.Header(), Codings())
	if name == "" || len(w.Body()) > 0 || h.Has("Content-Encoding") || w.Committed() || !countIn() {
		return &Stream{s: open()}
	}
	h.Set("Content-Encoding", name)
	weaken(h)
	s := &Stream{s: open(), enc: newWriter(name, true), coded: true}
	s.enc.Reset(&s.out)
	s.s.OnClose(func(error) { streams.Add(-1); s.drop() })
	return s
}

// countIn makes place for a coded stream, if there is one.
func countIn() bool {
	if streams.Add(1) > MaxStreams {
		streams.Add(-1)
		return false
	}
	return true
}

// Send sends one chunk. It waits as weir.Stream.Send does, and so does whoever
// sends at the same time.
func (s *Stream) Send(p []byte) error {
	if !s.coded {
		return s.s.Send(p)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.send(p)
}

// TrySend is Send except that it never waits: while the client is behind, or
// somebody else sends, it sends nothing and returns weir.ErrBacklog.
func (s *Stream) TrySend(p []byte) error {
	if !s.coded {
		return s.s.TrySend(p)
	}
	if !s.mu.TryLock() {
		return weir.ErrBacklog
	}
	defer s.mu.Unlock()
	if err := s.s.TrySend(nil); err != nil { // what is coded must be sent
		return err
	}
	return s.send(p)
}

// SendEvent sends one server-sent event. One that cannot be written is an error
// and sends nothing.
func (s *Stream) SendEvent(e *sse.Event) error {
	if !s.coded {
		return s.s.SendEvent(e)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	event, err := sse.AppendEvent(s.events[:0], e)
	if err != nil {
		return err
	}
	if s.events = event[:0]; cap(s.events) > keptChunk {
		s.events = nil
	}
	return s.send(event)
}

// keptChunk is how much memory a stream keeps for its next chunk.
const keptChunk = 64 << 10

// send codes and sends a chunk. The stream is locked.
func (s *Stream) send(p []byte) error {
	switch {
	case s.enc == nil:
		return s.ended()
	case len(p) == 0:
		return s.s.Send(nil)
	}
	_, err := s.enc.Write(p)
	if err == nil {
		err = s.enc.Flush()
	}
	return s.pass(err)
}

// pass sends what the encoder has written.
func (s *Stream) pass(err error) error {
	if err != nil {
		err = fmt.Errorf("compress: coding a stream: %w", err)
		s.s.Abort(err)
		return err
	}
	err = s.s.Send(s.out)
	if s.out = s.out[:0]; cap(s.out) > keptChunk {
		s.out = nil
	}
	return err
}

// ended is why nothing can be sent.
func (s *Stream) ended() error {
	if cause := s.s.Cause(); cause != nil {
		return cause
	}
	return weir.ErrStreamEnded
}

// Close ends the stream cleanly. Called again, it has no effect.
func (s *Stream) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.enc != nil {
		enc := s.enc
		s.enc = nil
		if err := s.pass(enc.Close()); err != nil {
			return err
		}
	}
	return s.s.Close()
}

// drop frees the encoder of a stream that has ended.
func (s *Stream) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.enc, s.out, s.events = nil, nil, nil
}

// Abort ends the stream as failed, as weir.Stream.Abort does.
func (s *Stream) Abort(cause error) { s.s.Abort(cause) }

// Detach lets the stream continue after Serve has returned, until Close or Abort
// is called.
func (s *Stream) Detach() { s.s.Detach() }

// Done is closed when the stream has ended or the client has disconnected.
func (s *Stream) Done() <-chan struct{} { return s.s.Done() }

// Cause returns why the stream ended: nil while it runs and after Close.
func (s *Stream) Cause() error { return s.s.Cause() }

// Events is weir.Response.StreamEvents with a coding: it sends what seq yields,
// and ends the stream.
func Events(w *weir.Response, r *weir.Request, seq iter.Seq2[*sse.Event, error]) error {
	return sendAll(NewEventStream(w, r), seq, (*Stream).SendEvent)
}

// Seq is weir.Response.StreamSeq with a coding: it sends what seq yields, each a
// chunk, and ends the stream.
func Seq(w *weir.Response, r *weir.Request, seq iter.Seq2[[]byte, error]) error {
	return sendAll(NewStream(w, r), seq, (*Stream).Send)
}

func sendAll[T any](s *Stream, seq iter.Seq2[T, error], send func(*Stream, T) error) error {
	for item, err := range seq {
		if err == nil {
			err = send(s, item)
		}
		if err != nil {
			if !errors.Is(err, weir.ErrNoBody) {
				s.Abort(err) // unless it has ended
			}
			return err
		}
	}
	return s.Close()
}
