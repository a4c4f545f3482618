package weir

import (
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"

	"weir/internal/pattern"
)

// Mux routes requests by patterns, those of net/http.ServeMux:
// "GET /v1/models/{id}", "/static/{path...}", "GET /{$}", "example.com/". The
// most specific pattern wins; GET serves HEAD too; a known path with another
// method is answered 405 with Allow. The zero value is ready. All patterns are
// registered before the server starts, or the Mux is given to a Switch.
//
// OPTIONS on a known path without a route of its own gets 204 with Allow.
type Mux struct {
	tree pattern.Tree[*Route]
}

// Route is a registered pattern. Its methods set limits of its own, before the
// server starts.
type Route struct {
	mux        *Mux // nil for the server's own answers
	pattern    string
	handler    Handler
	mode       mode
	maxBody    int64
	maxStreams int64
	streams    atomic.Int64
}

// mode is where a handler runs.
type mode uint8

const (
	onGoroutine    mode = iota
	inline              // on the loop
	whileArriving       // on a goroutine, from the end of the head
	inlineArriving      // on the loop, from the end of the head
	early               // on the loop, whether or not there is a body: the server's own answers
)

func (rt *Route) inline() bool {
	return rt != nil && (rt.mode == inline || rt.mode == inlineArriving || rt.mode == early)
}

// MaxBody bounds the request body, in bytes: Limits.Body by default, and no
// limit for HandleBody.
func (rt *Route) MaxBody(n int64) *Route { rt.maxBody = n; return rt }

// MaxStreams bounds the streams of this route at one time; beyond it the
// answer is 503. No limit by default.
func (rt *Route) MaxStreams(n int) *Route { rt.maxStreams = int64(n); return rt }

// buffers reports whether bodies are kept whole for the handler.
func (rt *Route) buffers() bool { return rt.mode == onGoroutine || rt.mode == inline }

func (rt *Route) bodyLimit(s *Server) int64 {
	if rt.maxBody != 0 || rt.mode == whileArriving || rt.mode == inlineArriving {
		return rt.maxBody
	}
	return s.Limits.Body
}

// Handle registers a handler that runs on a goroutine of its own and may
// block. It panics when the pattern is malformed or conflicts with another,
// and names both places.
func (m *Mux) Handle(pattern string, h Handler, mw ...Middleware) *Route {
	return m.register(pattern, h, onGoroutine, mw)
}

// HandleFunc is Handle of a function.
func (m *Mux) HandleFunc(pattern string, f func(w *Response, r *Request), mw ...Middleware) *Route {
	return m.register(pattern, HandlerFunc(f), onGoroutine, mw)
}

// HandleInline registers a handler that runs on the event loop: the fastest
// way to answer, for what never blocks and takes microseconds.
func (m *Mux) HandleInline(pattern string, h Handler, mw ...Middleware) *Route {
	return m.register(pattern, h, inline, mw)
}

// HandleBody registers a handler that runs on a goroutine of its own as soon
// as the head is there, and takes the body with Request.BodyReader while it
// arrives.
func (m *Mux) HandleBody(pattern string, h Handler, mw ...Middleware) *Route {
	return m.register(pattern, h, whileArriving, mw)
}

func (m *Mux) register(text string, h Handler, md mode, mw []Middleware) *Route {
	_, file, line, _ := runtime.Caller(2)
	place := fmt.Sprintf("%s:%d", file, line)
	if h == nil {
		panic(fmt.Sprintf("weir: nil handler for pattern %q (registered at %s)", text, place))
	}
	p, err := pattern.Parse(text)
	if err != nil {
		panic(fmt.Sprintf("weir: parsing pattern %q (registered at %s): %v", text, place, err))
	}
	rt := &Route{mux: m, pattern: text, handler: chain(h, mw), mode: md}
	if err := m.tree.Add(p, place, rt); err != nil {
		panic("weir: " + err.Error())
	}
	return rt
}

// Serve routes a request, for a Mux that is wrapped in another handler. All
// its handlers then run where that one does. As Server.Handler itself, a Mux
// runs each where it was registered to.
func (m *Mux) Serve(w *Response, r *Request) {
	r.route = m.find(r)
	r.route.handler.Serve(w, r)
}

var (
	badPath        = refusing(400, ErrBadPath, "the path has an encoded NUL")
	notFound       = refusing(404, ErrNotFound, "404 page not found")
	notImplemented = refusing(501, ErrNotImplemented, "the method is not implemented")
	serverOptions  = &Route{mode: early, handler: HandlerFunc(func(w *Response, _ *Request) { w.SetStatus(204) })}
)

func refusing(status int, err error, line string) *Route {
	return &Route{mode: early, handler: HandlerFunc(func(w *Response, _ *Request) { w.refuse(status, err, line) })}
}

// find returns the route of a request; the server's own when none matches.
func (m *Mux) find(r *Request) *Route {
	method, host, path := r.head.Method(), r.head.Host(), r.head.Path()
	if pattern.HidesNUL(path) {
		return badPath
	}
	if rt, _, ok := m.tree.Match(method, host, path, &r.params); ok {
		return rt
	}
	if to, ok := m.tree.Redirect(method, host, path); ok {
		if q := r.RawQuery(); len(q) > 0 {
			to += "?" + string(q)
		}
		return redirectTo(to)
	}
	if allowed := m.tree.Allowed(host, path, nil); len(allowed) > 0 {
		return otherMethod(string(method), strings.Join(allowed, ", "))
	}
	if !knownMethod(string(method)) {
		return notImplemented
	}
	return notFound
}

// Allowed is the methods, sorted, for which there is a pattern at the request's
// host and path; for a handler of "/" that tells 405 from 404 by itself.
func (m *Mux) Allowed(r *Request) []string { return m.tree.Allowed(r.head.Host(), r.head.Path(), nil) }

func redirectTo(location string) *Route {
	return &Route{mode: early, handler: HandlerFunc(func(w *Response, _ *Request) {
		if err := w.Header().Set("Location", location); err != nil {
			w.refuse(400, ErrBadPath, "the path cannot be redirected")
			return
		}
		w.Error(307, "moved to "+location)
	})}
}

// otherMethod answers a known path with a method that no route of it has.
func otherMethod(method, allowed string) *Route {
	return &Route{mode: early, handler: HandlerFunc(func(w *Response, _ *Request) {
		_ = w.Header().Set("Allow", allowed) // tokens
		if method == "OPTIONS" {
			w.SetStatus(204) // RFC 9110 9.3.7
			return
		}
		w.refuse(405, ErrMethodNotAllowed, "the method is not allowed here; allowed: "+allowed)
	})}
}

func knownMethod(m string) bool {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT":
		return true
	}
	return false
}
