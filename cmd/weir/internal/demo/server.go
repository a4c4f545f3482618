package demo

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"weir"
	"weir/cmd/weir/internal/openai"
)

// bodyLimit bounds a request's body, in bytes.
const bodyLimit = 8 << 20

// newServer returns the demo's server: OpenAI's routes, and its error shape on
// every other.
func newServer() *weir.Server {
	mux := new(weir.Mux)
	self := openai.Model{ID: ModelName, Created: time.Now().Unix(), OwnedBy: "weir"}
	mux.Handle("POST "+chatPath, weir.Native(HandlerName))
	mux.HandleInline(chatPath, allowOnly("POST"))
	mux.HandleInline("GET /v1/models", weir.HandlerFunc(func(w *weir.Response, _ *weir.Request) {
		answer(w, 200, openai.AppendModels(nil, []openai.Model{self}))
	}))
	mux.HandleInline("/v1/models", allowOnly("GET, HEAD"))
	mux.HandleInline("GET /v1/models/{id...}", weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
		if id := r.PathValue("id"); id != ModelName {
			fail(w, openai.ModelNotFound(id))
			return
		}
		answer(w, 200, openai.AppendModel(nil, self))
	}))
	mux.HandleInline("/v1/models/{id...}", allowOnly("GET, HEAD"))
	mux.HandleInline("GET /{$}", weir.HandlerFunc(welcome))
	mux.HandleInline("/{$}", allowOnly("GET, HEAD"))
	mux.HandleInline("/", weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
		fail(w, openai.NotFound(r.Method(), string(r.Path())))
	}))
	return &weir.Server{Handler: mux, OnHeaders: identify, OnError: explain, Limits: weir.Limits{Body: bodyLimit}}
}

// answer makes the response a JSON body.
func answer(w *weir.Response, status int, body []byte) {
	w.Error(status, string(body)) // not Write, which belongs to the stream once a handler has begun one that failed
	setField(w, "Content-Type", "application/json")
}

func fail(w *weir.Response, e *openai.Error) { answer(w, e.Status, e.Append(nil)) }

// setField is for fields of which name and value are known to be well-formed.
func setField(w *weir.Response, name, value string) { _ = w.Header().Set(name, value) }

// allowOnly refuses the methods that a known path does not have.
func allowOnly(methods string) weir.Handler {
	return weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
		setField(w, "Allow", methods)
		fail(w, openai.MethodNotAllowed(r.Method(), string(r.Path())))
	})
}

// requestID is the field by which a request is found again in logs.
const requestID = "x-request-id"

// identify is the server's OnHeaders: it takes the client's request id or makes
// one, and sends it back. The request keeps it for explain.
func identify(w *weir.Response, r *weir.Request) bool {
	id := r.Header().Get(requestID)
	if !usableID(id) {
		id = newRequestID()
		_ = r.Header().Set(requestID, id) // letters and digits
	}
	setField(w, requestID, id)
	return true
}

// usableID reports whether a client's request id is visible ASCII of a length
// that a log can bear.
func usableID(id string) bool {
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return 0 < len(id) && len(id) <= 128
}

func newRequestID() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	return "req_" + hex.EncodeToString(random[:])
}

// explain is the server's OnError: what weir refuses by itself has the
// dialect's shape, too.
func explain(w *weir.Response, r *weir.Request, err error) {
	if id := r.Header().Get(requestID); id != "" {
		setField(w, requestID, id)
	}
	fail(w, describe(w.Status(), err))
}

// describe turns weir's status and reason into the dialect's error. What a
// handler failed with is not for clients to read.
func describe(status int, err error) *openai.Error {
	switch status {
	case http.StatusServiceUnavailable:
		return openai.Overloaded()
	case http.StatusRequestEntityTooLarge:
		return openai.TooLarge(bodyLimit)
	case http.StatusInternalServerError:
		return openai.ServerError(status, "The server had an error while processing your request.")
	}
	message := fmt.Sprintf("The request could not be read: %v.", err) // constants and a number, none of the client's bytes
	if errors.Is(err, weir.ErrTimeout) {
		message = "The request took too long to arrive."
	}
	return &openai.Error{Status: status, Message: message, Type: openai.TypeInvalidRequest}
}
