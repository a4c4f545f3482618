package guard

import (
	"strings"

	"weir"
	"weir/http1"
)

// What a page may send: what the SDKs send, and whatever else it asks for.
const (
	corsMethods = "GET, HEAD, POST, PUT, PATCH, DELETE"
	corsFields  = "authorization, content-type, accept, user-agent, x-api-key, api-key, x-goog-api-key, x-request-id, x-requested-with, " +
		"last-event-id, idempotency-key, traceparent, tracestate, openai-organization, openai-project, openai-beta, " +
		"anthropic-version, anthropic-beta, anthropic-dangerous-direct-browser-access, " +
		"x-stainless-lang, x-stainless-package-version, x-stainless-os, x-stainless-arch, x-stainless-runtime, x-stainless-runtime-version, " +
		"x-stainless-retry-count, x-stainless-timeout, x-stainless-read-timeout, x-stainless-async, x-stainless-helper, " +
		"x-stainless-helper-method, x-stainless-poll-helper, x-stainless-custom-poll-interval"
	corsMaxAge = "3600" // seconds; browsers have limits of their own
)

// Mark adds to a response the fields that let the requesting page read it, if
// it may, by the rules of the WHATWG's Fetch standard. Cookies are never
// allowed: keys are for access control.
func (p *Policy) Mark(w *weir.Response, r *weir.Request) {
	fields, origin := w.Header(), r.Header().View("Origin")
	if !p.hasOrigins(r, origin) {
		return
	}
	if !p.anyOrigin {
		vary(fields, "Origin")
	}
	if !p.allows(r.ListenAddr(), origin) {
		return
	}
	allowed := "*"
	if !p.anyOrigin {
		allowed = string(origin)
	}
	w.Header().Set("Access-Control-Allow-Origin", allowed)
	w.Header().Set("Access-Control-Expose-Headers", "*")
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
func (p *Policy) Preflight(w *weir.Response, r *weir.Request) bool {
	asked := r.Header()
	if r.Method() != "OPTIONS" || !asked.Has("Origin") || !asked.Has("Access-Control-Request-Method") || !p.allows(r.ListenAddr(), asked.View("Origin")) {
		return false
	}
	w.SetStatus(204)
	vary(w.Header(), "Access-Control-Request-Headers")
	w.Header().Set("Access-Control-Allow-Methods", corsMethods)
	w.Header().Set("Access-Control-Allow-Headers", corsFields+others(asked.Values("Access-Control-Request-Headers")))
	w.Header().Set("Access-Control-Max-Age", corsMaxAge)
	if asked.Get("Access-Control-Request-Private-Network") == "true" {
		w.Header().Set("Access-Control-Allow-Private-Network", "true")
	}
	return true
}

// vary announces to caches that the response depends on a field of the request.
func vary(fields *weir.Header, name string) {
	if !fields.HasToken("Vary", name) && !fields.HasToken("Vary", "*") {
		fields.Add("Vary", name)
	}
}

// others is the fields of the lists that are not allowed in any case.
func others(lists []string) string {
	var b strings.Builder
	for _, list := range lists {
		for element := range http1.Elements([]byte(list)) {
			if name := string(element); http1.IsToken(name) && !http1.HasToken([]byte(corsFields), name) {
				b.WriteString(", ")
				b.WriteString(name)
			}
		}
	}
	return b.String()
}
