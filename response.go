package weir

import (
	"fmt"
	"iter"
	"time"

	"weir/http1"
	"weir/sse"
)

// Response is the answer to one request. Its methods are for the handler's
// goroutine, until Serve returns; those of its Stream are for any.
//
// The head is committed with the first chunk of a stream, or with the whole
// buffered body when Serve returns. Until then status and fields can change.
type Response struct {
	ex      *exchange
	header  Header
	status  int // 0 = 200
	body    []byte
	failing bool // an error response is being made: Write is for its body, whatever the answer was to be
	final   bool // it is shown to OnError, and nothing of it is sent
}

// Header is the fields of the answer's head.
func (w *Response) Header() *Header { return &w.header }

// SetStatus sets the status code, 200 by default. Codes outside 200 to 999
// become 500.
func (w *Response) SetStatus(code int) {
	if code < 200 || code > 999 {
		code = 500
	}
	w.status = code
}

// Status is the status code as set so far.
func (w *Response) Status() int {
	if w.status == 0 {
		return 200
	}
	return w.status
}

// SetContentLength announces the length of a stream's body: it is then sent as
// it is, without chunks. A stream that ends before it is cut, one that goes
// beyond it gets an error.
func (w *Response) SetContentLength(n int64) error {
	if n < 0 {
		return fmt.Errorf("weir: content length %d is negative", n)
	}
	if !w.final {
		w.ex.length = n + 1
	}
	return nil
}

// SetDate makes the answer say when it was made, for one that was made elsewhere
// and is passed on (RFC 9110 6.6.1); otherwise the server writes the present
// time. It wants an IMF-fixdate, as senders must, and refuses all else with
// ErrDate. Header().Clear() and "" take it back. Date cannot be set with Header:
// an answer has exactly one.
func (w *Response) SetDate(date string) error {
	if h := &w.header; date != "" && date != h.dated {
		if !http1.IsDate(date) {
			return ErrDate
		}
		h.dated = date
	}
	w.header.date = date
	return nil
}

// appendDate appends the Date field.
func (ex *exchange) appendDate(dst []byte) []byte {
	dst = append(dst, "Date: "...)
	if date := ex.res.header.date; date != "" {
		dst = append(dst, date...)
	} else {
		dst = append(dst, ex.srv.date(ex.now())...)
	}
	return append(dst, "\r\n"...)
}

// Write appends to a buffered body, sent with its Content-Length when Serve
// returns. After Stream it is Stream().Send.
func (w *Response) Write(p []byte) (int, error) {
	if s := &w.ex.stream; s.id != 0 && !w.failing {
		if err := s.Send(p); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	w.body = append(w.body, p...)
	return len(p), nil
}

// WriteString is Write of a string.
func (w *Response) WriteString(p string) (int, error) {
	if w.ex.stream.id != 0 && !w.failing {
		return w.Write([]byte(p))
	}
	w.body = append(w.body, p...)
	return len(p), nil
}

// plainText makes the body a line of text.
func (w *Response) plainText(line string) {
	_ = w.header.Set("Content-Type", "text/plain; charset=utf-8") // a constant
	w.body = append(append(w.body[:0], line...), '\n')
}

// Error replaces the answer by a plain one with that status and line of text.
func (w *Response) Error(status int, line string) {
	w.SetStatus(status)
	w.plainText(line)
}

// Stream makes the answer a pushed stream. It ends when Serve returns, unless
// it is detached. Called again it returns the same stream. When a limit on
// concurrent streams is reached, the client gets 503, and the stream that is
// returned has ended with ErrBusy.
func (w *Response) Stream() *Stream {
	w.ex.stream.open(w.ex)
	return &w.ex.stream
}

// StreamFrom makes the answer a pumped stream: after Serve has returned, the
// event loop pulls chunks from src as fast as the client takes them. src is
// closed in every case.
func (w *Response) StreamFrom(src Source) *Stream {
	s := &w.ex.stream
	if s.id != 0 {
		src.Close(fmt.Errorf("weir: the response is a stream already"))
		return s
	}
	s.open(w.ex)
	if cause := s.Cause(); cause != nil {
		src.Close(cause)
		return s
	}
	s.pump = newPump(s, src)
	return s
}

// StreamSeq makes the answer a stream of what seq yields, each a chunk, on the
// handler's goroutine. It returns when seq has ended, and what ended it: nil,
// the error that seq yielded, or why the client could not be sent to. In that
// case yield returns false. An error of seq fails the answer: a 500 if no
// chunk is out, else the connection is cut.
func (w *Response) StreamSeq(seq iter.Seq2[[]byte, error]) error {
	return streamSeq(w, seq, (*Stream).Send)
}

// StreamEvents is StreamSeq for server-sent events.
func (w *Response) StreamEvents(seq iter.Seq2[*sse.Event, error]) error {
	w.eventStream()
	return streamSeq(w, seq, (*Stream).SendEvent)
}

func streamSeq[T any](w *Response, seq iter.Seq2[T, error], send func(*Stream, T) error) error {
	ex := w.ex
	if ex.onLoop { // written on this goroutine only while an inline handler runs
		ex.fail(ErrBlockingOnLoop)
		return ErrBlockingOnLoop
	}
	s := w.Stream()
	if ex.bodyless() {
		return s.Commit()
	}
	for item, err := range seq {
		if err != nil {
			ex.fail(err)
			return err
		}
		if err := send(s, item); err != nil {
			return err
		}
	}
	return s.Cause()
}

// Sent is how much of an answer has been made, for logs and metrics.
type Sent struct {
	Status int       // of the head; 0 = it is not committed
	Chunks int       // of a stream
	Bytes  int64     // of body, without its framing
	First  time.Time // when the first of them was made; zero = there was none
}

// Sent says how much of the answer has been made. Any goroutine may ask until
// the request is over; the function given to OnClose learns the whole.
func (w *Response) Sent() Sent {
	rc := w.ex.rc
	rc.Lock()
	defer rc.Unlock()
	return w.ex.sent
}

// Committed reports whether the head was sent, or can no longer be sent: status
// and fields are then fixed.
func (w *Response) Committed() bool {
	if w.final {
		return true
	}
	w.ex.rc.Lock()
	defer w.ex.rc.Unlock()
	return w.ex.committed || w.ex.over.Load()
}

// count adds n bytes of body to what was sent. The lock is held.
func (ex *exchange) count(n int) {
	if n == 0 {
		return
	}
	if ex.sent.Bytes == 0 {
		ex.sent.First = ex.now()
	}
	ex.sent.Bytes += int64(n)
}

// eventStream sets what an event stream's head should say, where the handler
// has not said otherwise.
func (w *Response) eventStream() {
	for _, f := range [...]headerField{
		{"Content-Type", "text/event-stream"},
		{"Cache-Control", "no-cache"},
		{"X-Accel-Buffering", "no"},
	} {
		if !w.header.Has(f.name) {
			w.header.fields = append(w.header.fields, f)
		}
	}
}

// reset prepares a pooled response for its next use.
func (w *Response) reset() {
	w.header.reset()
	w.status, w.failing = 0, false
	if cap(w.body) > 64<<10 {
		w.body = nil
	}
	w.body = w.body[:0]
}
