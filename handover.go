package weir

import (
	"errors"
	"slices"
)

var (
	errHandedEarly = errors.New("weir: handed over before the request body was complete")
	errHandedLate  = errors.New("weir: handed over twice, or after the response had started")
)

// HandOver passes the request to h, which responds as if it had been registered
// with [Mux.Handle]: on a goroutine of its own, of which there is a limited
// number, with the parts, one after the other, as [Request.Body]. h owns the
// parts from now on. HandOver is for a handler that must see the body to know
// which handler responds. Call it once, after BodyReceiver.End was called with
// io.EOF, and before anything of the response was sent; at another time it is
// an error, and the response a 500.
//
// Status and fields that were set are kept, and so are values of keys. The
// exchange counts for the limits on streams until h's response has ended; then
// Closed is called, which may still use [Response.Stats]. Until then the handler
// that hands over must not use the request.
func (x *LoopExchange) HandOver(h Handler, parts ...[]byte) {
	x.check()
	ex, s := x.ex, x.stream()
	if s.Cause() != nil {
		return // refused, or the client has disconnected
	}
	s.Detach()
	x.handed = true
	x.Loop().Later(&handOver{ex, h, parts})
}

// handOver is the task that hands over after the handler's own turn, and then
// the new handler.
type handOver struct {
	ex    *exchange
	to    Handler
	parts [][]byte
}

func (o *handOver) Run() {
	ex := o.ex
	l := ex.lock()
	switch s := &ex.stream; {
	case ex.over():
		l.unlock()
	case ex.begun(), s.pump != nil, !ex.req.route.inline():
		l.unlock()
		ex.fail(errHandedLate)
	case !ex.carrier.bodyArrived(ex):
		l.unlock()
		ex.fail(errHandedEarly)
	default:
		ex.stopBeat()
		ex.held, ex.kept = ex.held+ex.kept, 0 // the parts are the handler's
		s.id, s.detached, s.beat = 0, false, nil
		from := ex.req.route
		ex.req.route = &Route{mux: from.mux, pattern: from.pattern, handler: o}
		l.unlock()
		ex.carrier.dispatch(ex)
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
	if !o.ex.srv.bodies.Take(size) {
		return false
	}
	r.body = slices.Concat(o.parts...)
	o.ex.srv.bodies.Give(o.ex.held)
	o.ex.held = size
	return true
}
