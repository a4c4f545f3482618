package weir

import (
	"fmt"
	"sync/atomic"
)

// A Route is a registered pattern. Inline and StreamBody change how its handler
// is called, MaxBody and MaxStreams set limits of its own, all of them before
// the server starts.
type Route struct {
	mux        *Mux // nil for what is not routed by a Mux
	pattern    string
	place      string  // "file:line" of its registration
	handler    Handler // with its middleware
	served     Handler // as it was registered
	mode       mode
	gated      bool // its middleware runs before the body has arrived
	maxBody    int64
	maxStreams int64
	streams    atomic.Int64
	refusal    *refusal // of a route that stands for none
}

// mode is where a handler runs.
type mode uint8

const (
	onGoroutine   mode = iota
	inline             // on the loop
	whileArriving      // on a goroutine, from the end of the head
	onLoop             // on the loop, from the end of the head to the end of the response
	early              // on the loop, whether or not there is a body: the server's own responses
)

func (md mode) String() string {
	return [...]string{"Handle", "Inline", "StreamBody", "HandleLoop", "a response of the server"}[md]
}

func (rt *Route) inline() bool {
	return rt != nil && (rt.mode == inline || rt.mode == onLoop || rt.mode == early)
}

// Pattern returns the pattern as it was registered.
func (rt *Route) Pattern() string { return rt.pattern }

// Inline makes the handler run on the event loop: the fastest way to respond,
// for handlers that never block and take microseconds. It panics for handlers
// that block, such as those of [Native] and [Events], and for routes of
// [Mux.HandleLoop], which are already on the loop.
func (rt *Route) Inline() *Route {
	if _, ok := rt.served.(blocking); ok {
		panic(fmt.Sprintf("weir: Inline for the route %q (registered at %s): its handler, a %T, blocks", rt.pattern, rt.place, rt.served))
	}
	rt.become(inline)
	return rt
}

// StreamBody makes the handler run as soon as the head of a request is
// complete: it reads the body with [Request.BodyReader] while it arrives. It
// panics for routes that are inline, where reading would wait: use
// [Mux.HandleLoop] to receive a body on the event loop.
func (rt *Route) StreamBody() *Route {
	rt.become(whileArriving)
	return rt
}

func (rt *Route) become(md mode) {
	if rt.mode != onGoroutine {
		panic(fmt.Sprintf("weir: %v for the route %q (registered at %s), which has %v already", md, rt.pattern, rt.place, rt.mode))
	}
	rt.mode, rt.gated = md, false
}

// blocking is a handler that is never for the event loop.
type blocking interface{ blocks() }

func (*native) blocks()       {}
func (*eventHandler) blocks() {}

// MaxBody bounds the request body, in bytes. The default is Limits.Body, and no
// limit with StreamBody and HandleLoop; negative is no limit.
func (rt *Route) MaxBody(n int64) *Route { rt.maxBody = n; return rt }

// MaxStreams bounds the streams of this route at one time; beyond it the
// response is 503. Zero and negative are no limit, which is the default.
func (rt *Route) MaxStreams(n int) *Route { rt.maxStreams = int64(n); return rt }

// buffers reports whether bodies are kept whole for the handler.
func (rt *Route) buffers() bool { return rt.mode == onGoroutine || rt.mode == inline }

// bodyLimit is the most bytes that a body may have; 0 = no limit.
func (rt *Route) bodyLimit(s *Server) int64 {
	if rt.maxBody != 0 || rt.mode == whileArriving || rt.mode == onLoop {
		return max(0, rt.maxBody)
	}
	return max(0, s.Limits.Body)
}

// Serve routes a request that comes from another handler: one that wraps the
// Mux, or a route of another Mux. Where the handler runs, and how the body is
// received, is then already decided. If the route was registered for something
// else, the response is 500, and a line of the log names the route.
func (m *Mux) Serve(w *Response, r *Request) {
	ex := w.ex
	outer, rt := ex.req.route, m.find(r)
	if err := rt.fits(outer, ex.srv); err != nil {
		ex.fail(err)
		return
	}
	if rt.maxBody > 0 && rt.buffers() && int64(len(r.Body())) > rt.maxBody {
		ex.refuse(ErrBodyTooLarge)
		return
	}
	l := ex.lock() // the report of the request's end looks at it
	r.inner, ex.req.inner = rt, rt
	l.unlock()
	rt.handler.Serve(w, r)
}

// fits returns an error if rt has a property that it loses behind the route
// that the server has found.
func (rt *Route) fits(outer *Route, s *Server) error {
	if rt.refusal != nil {
		return nil
	}
	limit, there := rt.bodyLimit(s), outer.bodyLimit(s)
	larger := there > 0 && (limit == 0 || limit > there)
	what := ""
	switch {
	case rt.mode != outer.mode:
		what = fmt.Sprintf("was registered with %v and is reached by one with %v", rt.mode, outer.mode)
	case rt.maxBody != 0 && (larger || limit != there && !rt.buffers()):
		what = fmt.Sprintf("has a MaxBody of %d, but the body was taken with a limit of %d", rt.maxBody, there)
	case outer.maxStreams > 0:
		what = fmt.Sprintf("is reached by way of %q, whose MaxStreams does not count its streams", outer.pattern)
	default:
		return nil
	}
	return fmt.Errorf("weir: the route %q (registered at %s) %s: give its Mux to Server.Handler or a SwapMux, and middleware to Mux.Use", rt.pattern, rt.place, what)
}
