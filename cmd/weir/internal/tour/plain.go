package tour

import (
	"net/textproto"
	"net/url"

	"weir"
)

// plaintext runs on the event loop: the fastest way to respond.
func plaintext(w *weir.Response, _ *weir.Request) {
	setHeader(w, "Content-Type", "text/plain; charset=utf-8")
	w.WriteString("Hello, World!")
}

// sayJSON also runs on the event loop: encoding something this small takes a
// microsecond.
func sayJSON(w *weir.Response, _ *weir.Request) {
	w.JSON(200, struct {
		Message string `json:"message"`
	}{"Hello, World!"})
}

// echo has the whole body when it is called. It runs on a goroutine, because
// copying a large body would hold up an event loop.
func echo(w *weir.Response, r *weir.Request) {
	contentType := r.Header().Get("Content-Type")
	if contentType == "" {
		contentType = "application/octet-stream"
	}
	setHeader(w, "Content-Type", contentType) // a valid field of the request is valid in the response
	setHeader(w, "X-Content-Type-Options", "nosniff")
	w.Write(r.Body())
}

// params shows what the server understood of a request.
func params(w *weir.Response, r *weir.Request) {
	headers := map[string][]string{}
	for name, value := range r.Header().All() {
		name = textproto.CanonicalMIMEHeaderKey(name)
		headers[name] = append(headers[name], value)
	}
	w.JSON(200, struct {
		Path    map[string]string   `json:"path"`
		Query   url.Values          `json:"query"`
		Headers map[string][]string `json:"headers"`
	}{
		Path:    map[string]string{"id": r.PathValue("id"), "slug": r.PathValue("slug")},
		Query:   r.Query(),
		Headers: headers,
	})
}
