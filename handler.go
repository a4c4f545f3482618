package weir

// A Handler answers a request. Registered with Mux.Handle it runs on a
// goroutine of its own and may block; with Mux.HandleInline on the event loop,
// where it must not.
//
// When Serve returns, a buffered answer is sent and a pushed or generated
// stream ends, unless it was detached. A pumped stream goes on until its
// Source ends. Request and Response are not to be used afterwards, but for the
// Stream of a detached or pumped answer.
type Handler interface {
	Serve(w *Response, r *Request)
}

// HandlerFunc is a function as a Handler.
type HandlerFunc func(w *Response, r *Request)

// Serve calls f.
func (f HandlerFunc) Serve(w *Response, r *Request) { f(w, r) }

// Middleware wraps a handler. It runs once per request, also for a stream.
type Middleware func(Handler) Handler

// chain wraps h so that the first middleware is outermost.
func chain(h Handler, mw []Middleware) Handler {
	for i := len(mw) - 1; i >= 0; i-- {
		h = mw[i](h)
	}
	return h
}
