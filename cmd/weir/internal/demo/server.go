package demo

import (
	"time"

	"weir"
	"weir/cmd/weir/internal/admin"
	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/dialect/openai"
	"weir/cmd/weir/internal/front"
	"weir/cmd/weir/internal/guard"
)

// bodyLimit bounds a request's body, in bytes.
const bodyLimit = 8 << 20

// newServer returns the demo's server: OpenAI's routes, and its error shape for
// all other requests.
func newServer(probes *admin.Probes) *weir.Server {
	mux := new(weir.Mux)
	self := openai.Model{ID: ModelName, Created: time.Now().Unix(), OwnedBy: "weir"}
	mux.Handle("POST "+chatPath, weir.Native(HandlerName), ownModel)
	mux.HandleFunc("GET /v1/models", func(w *weir.Response, _ *weir.Request) {
		front.Answer(w, 200, openai.AppendModels(nil, []openai.Model{self}))
	}).Inline()
	mux.HandleFunc("GET /v1/models/{id...}", func(w *weir.Response, r *weir.Request) {
		if id := r.PathValue("id"); id != ModelName {
			front.Refuse(w, r, dialect.ModelNotFound(id))
			return
		}
		front.Answer(w, 200, openai.AppendModel(nil, self))
	}).Inline()
	mux.HandleFunc("GET /health", probes.Health).Inline()
	mux.HandleFunc("GET /{$}", welcome).Inline()
	policy := guard.New(guard.Config{Links: true})
	return &weir.Server{
		Handler: mux, Limits: weir.Limits{Body: bodyLimit},
		OnHeaders: func(w *weir.Response, r *weir.Request) bool { return front.Identify(w, r) && front.Admit(policy, w, r) },
		OnError: func(w *weir.Response, r *weir.Request, err error) {
			policy.Mark(w, r)
			front.Explain(bodyLimit)(w, r, err)
		},
	}
}

// ownModel refuses requests for other models than the only one. The handler
// checks the rest of a request.
func ownModel(next weir.Handler) weir.Handler {
	return weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
		req, wrong := openai.ParseChatRequest(r.Body())
		if wrong == nil && req.Model != ModelName {
			front.Refuse(w, r, dialect.ModelNotFound(req.Model))
			return
		}
		next.Serve(w, r)
	})
}
