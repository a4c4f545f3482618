// Package front is what every server of weir that speaks the dialects sends
// itself: refusals in the shape of the request's dialect, and a request id.
package front

import (
	"errors"
	"fmt"
	"net/http"

	"weir"
	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/dialect/known"
	"weir/cmd/weir/internal/guard"
	"weir/middleware"
)

// RequestID is the field by which a request is found again in logs.
const RequestID = "x-request-id"

// Answer makes the response a JSON body.
func Answer(w *weir.Response, status int, body []byte) {
	w.SetStatus(status)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // buffered
}

// Refuse makes the response an error, in the dialect of the request's path
// (G17).
func Refuse(w *weir.Response, r *weir.Request, f *dialect.Fault) {
	Answer(w, f.Status, known.Of(r.Path()).AppendError(nil, f))
}

// Admit lets a request pass, or responds to it: with a refusal, or because it
// only asks whether it would pass.
func Admit(p *guard.Policy, w *weir.Response, r *weir.Request) bool {
	p.Mark(w, r)
	if no := p.Check(r); no != nil {
		Refuse(w, r, &dialect.Fault{Status: http.StatusForbidden, Code: no.Code, Message: no.Message})
		return false
	}
	return !p.Preflight(w, r)
}

// Upgrade refuses a request for a WebSocket, where none is served: clients that
// try one first fall back to HTTP at once after this status, and after no other.
// It returns true for other requests; what else an Upgrade field offers may be
// ignored (RFC 9110 7.8).
func Upgrade(w *weir.Response, r *weir.Request) bool {
	h := r.Header()
	if h.View("Upgrade") == nil || !h.HasToken("Upgrade", "websocket") || !h.HasToken("Connection", "upgrade") {
		return true
	}
	Refuse(w, r, dialect.NoUpgrade("websocket"))
	return false
}

// ids are the gateway's: a client's own is kept, since it is the client that
// looks for it.
var ids = middleware.RequestIDs{Field: RequestID, Prefix: "req_", Proxies: middleware.MustPeers("*")}

// ID returns the request's id; "" if Identify has not seen the request.
func ID(r *weir.Request) string { return middleware.ID(r) }

// Identify is an OnHeaders: it gives the request an id, the client's if that
// can be used, and sends it back.
func Identify(w *weir.Response, r *weir.Request) bool {
	ids.Identify(w, r)
	return true
}

// Explain returns an OnError: what weir refuses by itself has the shape of the
// request's dialect, too, paths and methods that there are not among it.
// bodyLimit is the server's limit for bodies.
func Explain(bodyLimit int64) func(w *weir.Response, r *weir.Request, err error) {
	return func(w *weir.Response, r *weir.Request, err error) {
		if w.Committed() {
			return // the client has a part of another response
		}
		ids.Identify(w, r) // it may not have seen the request
		Refuse(w, r, describe(w.Status(), bodyLimit, r, err))
	}
}

// describe turns weir's status and reason into a fault. What a handler failed
// with is not for clients to read.
func describe(status int, bodyLimit int64, r *weir.Request, err error) *dialect.Fault {
	switch {
	case errors.Is(err, weir.ErrServerClosed):
		return dialect.ServerError(status, "The server is shutting down. Please try again.")
	case errors.Is(err, weir.ErrBodiesFull):
		return dialect.NoRoom()
	case status == http.StatusServiceUnavailable:
		return dialect.Overloaded()
	case status == http.StatusRequestEntityTooLarge:
		return dialect.TooLarge(bodyLimit)
	case status == http.StatusInternalServerError:
		return dialect.ServerError(status, "The server had an error while processing your request.")
	case errors.Is(err, weir.ErrNotFound):
		return dialect.NotFound(r.Method(), r.Path())
	case errors.Is(err, weir.ErrMethodNotAllowed):
		return dialect.MethodNotAllowed(r.Method(), r.Path())
	}
	message := fmt.Sprintf("The request could not be read: %v.", err) // constants and a number, none of the client's bytes
	switch {
	case errors.Is(err, weir.ErrTimeout):
		message = "The request took too long to arrive."
	case errors.Is(err, weir.ErrNotImplemented):
		message = fmt.Sprintf("The method %s is not implemented.", r.Method())
	case errors.Is(err, weir.ErrBadPath):
		message = "The path has an encoded NUL."
	}
	return &dialect.Fault{Status: status, Message: message}
}
