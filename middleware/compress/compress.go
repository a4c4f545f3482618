// Package compress codes bodies with gzip, br and zstd (RFC 9110 8.4).
//
// [Bodies] is middleware for buffered bodies. They are coded off the event
// loops, also those of inline handlers. Streams are not coded by it: a coding
// holds bytes back, and what a stream is for is not to. A handler that wants
// one opens it with [NewStream], and each chunk is flushed.
//
// A body that has a secret of the server's beside text that the client has
// chosen gives the secret away by its length, byte by byte, to whoever can make
// a victim's browser repeat the request and sees the sizes on the wire (BREACH).
// No setting here prevents that. Do not code such responses: a CSRF token that
// is not masked, an access token beside a search term that is repeated. They
// can be left out by Skip, by "Cache-Control: no-transform", or by a Mux or
// route that does not have the middleware.
//
// Request bodies are not decoded: what a few kilobytes become when they are
// decoded is the sender's choice.
package compress

import (
	"bytes"
	"slices"
	"strings"

	"weir"
	"weir/internal/accept"
	"weir/middleware"
)

// Bodies is the middleware for buffered bodies. A body is coded if the client
// accepts one of Codings, the Content-Type is one of Types, the status is not
// 204, 205, 206 or 304, and nothing forbids it: a Content-Encoding, a digest of
// the body, Content-Range, or no-transform in Cache-Control. An ETag becomes a
// weak one, Accept-Ranges is removed, and Vary names Accept-Encoding, coded or
// not. A response to HEAD has the fields of that to GET.
//
// At most 4 bodies for each processor are coded at once. One for which there is
// no place is sent as it is, and so is one that would not become smaller.
type Bodies struct {
	// Codings are those that may be used, the preferred one first; a client's
	// own preference goes before: zstd, br and gzip by default.
	Codings []string
	// MinSize is the length from which a body is coded: 1 KiB by default,
	// negative is any.
	MinSize int
	// Types are media types, in lower case and without parameters; "text/*" and
	// "*+json" also stand for several. [DefaultTypes] by default.
	Types []string
	// Skip is asked whether a response is left out. It must not block.
	Skip func(w *weir.Response, r *weir.Request) bool
}

// DefaultTypes are the media types of Bodies: those that are text, or as
// compressible as text.
func DefaultTypes() []string { return slices.Clone(defaultTypes) }

var defaultTypes = []string{
	"text/*", "*+json", "*+xml", "*+yaml", "application/json", "application/javascript", "application/ecmascript", "application/xml",
	"application/x-ndjson", "application/yaml", "application/wasm", "application/rtf", "application/graphql", "application/vnd.ms-fontobject",
	"font/ttf", "font/otf", "font/collection", "image/svg+xml", "image/bmp", "image/x-icon", "image/vnd.microsoft.icon",
}

// Middleware returns the middleware. It panics if a coding is unknown.
func (c Bodies) Middleware() weir.Middleware {
	if c.Codings == nil {
		c.Codings = Codings()
	}
	for _, name := range c.Codings {
		mustKnow(name)
	}
	if c.MinSize == 0 {
		c.MinSize = 1 << 10
	}
	if c.Types == nil {
		c.Types = defaultTypes
	}
	return func(next weir.Handler) weir.Handler {
		return weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
			next.Serve(w, r)
			c.finish(w, r)
		})
	}
}

// finish codes the body of a response that its handler has made.
func (c *Bodies) finish(w *weir.Response, r *weir.Request) {
	h := w.Header()
	body := w.Body()
	switch status := w.Status(); {
	case status == 304:
		c.notModified(h, r)
		return
	case len(body) == 0, len(body) < c.MinSize, status == 204, status == 205, status == 206, !c.fits(h):
		return
	}
	if c.Skip != nil && c.Skip(w, r) {
		return
	}
	middleware.AddVary(h, "Accept-Encoding")
	if name := choose(r.Header(), c.Codings); name != "" {
		w.Offload(func() { code(w, name) })
	}
}

// notModified makes the fields of a 304 those that the 200 would have (RFC 9110
// 15.4.5), as far as that can be known without its body. A client that names the
// strong tag has what is not coded, a range of a file perhaps.
func (c *Bodies) notModified(h *weir.Header, r *weir.Request) {
	middleware.AddVary(h, "Accept-Encoding")
	if choose(r.Header(), c.Codings) != "" && !r.Header().HasToken("If-None-Match", h.Get("ETag")) {
		weaken(h)
	}
}

// fits reports whether the fields allow a coding.
func (c *Bodies) fits(h *weir.Header) bool {
	for _, name := range [...]string{"Content-Encoding", "Content-Range", "Content-Digest", "Repr-Digest", "Digest", "Content-MD5"} {
		if h.Has(name) {
			return false
		}
	}
	return !h.HasToken("Cache-Control", "no-transform") && c.hasType(h.Get("Content-Type"))
}

// choose returns the one of our codings that the client prefers; "" if that is
// none at all.
func choose(h *weir.Header, ours []string) string {
	var store [4]string
	for _, name := range accept.Codings(store[:0], h.Views(), ours) {
		return name
	}
	return ""
}

// hasType reports whether bodies of the Content-Type are coded.
func (c *Bodies) hasType(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	if media == "" || media == "text/event-stream" { // which is a stream, to be flushed
		return false
	}
	for _, t := range c.Types {
		main, all := strings.CutSuffix(t, "*")
		suffix, any := strings.CutPrefix(t, "*")
		if t == media || all && strings.HasPrefix(media, main) || any && strings.HasSuffix(media, suffix) {
			return true
		}
	}
	return false
}

// code codes the body, unless there is no encoder, or it would not become
// smaller.
func code(w *weir.Response, name string) {
	body := w.Body()
	e := takeEncoder(name)
	if e == nil || len(body) == 0 {
		e.giveBack()
		return
	}
	out := &bounded{most: len(body) - 1}
	out.b.Grow(len(body)/3 + 64)
	e.Reset(out)
	_, err := e.Write(body)
	if cerr := e.Close(); err == nil {
		err = cerr
	}
	e.giveBack()
	if err != nil {
		return // it has become longer
	}
	h := w.Header()
	h.Set("Content-Encoding", name)
	h.Del("Accept-Ranges") // of the bytes that are not sent
	weaken(h)
	w.SetBody(out.b.Bytes())
}

// weaken makes a strong ETag a weak one: it names other bytes (RFC 9110 8.8.1).
func weaken(h *weir.Header) {
	if tag := h.Get("ETag"); strings.HasPrefix(tag, `"`) {
		h.Set("ETag", "W/"+tag)
	}
}

// bounded is a buffer that takes so many bytes.
type bounded struct {
	b    bytes.Buffer
	most int
}

func (o *bounded) Write(p []byte) (int, error) {
	if o.b.Len()+len(p) > o.most {
		return 0, bytes.ErrTooLarge
	}
	return o.b.Write(p)
}
