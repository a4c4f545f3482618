package guard

import (
	"strings"

	"weir"
	"weir/middleware"
)

// What a page may send: what the SDKs send, and whatever else it asks for.
const corsFields = "authorization, content-type, accept, user-agent, x-api-key, api-key, x-goog-api-key, x-request-id, x-requested-with, " +
	"last-event-id, idempotency-key, traceparent, tracestate, openai-organization, openai-project, openai-beta, " +
	"anthropic-version, anthropic-beta, anthropic-dangerous-direct-browser-access, " +
	"x-stainless-lang, x-stainless-package-version, x-stainless-os, x-stainless-arch, x-stainless-runtime, x-stainless-runtime-version, " +
	"x-stainless-retry-count, x-stainless-timeout, x-stainless-read-timeout, x-stainless-async, x-stainless-helper, " +
	"x-stainless-helper-method, x-stainless-poll-helper, x-stainless-custom-poll-interval"

// cors is what pages that may send requests may read. Cookies are never
// allowed: keys are for access control.
func (p *Policy) cors() *middleware.CORSPolicy {
	c := middleware.CORS{Fields: append(strings.Split(corsFields, ", "), "*"), PrivateNetwork: true}
	if p.anyOrigin {
		c.Origins = []string{"*"}
	} else {
		c.Allow = func(r *weir.Request, origin []byte) bool { return p.allows(r.ListenAddr(), origin) }
	}
	return c.Policy()
}

// Mark adds to a response the fields that let the requesting page read it, if
// it may.
func (p *Policy) Mark(w *weir.Response, r *weir.Request) {
	if p.hasOrigins(r, r.Header().View("Origin")) {
		p.pages.Mark(w, r)
	}
}

// hasOrigins reports whether the response depends on the origin. By default
// that is not announced to programs, which send nearly all requests and have no
// origin.
func (p *Policy) hasOrigins(r *weir.Request, origin []byte) bool {
	if p.Origins == nil {
		return origin != nil && onLoopback(r.ListenAddr())
	}
	return len(p.Origins) > 0
}

// Preflight responds to a CORS preflight, and reports whether the request was
// one. Call it for requests that Check allows.
func (p *Policy) Preflight(w *weir.Response, r *weir.Request) bool { return p.pages.Preflight(w, r) }
