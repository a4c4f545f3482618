package serve

import (
	"slices"
	"strings"

	"weir"
	"weir/cmd/weir/internal/config"
	"weir/cmd/weir/internal/front"
	"weir/cmd/weir/internal/openai"
	"weir/http1"
)

// cors lets web pages of other origins ask and read the answers (G19), by the
// rules of the WHATWG's Fetch standard. Nobody is let in with cookies: who may
// ask is for keys to say. The zero value adds nothing to any answer.
type cors struct {
	any     bool     // every origin
	origins []string // in lower case, as browsers write them
}

func newCORS(c config.CORS) (p cors) {
	for _, origin := range c.Origins {
		p.any = p.any || origin == "*"
		p.origins = append(p.origins, strings.ToLower(origin))
	}
	return p
}

// What a page may send: what the SDKs do, and whatever else it asks for.
const (
	corsMethods = "GET, HEAD, POST, PUT, PATCH, DELETE"
	corsFields  = "authorization, content-type, x-api-key, api-key, x-request-id, last-event-id, idempotency-key, traceparent, tracestate, " +
		"openai-organization, openai-project, openai-beta, anthropic-version, anthropic-beta, anthropic-dangerous-direct-browser-access, " +
		"x-stainless-lang, x-stainless-package-version, x-stainless-os, x-stainless-arch, x-stainless-runtime, x-stainless-runtime-version, " +
		"x-stainless-retry-count, x-stainless-timeout, x-stainless-read-timeout, x-stainless-async, x-stainless-helper-method, x-stainless-poll-helper"
	corsMaxAge = "3600" // seconds; browsers have limits of their own
)

func (c *cors) allows(origin []byte) bool {
	return c.any || slices.Contains(c.origins, string(origin))
}

// mark adds to an answer what lets the page that asked read it, in place of
// what an upstream may have said.
func (c *cors) mark(w *weir.Response, r *weir.Request) {
	if len(c.origins) == 0 {
		return
	}
	fields, origin := w.Header(), r.Header().View("Origin")
	for _, name := range [...]string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers"} {
		fields.Del(name)
	}
	if !c.any {
		vary(fields, "Origin")
	}
	if !c.allows(origin) {
		return
	}
	allowed := "*"
	if !c.any {
		allowed = string(origin) // one of the configuration's
	}
	front.SetField(w, "Access-Control-Allow-Origin", allowed)
	front.SetField(w, "Access-Control-Expose-Headers", "*")
}

// vary tells caches that the answer depends on a field of the request.
func vary(fields *weir.Header, name string) {
	if !fields.HasToken("Vary", name) && !fields.HasToken("Vary", "*") {
		_ = fields.Add("Vary", name) // a token
	}
}

// admit answers a page that asks whether it may ask, and returns whether the
// request is another one.
func (c *cors) admit(w *weir.Response, r *weir.Request) bool {
	if len(c.origins) == 0 {
		return true
	}
	c.mark(w, r)
	asked := r.Header()
	if r.Method() != "OPTIONS" || !asked.Has("Origin") || !asked.Has("Access-Control-Request-Method") {
		return true
	}
	vary(w.Header(), "Access-Control-Request-Headers")
	if !c.allows(asked.View("Origin")) {
		front.Fail(w, &openai.Error{
			Status: 403, Type: openai.TypeInvalidRequest, Code: "origin_not_allowed",
			Message: "Pages of this origin may not use this server: it is not among cors.origins.",
		})
		return false
	}
	w.SetStatus(204)
	front.SetField(w, "Access-Control-Allow-Methods", corsMethods)
	front.SetField(w, "Access-Control-Allow-Headers", corsFields+others(asked.Values("Access-Control-Request-Headers")))
	front.SetField(w, "Access-Control-Max-Age", corsMaxAge)
	return false
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
