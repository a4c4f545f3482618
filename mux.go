package weir

import (
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync"

	"weir/internal/pattern"
)

// A Mux routes requests by patterns, those of [net/http.ServeMux]: "GET
// /v1/models/{id}", "/static/{path...}", "GET /{$}", "example.com/". The most
// specific pattern wins; GET also serves HEAD; a known path with another method
// gets 405 with Allow. The zero value is ready to use. Register all patterns
// before the server starts, or before the Mux is passed to a [SwapMux].
//
// OPTIONS on a known path without a route of its own gets 204 with Allow.
//
// Set a Mux as [Server].Handler or pass it to a [SwapMux], and its middleware to
// [Mux.Use]: a handler around it would run where the Mux's routes may not.
type Mux struct {
	tree             pattern.Tree[*Route]
	routes           []*Route
	use              []Middleware
	notFound         Handler // nil = the server's own response
	methodNotAllowed Handler
	once             sync.Once
	refuser          Handler // what serves the requests that no route does, behind use; made once
}

// Use adds middleware around the handlers of all routes of m, and around m's
// own responses: 404, 405, 501, redirects and OPTIONS. The first one is
// outermost, and all are around those passed to Handle. It panics if a route
// was registered before.
//
// Requests are routed before middleware runs. It runs where the handler does:
// on the event loop for [Route.Inline] and [Mux.HandleLoop], where it must not
// block; otherwise, and for m's own responses, on a goroutine, from the end of
// the request head on. See [Middleware].
func (m *Mux) Use(mw ...Middleware) {
	place := caller()
	if len(m.routes) > 0 {
		panic(fmt.Sprintf("weir: Mux.Use (at %s) after a route was registered at %s; call it first", place, m.routes[0].place))
	}
	checkAll(mw, "Mux.Use", place)
	m.use = append(m.use, mw...)
}

// NotFound sets the handler of requests whose path matches no route. The status
// is 404 unless h sets another. h runs on a goroutine from the end of the head
// on, and does not see the body. Without it the response is an error response
// that Server.OnError can change.
func (m *Mux) NotFound(h Handler) { m.notFound = checked(h, "Mux.NotFound", caller()) }

// MethodNotAllowed sets the handler of requests whose path has routes, but none
// for the method, except for OPTIONS. The status is 405 unless h sets another,
// and Allow lists the methods. Otherwise it is like [Mux.NotFound].
func (m *Mux) MethodNotAllowed(h Handler) {
	m.methodNotAllowed = checked(h, "Mux.MethodNotAllowed", caller())
}

// Routes returns the routes in the order in which they were registered.
func (m *Mux) Routes() iter.Seq[*Route] { return slices.Values(m.routes) }

// Handle registers a handler, which runs on a goroutine of its own and may
// block, when the request body has arrived. [Route.Inline] and
// [Route.StreamBody] change that. Handle panics if the pattern is malformed or
// conflicts with another, and names both places.
func (m *Mux) Handle(pattern string, h Handler, mw ...Middleware) *Route {
	return m.register(caller(), pattern, h, onGoroutine, mw)
}

// HandleFunc is [Mux.Handle] for a function.
func (m *Mux) HandleFunc(pattern string, f func(w *Response, r *Request), mw ...Middleware) *Route {
	return m.register(caller(), pattern, HandlerFunc(f), onGoroutine, mw)
}

// HandleLoop registers a handler that stays on the event loop, from the end of
// the request head to the end of the response: see [LoopHandler].
func (m *Mux) HandleLoop(pattern string, h LoopHandler, mw ...Middleware) *Route {
	place := caller()
	if f, ok := h.(LoopHandlerFunc); h == nil || ok && f == nil {
		panic(fmt.Sprintf("weir: nil handler for pattern %q (registered at %s)", pattern, place))
	}
	return m.register(place, pattern, serveLoop{h}, onLoop, mw)
}

// TryHandle is Handle for a pattern from outside, a configuration for instance:
// it returns an error where Handle panics for the pattern. Errors, its own and
// those of later patterns that conflict with this one, say that it was
// registered at place.
func (m *Mux) TryHandle(place, pattern string, h Handler, mw ...Middleware) (*Route, error) {
	rt, err := m.add(place, pattern, h, onGoroutine, mw)
	if err != nil {
		return nil, fmt.Errorf("weir: %w", err)
	}
	return rt, nil
}

// Match returns the route of requests with this method, host and path, as they
// are in a request without its query. It reports false for those that m
// responds to itself: with 400, 404, 405 or a redirect.
func (m *Mux) Match(method, host, path string) (*Route, bool) {
	if pattern.HidesNUL([]byte(path)) {
		return nil, false
	}
	rt, _, ok := m.tree.Match([]byte(method), []byte(host), []byte(path), nil)
	return rt, ok
}

func (m *Mux) register(place, text string, h Handler, md mode, mw []Middleware) *Route {
	if _, err := pattern.Parse(text); err != nil {
		panic(fmt.Sprintf("weir: parsing pattern %q (registered at %s): %v", text, place, err))
	}
	rt, err := m.add(place, text, h, md, mw)
	if err != nil {
		panic("weir: " + err.Error())
	}
	return rt
}

func (m *Mux) add(place, text string, h Handler, md mode, mw []Middleware) (*Route, error) {
	checked(h, fmt.Sprintf("pattern %q", text), place)
	checkAll(mw, fmt.Sprintf("pattern %q", text), place)
	p, err := pattern.Parse(text)
	if err != nil {
		return nil, err
	}
	rt := &Route{mux: m, pattern: text, place: place, mode: md, served: h}
	if mw = slices.Concat(m.use, mw); md == onGoroutine && len(mw) > 0 {
		rt.gated, h = true, gate{h}
	}
	rt.handler = checked(chain(h, mw), fmt.Sprintf("pattern %q behind its middleware", text), place)
	if err := m.tree.Add(p, place, rt); err != nil {
		return nil, err
	}
	m.routes = append(m.routes, rt)
	return rt, nil
}

// caller returns where the exported method that calls it was called.
func caller() string {
	_, file, line, _ := runtime.Caller(2)
	return fmt.Sprintf("%s:%d", file, line)
}

// checked panics if h is nil.
func checked(h Handler, what, place string) Handler {
	if f, ok := h.(HandlerFunc); h == nil || ok && f == nil {
		panic(fmt.Sprintf("weir: nil handler for %s (registered at %s)", what, place))
	}
	return h
}

// checkAll panics if one of mw is nil.
func checkAll(mw []Middleware, what, place string) {
	if slices.ContainsFunc(mw, func(f Middleware) bool { return f == nil }) {
		panic(fmt.Sprintf("weir: nil Middleware for %s (at %s)", what, place))
	}
}

// find returns the route of a request; one of the server's own if none matches.
func (m *Mux) find(r *Request) *Route {
	method, host, path := r.head.Method(), r.head.Host(), r.head.Path()
	if pattern.HidesNUL(path) {
		return m.refuse(refusal{status: 400, err: ErrBadPath, line: "the path has an encoded NUL"})
	}
	if rt, _, ok := m.tree.Match(method, host, path, &r.params); ok {
		return rt
	}
	if to, ok := m.tree.Redirect(method, host, path); ok {
		if q := r.RawQueryBytes(); len(q) > 0 {
			to += "?" + string(q)
		}
		return m.refuse(refusal{status: 307, line: "moved to " + to, location: to})
	}
	if methods := m.tree.Allowed(host, path, nil); len(methods) > 0 {
		allow := strings.Join(methods, ", ")
		if string(method) == "OPTIONS" {
			return m.refuse(refusal{status: 204, allow: allow})
		}
		return m.refuse(refusal{status: 405, err: ErrMethodNotAllowed, line: "the method is not allowed here; allowed: " + allow, allow: allow})
	}
	if !knownMethod(string(method)) {
		return m.refuse(refusal{status: 501, err: ErrNotImplemented, line: "the method is not implemented"})
	}
	return m.refuse(refusal{status: 404, err: ErrNotFound, line: "404 page not found"})
}

// Allowed returns the methods, sorted, for which there is a pattern at the
// request's host and path.
func (m *Mux) Allowed(r *Request) []string { return m.tree.Allowed(r.head.Host(), r.head.Path(), nil) }
