package weir

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"weir/chunked"
	"weir/http1"
)

// This file is what the log and Server.OnError hear of a response that failed.

// failure is a failed response as the log describes it.
type failure struct {
	pattern string
	id      uint64 // of the stream; 0 = the response was not one
	client  netip.AddrPort
	status  int // of the error response, or of the head that was sent; 0 = none was
	bytes   int64
	err     error
}

// failure describes the exchange. The status is the caller's to know: a Response
// is its handler's, which may be running.
func (l locked) failure(status int, err error) failure {
	ex, r := l.ex, &l.ex.req
	return failure{r.Pattern(), ex.stream.id, r.remote, status, ex.sent.Bytes, err}
}

// explain logs why an error response is sent, lets OnError shape it, and makes
// its body the line if it has none. No lock is held.
func (ex *exchange) explain(w *Response, f failure, line string) {
	ex.srv.logFailure("weir: request failed", f)
	if ex.srv.OnError != nil {
		ex.callOnError(w, f.err)
	}
	if err := w.header.err; err != nil {
		ex.srv.log().Error("weir: OnError: field not sent", "pattern", f.pattern, "err", err)
	}
	if len(w.body) == 0 && !noContent(w.Status()) {
		w.plainText(line)
	}
}

// refuse makes the response an error response of the server's own. The fields
// that were set before stay. Handler's goroutine.
func (w *Response) refuse(status int, err error, line string) {
	w.status, w.body, w.plain = status, w.body[:0], true
	l := w.ex.lock()
	f := l.failure(w.Status(), err)
	l.unlock()
	w.ex.explain(w, f, line)
	w.plain = false
}

// reportCut logs and reports to OnError, once, that a response ended before it
// was complete. Nothing is reported when it is complete, or when the client
// disconnected. On the loop.
func (ex *exchange) reportCut() {
	l := ex.lock()
	cause := ex.cause
	if cause == nil || ex.reported || ex.req.route == nil || errors.Is(cause, ErrClientGone) || errors.Is(cause, ErrNoBody) {
		l.unlock()
		return
	}
	ex.reported = true
	f := l.failure(ex.sent.Status, cause)
	l.unlock()
	ex.srv.logFailure("weir: response aborted", f)
	if ex.srv.OnError != nil {
		ex.callOnError(&Response{ex: ex, header: Header{framed: true}, status: f.status, plain: true, final: true}, cause)
	}
}

func (ex *exchange) callOnError(w *Response, err error) {
	ex.call("OnError", func() { ex.srv.OnError(w, &ex.req, err) }, nil)
}

// failureLevel is the level at which a failure is logged: errors of handlers as
// errors, a limit of the server's as a warning, what clients cause by
// themselves, and a shutdown, only for debugging.
func failureLevel(err error) slog.Level {
	var (
		parse   *http1.ParseError
		framing *chunked.Error
	)
	switch {
	case errors.Is(err, ErrBusy):
		return slog.LevelWarn
	case errors.As(err, &parse), errors.As(err, &framing),
		errors.Is(err, ErrNotFound), errors.Is(err, ErrMethodNotAllowed), errors.Is(err, ErrNotImplemented), errors.Is(err, ErrBadPath),
		errors.Is(err, ErrBodyTooLarge), errors.Is(err, ErrTimeout),
		errors.Is(err, ErrClientGone), errors.Is(err, ErrSlowClient), errors.Is(err, ErrServerClosed):
		return slog.LevelDebug
	}
	return slog.LevelError
}

// logFailure logs a failed response.
func (s *Server) logFailure(what string, f failure) {
	level := failureLevel(f.err)
	var panicked *PanicError
	if errors.Is(f.err, ErrAborted) || errors.As(f.err, &panicked) { // which was logged, with its stack
		return
	}
	lost, ok := s.mayLog(level)
	if !ok {
		return
	}
	attrs := make([]slog.Attr, 0, 8)
	if f.pattern != "" {
		attrs = append(attrs, slog.String("pattern", f.pattern))
	}
	if f.id != 0 {
		attrs = append(attrs, slog.Uint64("stream", f.id))
	}
	if f.client.IsValid() {
		attrs = append(attrs, slog.String("client", f.client.String()))
	}
	attrs = append(attrs, slog.Int("status", f.status), slog.Int64("bytes", f.bytes), slog.String("err", f.err.Error()))
	s.logLine(level, what, lost, attrs)
}

// mayLog reports whether a line that clients can bring about as often as they
// like is to be logged now, and how many of its level were not logged before
// it.
func (s *Server) mayLog(level slog.Level) (lost int, ok bool) {
	if !s.log().Enabled(context.Background(), level) {
		return 0, false
	}
	return s.failures[(level-slog.LevelDebug)/4].take(time.Now())
}

func (s *Server) logLine(level slog.Level, what string, lost int, attrs []slog.Attr) {
	if lost > 0 {
		attrs = append(attrs, slog.Int("not_logged", lost))
	}
	s.log().LogAttrs(context.Background(), level, what, attrs...)
}

// linesPerSecond is how many lines of one level are logged in a second; the
// first one after them says how many were not.
const linesPerSecond = 10

// logBudget bounds the lines of one level. Safe for concurrent use.
type logBudget struct {
	mu     sync.Mutex
	second int64
	used   int
	lost   int
}

// take reports whether a line may be logged now, and how many could not be
// since the last one.
func (b *logBudget) take(now time.Time) (lost int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if sec := now.Unix(); sec != b.second {
		b.second, b.used = sec, 0
	}
	if b.used == linesPerSecond {
		b.lost++
		return 0, false
	}
	b.used++
	lost, b.lost = b.lost, 0
	return lost, true
}
