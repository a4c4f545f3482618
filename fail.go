package weir

import (
	"errors"
	"fmt"

	"weir/chunked"
	"weir/http1"
	"weir/internal/h1"
)

// What a response can still become when it fails:
//
//	building     an error response, made apart from the handler's own, which may be in its hands
//	begun        cut: the connection ends so that the client sees that the body is not whole (h1.Conn)
//	complete     nothing: it has ended

// errReplaced is the refusal of a stream in whose place Response.Error has put
// a plain response.
var errReplaced = fmt.Errorf("%w: Response.Error has replaced it", ErrStreamEnded)

// fail ends the response with an error: by an error response while no byte is
// out, else by cutting the connection, so that the part is never taken for the
// whole. Safe for concurrent use.
func (ex *exchange) fail(err error) {
	l := ex.lock()
	s, status := &ex.stream, statusOfOwn(err)
	switch {
	case ex.over():
		l.forgetKept()
		l.flush()
	case ex.out != &ex.res, s.refusal != nil && !ex.served:
		l.flush() // it ends with an earlier error: now, or when the handler returns
	case l.failed() != nil, ex.begun():
		l.breakOff(err)
		carrier := ex.carrier
		l.unlock()
		carrier.abort(ex, err)
	default:
		if s.refusal != nil && s.refusal != errReplaced {
			status, err = statusOf(s.refusal), s.refusal
		}
		l.refuseStream(err)
		l.answerError(status, err)
	}
}

// answerError sends an error response in place of the handler's, which is not
// touched. It releases the lock, also while the log and OnError hear of it;
// what fails meanwhile adds nothing.
func (l locked) answerError(status int, err error) {
	ex := l.ex
	if ex.out != &ex.res {
		l.flush()
		return
	}
	w := &Response{ex: ex, header: Header{framed: true}, status: status, plain: true}
	ex.out, ex.reported = w, true
	if ex.cause == nil {
		ex.cause = err
	}
	if status == 503 {
		w.header.fields = append(w.header.fields, headerField{"Retry-After", "1"})
	}
	f := l.failure(status, err)
	l.unlock()
	ex.explain(w, f, lineOf(status, err))
	l = ex.lock()
	if ex.over() {
		l.flush()
		return
	}
	l.finishBuffered()
}

// lineOf is the body of an error response: its status in words, and for a
// request that could not be parsed why, which is constant text and a number.
func lineOf(status int, err error) string {
	text := http1.StatusText(status)
	var head *http1.ParseError
	var body *chunked.Error
	switch {
	case errors.As(err, &head) && head.Status == status:
		return fmt.Sprintf("%s: %s at byte %d of the head", text, head.Reason, head.Offset)
	case errors.As(err, &body) && body.Status == status:
		return fmt.Sprintf("%s: %s at byte %d of the coded body", text, body.Reason, body.Offset)
	}
	return text
}

// replace makes the response of a stream that has sent nothing a plain one
// again, for Response.Error, which can then no longer be kept from it. If the
// head is out, the response fails. Late reports that the handler has returned,
// so that the caller is to send it.
func (ex *exchange) replace(status int, line string) (late, ok bool) {
	l := ex.lock()
	s := &ex.stream
	switch {
	case ex.over(), ex.out != &ex.res, s.refusal != nil && s.refusal != errReplaced:
		l.unlock()
		return false, false
	case ex.begun():
		l.unlock()
		ex.fail(fmt.Errorf("%w: %d %s", ErrHeadSent, status, line))
		return false, false
	}
	if s.id != 0 {
		l.refuseStream(nil)
		s.refusal = errReplaced
	}
	if s.pump != nil {
		ex.noted |= notePump
	}
	ex.Become(h1.Building)
	late = ex.served
	l.unlock()
	return late, true
}

// freeze fixes status and fields.
func (l locked) freeze() {
	if l.ex.Stage() == h1.Building {
		l.ex.Become(h1.Fixed)
	}
}

// headSent reports whether status and fields are fixed. A change that has no
// other way to fail is logged, once a request.
func (ex *exchange) headSent(change string) bool {
	if ex == nil {
		return false
	}
	if s := ex.Stage(); s == h1.Building || s == h1.Lost {
		return false
	}
	if change != "" && !ex.warned.Swap(true) {
		ex.srv.log().Warn("weir: "+change+" has no effect: response head already sent", "pattern", ex.req.Pattern())
	}
	return true
}

// refuse makes an error the response, if nothing was sent of another.
func (ex *exchange) refuse(err error) {
	l := ex.lock()
	if ex.final() {
		l.unlock()
		return
	}
	l.answerError(statusOf(err), err)
}
