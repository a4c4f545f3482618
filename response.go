package weir

import (
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"time"
	"unicode/utf8"

	"weir/http1"
	"weir/sse"
)

// A Response is the response to one request. Use it only on its handler's
// goroutine and until Serve returns; its [Stream] is safe for concurrent use,
// also after that.
//
// The head is committed with the first chunk of a stream, or with the whole
// buffered body when Serve returns. Until then status and fields can change;
// after it a change returns [ErrHeadSent], or if it has no error to return, is
// logged.
type Response struct {
	ex     *exchange
	header Header
	status int // 0 = 200
	body   []byte
	plain  bool // Write is for the body, whatever the response was to be: Error has replaced it, or this is an error response
	final  bool // it is shown to OnError, and nothing of it is sent

	wanted string // the protocol of UpgradeRequired
}

// Header returns the fields of the response's head.
func (w *Response) Header() *Header { return &w.header }

// SetStatus sets the status code, 200 by default. Codes outside 200 to 999
// become 500.
func (w *Response) SetStatus(code int) {
	if w.header.ex.headSent("SetStatus") {
		return
	}
	if code < 200 || code > 999 {
		code = 500
	}
	w.status = code
}

// Status returns the status code as set so far.
func (w *Response) Status() int {
	if w.status == 0 {
		return 200
	}
	return w.status
}

// SetContentLength announces the length of a stream's body: it is then sent
// without chunks. A stream that ends before it fails, and one that exceeds it
// gets an error. A negative length fails the response with [ErrLength]: check
// one from outside before. Once the head was sent SetContentLength has no
// effect, which is logged.
func (w *Response) SetContentLength(n int64) {
	switch ex := w.header.ex; {
	case w.header.ex.headSent("SetContentLength"):
	case ex == nil: // an error response, which has its body's
	case n < 0:
		ex.fail(fmt.Errorf("%w: a Content-Length of %d", ErrLength, n))
	default:
		ex.length = lengthOf(n)
	}
}

// SetDate sets the Date field, for a response that was made elsewhere and is
// passed on (RFC 9110 6.6.1); otherwise the server writes the current time. It
// accepts an IMF-fixdate, as senders must use, and refuses all else with
// [ErrDate]. Header().Clear() and "" undo it. Date cannot be set with Header: a
// response has exactly one.
func (w *Response) SetDate(date string) error {
	if w.header.ex.headSent("") {
		return ErrHeadSent
	}
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
	if date := ex.out.header.date; date != "" {
		dst = append(dst, date...)
	} else {
		dst = append(dst, ex.srv.date(ex.now())...)
	}
	return append(dst, "\r\n"...)
}

// Write appends to a buffered body, sent with its Content-Length when Serve
// returns, or, if a stream is opened, as its first chunk. After Stream it is
// Stream().Send. The body's Content-Type is what the handler sets: none is
// guessed.
func (w *Response) Write(p []byte) (int, error) {
	if w.streaming() {
		if err := w.ex.stream.Send(p); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	w.body = append(w.body, p...)
	return len(p), nil
}

// WriteString is [Response.Write] for a string.
func (w *Response) WriteString(p string) (int, error) {
	if w.streaming() {
		return w.Write([]byte(p))
	}
	w.body = append(w.body, p...)
	return len(p), nil
}

func (w *Response) streaming() bool { return w.ex.stream.id != 0 && !w.plain }

// plainText makes the body a line of text.
func (w *Response) plainText(line string) {
	w.header.Set("Content-Type", "text/plain; charset=utf-8")
	w.body = append(append(w.body[:0], line...), '\n')
}

// Error replaces the response by a plain one with that status and line of text,
// also if it is a stream, as long as nothing of it was sent. After that the
// response fails, as by [Stream.Abort].
func (w *Response) Error(status int, line string) {
	w.replace(status, line, func() { w.plainText(line) })
}

// replace makes the response one with that status and the body that set sets.
// line is for the log, if it is too late.
func (w *Response) replace(status int, line string, set func()) {
	late := false
	if w.streaming() {
		var ok bool
		if late, ok = w.ex.replace(status, line); !ok {
			return
		}
		w.plain = true
	}
	w.SetStatus(status)
	if w.header.Has("Content-Encoding") { // of the body that is replaced
		w.header.Del("Content-Encoding")
	}
	set()
	if late {
		w.ex.handled()
	}
}

// UpgradeRequired is [Response.Error] with 426: it asks the client to send the
// request again with an Upgrade to the protocol (RFC 9110 15.5.22). One that
// cannot be written ([ErrField]) fails the response.
func (w *Response) UpgradeRequired(protocol, line string) {
	if err := http1.CheckField("Upgrade", protocol); err != nil {
		w.header.refuse("UpgradeRequired", fmt.Errorf("%w: %w", ErrField, err))
		return
	}
	w.Error(426, line)
	w.wanted = protocol
}

// Refuse makes the response the one that the server itself would make for err,
// as long as nothing of it was sent: 503 with Retry-After for [ErrBusy] and
// [ErrServerClosed], 413 for [ErrBodyTooLarge], 408 for [ErrTimeout], and 500 for
// others. It is logged, and Server.OnError may shape it. The handler returns
// behind it, a [LoopHandler] with nil.
func (w *Response) Refuse(err error) { w.ex.refuse(err) }

// Redirect makes the response a redirect to location, with a status such as 303
// (another resource), 307 or 308 (the same method and body, for now or for
// good). location may be relative to the request's. What cannot be in a URI is
// percent-encoded, also because browsers skip a tab and take a backslash for a
// slash: a path would lead to another host. As with [Response.Error] the body is
// a line of text, and a stream of which nothing was sent is replaced. A status
// that is not a redirect's ([ErrRedirect]), and a location that cannot be
// written ([ErrField]), fail the response: check a location from outside before,
// also for where it leads.
func (w *Response) Redirect(status int, location string) {
	if status < 300 || status > 399 || status == 304 {
		w.header.refuse("Redirect", fmt.Errorf("%w: %d", ErrRedirect, status))
		return
	}
	location = asURI(location)
	if err := w.header.TrySet("Location", location); err != nil {
		w.header.refuse("Redirect", err)
		return
	}
	w.Error(status, "moved to "+location)
}

// JSON makes the response v as JSON, with that status. As with
// [Response.Error] a stream of which nothing was sent is replaced. A value that
// cannot be JSON fails the response.
func (w *Response) JSON(status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		w.ex.fail(fmt.Errorf("weir: Response.JSON: %w", err))
		return
	}
	w.replace(status, "", func() {
		w.header.Set("Content-Type", "application/json")
		w.body = append(w.body[:0], text...)
	})
}

// asURI percent-encodes what is not a URI's (RFC 3986), but control characters,
// which are not a field's either.
func asURI(location string) string {
	var b strings.Builder
	for i := range len(location) {
		if c := location[i]; c >= utf8.RuneSelf || strings.IndexByte("\t \"<>\\^`{|}", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Stream makes the response a pushed stream. It ends when Serve returns, unless
// it is detached. Called again it returns the same stream. If a limit on
// concurrent streams is reached, the client gets 503, and the returned stream
// has ended with [ErrBusy].
func (w *Response) Stream() *Stream {
	w.ex.stream.open(w.ex, nil)
	w.ex.stream.given = true
	return &w.ex.stream
}

// EventStream is [Response.Stream] for server-sent events: the head gets the
// fields of an event stream, unless the handler has set them, so that it can be
// committed before the first event.
func (w *Response) EventStream() *Stream {
	w.setEventStream()
	return w.Stream()
}

// StreamFrom makes the response a pumped stream: after Serve has returned, the
// event loop pulls chunks from src as fast as the client takes them. src is
// closed in every case.
func (w *Response) StreamFrom(src Source) *Stream {
	w.ex.stream.open(w.ex, src)
	w.ex.stream.given = true
	return &w.ex.stream
}

// StreamSeq makes the response a stream of what seq yields, each a chunk, on
// the handler's goroutine. It returns when seq has ended, with what ended it:
// nil, the error that seq yielded, or why nothing could be sent to the client.
// In that case yield returns false. An error of seq fails the response, as
// [Stream.Abort] does.
func (w *Response) StreamSeq(seq iter.Seq2[[]byte, error]) error {
	return streamSeq(w, seq, (*Stream).Send)
}

// StreamEvents is [Response.StreamSeq] for server-sent events. An event that
// cannot be written ([sse.ErrName], [sse.ErrID]) also fails the response.
func (w *Response) StreamEvents(seq iter.Seq2[*sse.Event, error]) error {
	w.setEventStream()
	return streamSeq(w, seq, (*Stream).SendEvent)
}

func streamSeq[T any](w *Response, seq iter.Seq2[T, error], send func(*Stream, T) error) error {
	ex := w.ex
	if ex.onLoop { // written on this goroutine only while an inline handler runs
		ex.fail(ErrBlockingOnLoop)
		return ErrBlockingOnLoop
	}
	s := w.Stream()
	if w.bodyless(&ex.req) {
		return s.Commit()
	}
	for item, err := range seq {
		if err != nil {
			ex.fail(err)
			return err
		}
		if err := send(s, item); err != nil {
			ex.fail(err) // unless the stream has ended, which is why then
			return err
		}
	}
	return s.Cause()
}

// Draining is as [Stream.Draining], for a response that a [Group] feeds. It is
// safe for concurrent use.
func (w *Response) Draining() <-chan struct{} { return w.ex.carrier.draining() }

// ResponseStats is how much of a response has been made, for logs and metrics.
type ResponseStats struct {
	Status int       // of the head; 0 = it is not committed
	Chunks int       // of a stream
	Bytes  int64     // of body, without its framing
	First  time.Time // when the first of them was made; zero = there was none
}

// Stats returns how much of the response has been made. It is safe for
// concurrent use until the request has ended; a function that was passed to
// OnClose sees all of it.
func (w *Response) Stats() ResponseStats {
	l := w.ex.lock()
	defer l.unlock()
	return w.ex.sent
}

// Committed reports whether the head was sent, or can no longer be sent: status
// and fields are then fixed.
func (w *Response) Committed() bool {
	if w.final {
		return true
	}
	l := w.ex.lock()
	defer l.unlock()
	return w.ex.final()
}

// count adds n bytes of body to what was sent.
func (l locked) count(n int) {
	ex := l.ex
	if n == 0 {
		return
	}
	if ex.sent.Bytes == 0 {
		ex.sent.First = ex.now()
	}
	ex.sent.Bytes += int64(n)
}

// countChunk counts a chunk of n bytes.
func (l locked) countChunk(n int) {
	ex := l.ex
	if ex.sent.Bytes == 0 {
		ex.sent.First = ex.now()
	}
	ex.sent.Bytes += int64(n)
	ex.sent.Chunks++
	if ex.trace != nil {
		l.traceChunk(n)
	}
}

// setEventStream sets what an event stream's head should say, where the handler
// has not said otherwise.
func (w *Response) setEventStream() {
	if w.header.ex.headSent("") {
		return
	}
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
	w.status, w.plain = 0, false
	if w.wanted != "" {
		w.wanted = ""
	}
	if cap(w.body) > 64<<10 {
		w.body = nil
	}
	w.body = w.body[:0]
}
