package demo

import (
	"fmt"
	"strings"
	"time"

	"weir"
	"weir/cmd/weir/internal/admin"
	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/dialect/anthropic"
	"weir/cmd/weir/internal/dialect/openai"
	"weir/cmd/weir/internal/front"
	"weir/cmd/weir/internal/guard"
	"weir/cmd/weir/internal/pages"
	"weir/cmd/weir/internal/speak"
)

// bodyLimit bounds a request's body, in bytes.
const bodyLimit = 8 << 20

// New returns the demo's server, to be started: the page and the routes of four
// dialects.
func New(probes *admin.Probes) *weir.Server {
	mux := new(weir.Mux)
	started := time.Now()
	self := openai.Model{ID: ModelName, Created: started.Unix(), OwnedBy: "weir"}
	for path := range generating {
		mux.Handle("POST "+path, weir.Native(HandlerName), ownModel)
	}
	mux.HandleFunc("POST "+messagesPath+"/count_tokens", count)
	mux.HandleFunc("GET /api/tags", func(w *weir.Response, _ *weir.Request) { front.Answer(w, 200, tags(self)) }).Inline()
	mux.HandleFunc("GET /api/version", func(w *weir.Response, _ *weir.Request) { front.Answer(w, 200, []byte(ollamaVersion)) }).Inline()
	mux.HandleFunc("GET /v1/models", func(w *weir.Response, r *weir.Request) {
		if r.Header().Has(anthropic.VersionField) {
			front.Answer(w, 200, anthropic.AppendModels(nil, []string{ModelName}, started))
			return
		}
		front.Answer(w, 200, openai.AppendModels(nil, []openai.Model{self}))
	}).Inline()
	mux.HandleFunc("GET /v1/models/{id...}", func(w *weir.Response, r *weir.Request) {
		id, messages := r.PathValue("id"), r.Header().Has(anthropic.VersionField)
		switch unknown := dialect.ModelNotFound(id); {
		case id != ModelName && messages:
			front.Answer(w, unknown.Status, anthropic.Dialect.AppendError(nil, unknown))
		case id != ModelName:
			front.Refuse(w, r, unknown)
		case messages:
			front.Answer(w, 200, anthropic.AppendModel(nil, id, started))
		default:
			front.Answer(w, 200, openai.AppendModel(nil, self))
		}
	}).Inline()
	mux.HandleFunc("GET /health", probes.Health).Inline()
	pages.Mount(mux, playground, welcome)
	policy := guard.New(guard.Config{Links: true})
	return &weir.Server{
		Handler: mux, Limits: weir.Limits{Body: bodyLimit},
		OnHeaders: func(w *weir.Response, r *weir.Request) bool {
			return front.Identify(w, r) && front.Admit(policy, w, r) && front.Upgrade(w, r)
		},
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
		req, wrong := parse(generating[r.Path()], r.Body())
		if wrong == nil && !own(req.Model) {
			front.Refuse(w, r, dialect.ModelNotFound(req.Model))
			return
		}
		next.Serve(w, r)
	})
}

// own reports whether a request's model is the demo's. Clients of Ollama may
// add a tag.
func own(model string) bool { return strings.TrimSuffix(model, ":latest") == ModelName }

// count responds with the number of a prompt's tokens.
func count(w *weir.Response, r *weir.Request) {
	req, err := speak.Messages.Read(r.Body())
	switch {
	case err != nil:
		front.Refuse(w, r, dialect.BadJSON())
	case !own(req.Model):
		front.Refuse(w, r, dialect.ModelNotFound(req.Model))
	default:
		front.Answer(w, 200, fmt.Appendf(nil, `{"input_tokens":%d}`, shared.model().Count(req.Prompt)))
	}
}

// ollamaVersion is a version of Ollama that has what the demo has of it.
const ollamaVersion = `{"version":"0.9.0"}`

// tags is Ollama's list of models.
func tags(m openai.Model) []byte {
	const list = `{"models":[{"name":%q,"model":%q,"modified_at":%q,"size":0,"digest":"%064d",` +
		`"details":{"format":"n-gram","family":"weir","families":["weir"],"parameter_size":"0B","quantization_level":""}}]}`
	return fmt.Appendf(nil, list, m.ID, m.ID, time.Unix(m.Created, 0).UTC().Format(time.RFC3339), 0)
}
