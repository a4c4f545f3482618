package weir

// A Handler responds to a request. Registered with [Mux.Handle] it runs on a
// goroutine of its own and may block; if the route is [Route.Inline], on the
// event loop, where it must not.
//
// When Serve returns, a buffered response is sent and a pushed or generated
// stream ends, unless it was detached. A pumped stream continues until its
// Source ends. Request and Response must not be used afterwards, except for the
// Stream of a detached or pumped response.
type Handler interface {
	Serve(w *Response, r *Request)
}

// HandlerFunc is a function as a [Handler].
type HandlerFunc func(w *Response, r *Request)

// Serve calls f.
func (f HandlerFunc) Serve(w *Response, r *Request) { f(w, r) }

// Middleware wraps a handler. It runs once per request, also for a stream,
// where the handler runs.
//
// With [Mux.Handle] it runs from the end of the request head on, on the
// handler's goroutine, while the body still arrives: when it responds without
// calling next, the response is sent at once, and the connection closes if the
// body has not arrived. The handler itself is called when the whole body has
// arrived; 100 Continue is sent only when it is reached. Middleware that calls
// [Request.Body] also waits for the body. If the body is refused, because it is
// too large or too slow, next returns without having called the handler.
//
// With Inline it runs when the body has arrived, on the event loop. To refuse
// bodies there, use [Server].OnHeaders.
type Middleware func(Handler) Handler

// gate calls a handler when the whole body is there.
type gate struct{ Handler }

func (g gate) Serve(w *Response, r *Request) {
	if r.gather() == nil {
		g.Handler.Serve(w, r)
	}
}

// chain wraps h so that the first middleware is outermost.
func chain(h Handler, mw []Middleware) Handler {
	for i := len(mw) - 1; i >= 0; i-- {
		h = mw[i](h)
	}
	return h
}
