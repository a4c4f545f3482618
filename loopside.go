package weir

import (
	"errors"
	"io"
	"slices"

	"weir/reactor"
)

// This file is for handlers that work on the event loop beyond their Serve,
// such as a gateway whose upstream connection lives on the loop of its client.
// Such a handler is registered with HandleInline or HandleInlineBody, makes a
// Stream, detaches it, returns, and goes on in callbacks of the same loop.
// Until the head is committed it may still set status and fields. Nothing here
// waits, and nothing may be called from another goroutine.

// Loop is the event loop of the connection.
func (w *Response) Loop() *reactor.Loop { return w.ex.conn.loop() }

// Push sends one chunk at the end of the loop's turn, together with what else
// the turn brings. It takes p above the high mark, too: ask Behind and stop.
func (s *Stream) Push(p []byte) error {
	rc := s.ex.rc
	rc.Lock()
	if err := s.state(); err != nil {
		rc.Unlock()
		return err
	}
	if len(p) == 0 {
		rc.Unlock()
		return nil
	}
	if err := s.ready(len(p)); err != nil {
		return err
	}
	b := rc.Buffer()
	*b = s.frame(*b, p)
	s.ex.flushLater()
	return nil
}

// End is Close that leaves the writing to the end of the loop's turn, as Push
// does.
func (s *Stream) End() error { return s.end((*exchange).finishLater) }

// Recycle lets the memory of the request, its response and its stream serve
// another request, as that of requests without a stream does. Who calls it
// promises that nobody uses them any more once done is called: on the loop,
// when the answer has left and the body was read. It is not called for a
// request that ends in another way.
func (r *Request) Recycle(done func()) { r.ex.recycled = done }

// Behind reports whether the client's output is above the high mark. If it is,
// f is called when it has come down to the low one, unless the stream ends
// before.
func (s *Stream) Behind(f func()) bool {
	rc := s.ex.rc
	rc.Lock()
	defer rc.Unlock()
	if !rc.Backlogged() {
		return false
	}
	s.onRoom = f
	return true
}

// HandleInlineBody registers a handler that runs on the event loop as soon as
// the head is there, and is shown the body with Request.OnBody while it
// arrives. Its answer is a detached Stream or is made at once.
func (m *Mux) HandleInlineBody(pattern string, h Handler, mw ...Middleware) *Route {
	return m.register(caller(), pattern, h, inlineArriving, mw)
}

// OnBody has f called, on the loop, with each piece of the body, a view, and
// with an error at its end: io.EOF, which may come together with the last
// piece or alone, or why the body is refused (ErrBodyTooLarge, ErrTimeout, a
// *chunked.Error). Of a client that leaves, and of the server's end, OnClose
// tells. A client that waits for 100 Continue is sent it now.
func (r *Request) OnBody(f func(p []byte, err error)) {
	ex := r.ex
	ex.onBody = f
	if ex.conn.phase != phaseBody {
		ex.callOnBody(f, nil, io.EOF)
		return
	}
	if ex.awaited {
		ex.conn.sendContinue()
	}
}

// callOnBody calls what was given to OnBody. One that panics is not called
// again.
func (ex *exchange) callOnBody(f func([]byte, error), p []byte, err error) {
	if !ex.call("function given to OnBody", func() { f(p, err) }, ex.crash) {
		ex.onBody = func([]byte, error) {}
	}
}

// PauseBody stops reading the body from the client; ResumeBody goes on.
func (r *Request) PauseBody() {
	c := r.ex.conn
	if c.ex == r.ex && c.phase == phaseBody && c.pause.IsZero() {
		c.pause = c.loop().Now()
		c.rc.Pause()
	}
}

// ResumeBody undoes PauseBody.
func (r *Request) ResumeBody() {
	if c := r.ex.conn; c.ex == r.ex && c.phase == phaseBody {
		c.resumeBody()
	}
}

var (
	errHandedEarly = errors.New("weir: handed over before the request body was complete")
	errHandedLate  = errors.New("weir: handed over twice, or after the response had started")
)

// HandOver gives the request to h, which answers it as if it had been
// registered with Handle: on a goroutine of its own, of which there is a limit,
// with the parts, one behind the other, for Request.Body. They are h's from now
// on. It is for a handler that must see the body to know who is to answer. Call
// it once, when OnBody has told the body's end and nothing of the answer was
// sent; at another time it is an error, and answered 500.
//
// The Stream that kept the answer open ends its service without a word and is
// h's to make again; it, or one that is made now, counts for the limits on
// streams until h has answered.
// What was set of the head stays. A function that was given to OnClose is
// called when h's answer has ended, now on a goroutine of its own. The handler
// that hands over has no part in the request any more.
func (w *Response) HandOver(h Handler, parts ...[]byte) {
	s := w.Stream()
	if s.Cause() != nil {
		return // refused, or the client has left
	}
	s.Detach()
	w.ex.recycled = nil
	w.ex.conn.loop().Later(&handOver{w.ex, h, parts})
}

// handOver is the task that hands over when the handler's own turn is over, and
// then the new handler.
type handOver struct {
	ex    *exchange
	to    Handler
	parts [][]byte
}

func (o *handOver) Run() {
	ex, c := o.ex, o.ex.conn
	c.rc.Lock()
	switch s := &ex.stream; {
	case ex.over.Load():
		c.rc.Unlock()
	case ex.committed, s.pump != nil, !ex.req.route.inline():
		c.rc.Unlock()
		ex.fail(errHandedLate)
	case c.phase != phaseAnswering:
		c.rc.Unlock()
		ex.fail(errHandedEarly)
	default:
		ex.stopBeat()
		ex.held, ex.kept = ex.held+ex.kept, 0 // the parts are the handler's
		s.id, s.detached, s.onRoom, s.beat = 0, false, nil, nil
		from := ex.req.route
		ex.req.route, ex.onBody = &Route{mux: from.mux, pattern: from.pattern, handler: o}, nil
		c.rc.Unlock()
		c.dispatch(ex)
	}
}

// Serve puts the body together here, off the loop.
func (o *handOver) Serve(w *Response, r *Request) {
	if !o.join(r) {
		w.ex.refuse(ErrBodiesFull)
		return
	}
	o.to.Serve(w, r)
}

// join makes the parts the request's body, which takes a copy if there are
// several. It reports false if there is no room for one.
func (o *handOver) join(r *Request) bool {
	defer func() { o.parts = nil }()
	if len(o.parts) == 1 {
		r.body = o.parts[0]
		return true
	}
	size := int64(0)
	for _, p := range o.parts {
		size += int64(len(p))
	}
	if !o.ex.srv.bodies.take(size) {
		return false
	}
	r.body = slices.Concat(o.parts...)
	o.ex.srv.bodies.give(o.ex.held)
	o.ex.held = size
	return true
}
