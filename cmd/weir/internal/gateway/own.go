package gateway

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"time"

	"weir"
	"weir/cmd/weir/internal/config"
	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/dialect/anthropic"
	"weir/cmd/weir/internal/dialect/known"
	"weir/cmd/weir/internal/dialect/openai"
	"weir/cmd/weir/internal/front"
)

// This file is the requests of a dialect that the gateway serves itself: those
// about its models.

// ollamaVersion is what clients of Ollama are told: they compare it with the
// version that a feature needs.
const ollamaVersion = "0.6.3"

// own returns the handler of an endpoint that is not relayed.
func (gw *Gateway) own(g *generation, e *dialect.Endpoint) func(w *weir.Response, r *weir.Request) {
	switch e.Kind {
	case dialect.Version:
		return func(w *weir.Response, _ *weir.Request) {
			front.Answer(w, 200, []byte(`{"version":"`+ollamaVersion+`"}`))
		}
	case dialect.One:
		return func(w *weir.Response, r *weir.Request) { gw.describe(g, w, r) }
	}
	list := openai.AppendModels(nil, g.models)
	if !e.Base {
		list = gw.appendTags(nil, g)
		return func(w *weir.Response, _ *weir.Request) { front.Answer(w, 200, list) }
	}
	messages := anthropic.AppendModels(nil, g.names(), gw.started)
	return func(w *weir.Response, r *weir.Request) {
		if r.Header().Has(anthropic.VersionField) { // the path is the same in both dialects
			front.Answer(w, 200, messages)
			return
		}
		front.Answer(w, 200, list)
	}
}

// describe responds with one model.
func (gw *Gateway) describe(g *generation, w *weir.Response, r *weir.Request) {
	id := r.PathValue("id")
	switch messages := r.Header().Has(anthropic.VersionField); {
	case g.gateway.Model(id) == nil && messages:
		front.Answer(w, http.StatusNotFound, anthropic.Dialect.AppendError(nil, dialect.ModelNotFound(id)))
	case g.gateway.Model(id) == nil:
		front.Refuse(w, r, dialect.ModelNotFound(id))
	case messages:
		front.Answer(w, 200, anthropic.AppendModel(nil, id, gw.started))
	default:
		front.Answer(w, 200, openai.AppendModel(nil, gw.listed(id)))
	}
}

// names are those of the models that are listed.
func (g *generation) names() (names []string) {
	for _, m := range g.models {
		names = append(names, m.ID)
	}
	return names
}

// appendTags appends the list of models in Ollama's dialect.
func (gw *Gateway) appendTags(dst []byte, g *generation) []byte {
	dst = append(dst, `{"models":[`...)
	for i, m := range g.models {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = dialect.AppendString(append(dst, `{"name":`...), m.ID)
		dst = dialect.AppendString(append(dst, `,"model":`...), m.ID)
		dst = gw.started.UTC().AppendFormat(append(dst, `,"modified_at":"`...), time.RFC3339)
		dst = append(dst, `","size":0,"digest":"","details":{"parent_model":"","format":"","family":"","families":null,"parameter_size":"","quantization_level":""}}`...)
	}
	return append(dst, "]}"...)
}

// admit is the server's OnHeaders.
func (gw *Gateway) admit(w *weir.Response, r *weir.Request) bool {
	g := gw.now.Load()
	return front.Identify(w, r) && front.Admit(g.guard, w, r) &&
		(slices.Contains(g.sockets, r.Pattern()) || front.Upgrade(w, r)) && onlyRead(w, r)
}

// onlyRead refuses requests about models that do not ask for them: the pattern
// of all other requests to a model's server would take them.
func onlyRead(w *weir.Response, r *weir.Request) bool {
	rest, about := bytes.CutPrefix(r.PathBytes(), []byte(config.ModelsPath))
	if !about || len(rest) > 0 && rest[0] != '/' {
		return true
	}
	switch r.Method() {
	case "GET", "HEAD":
		return true
	case "OPTIONS":
		w.SetStatus(http.StatusNoContent)
	default:
		front.Refuse(w, r, dialect.MethodNotAllowed(r.Method(), r.Path()))
	}
	w.Header().Set("Allow", "GET, HEAD")
	return false
}

// isEndpoint reports whether a path is that of an endpoint.
func isEndpoint(path string) bool {
	for _, d := range known.Dialects {
		for _, e := range d.Endpoints() {
			if e.Path == path {
				return true
			}
		}
	}
	return false
}

// explain is the server's OnError.
func (gw *Gateway) explain(w *weir.Response, r *weir.Request, err error) {
	g := gw.now.Load()
	g.guard.Mark(w, r)
	if errors.Is(err, weir.ErrMethodNotAllowed) && !isEndpoint(r.Path()) && w.Header().Get("Allow") == "POST" && !w.Committed() {
		w.Header().Del("Allow") // only the pattern of all other requests has that path
		w.SetStatus(http.StatusNotFound)
		err = weir.ErrNotFound
	}
	front.Explain(int64(g.cfg.Limits.Body))(w, r, err)
}
