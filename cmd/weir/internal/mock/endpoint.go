package mock

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/dialect/anthropic"
	"weir/cmd/weir/internal/dialect/openai"
	"weir/cmd/weir/internal/speak"
)

// generating are the paths at which a model speaks, and how.
var generating = map[string]*speak.Dialect{
	chatPath:          speak.Chat,
	"/v1/completions": speak.Completions,
	"/v1/responses":   speak.Responses,
	"/v1/messages":    speak.Messages,
	"/api/chat":       speak.OllamaChat,
	"/api/generate":   speak.OllamaGenerate,
}

// others are the endpoints that have no stream.
var others = map[string]struct {
	method  string
	dialect string
	body    func(s *Server, in *incoming) []byte
}{
	"/v1/embeddings":            {"POST", "openai", (*Server).embeddings},
	"/v1/messages/count_tokens": {"POST", "anthropic", func(_ *Server, in *incoming) []byte { return fmt.Appendf(nil, `{"input_tokens":%d}`, promptTokens) }},
	modelsPath:                  {"GET", "", (*Server).models},
	"/api/tags":                 {"GET", "ollama", (*Server).tags},
	"/api/version":              {"GET", "ollama", func(*Server, *incoming) []byte { return []byte(`{"version":"0.9.0"}`) }},
}

const (
	chatPath   = "/v1/chat/completions"
	modelsPath = "/v1/models"
	healthPath = "/health"
)

// Dialects are those that a mock can be limited to.
var Dialects = []string{"openai", "responses", "anthropic", "ollama"}

// family is which of Dialects has the endpoint.
func family(d *speak.Dialect) string {
	switch d {
	case speak.Responses:
		return "responses"
	case speak.Messages:
		return "anthropic"
	case speak.OllamaChat, speak.OllamaGenerate:
		return "ollama"
	}
	return "openai"
}

// speaks reports whether the server has the endpoints of a dialect.
func (s *Server) speaks(name string) bool {
	return s.cfg.Dialect == "" || name == "" || s.cfg.Dialect == name
}

// dialect is that of the request's path, and chat's for all the others.
func (in *incoming) dialect() *speak.Dialect {
	switch d := generating[in.path]; {
	case d != nil:
		return d
	case strings.HasPrefix(in.path, "/v1/messages"):
		return speak.Messages
	case strings.HasPrefix(in.path, "/api/"):
		return speak.OllamaChat
	}
	return speak.Chat
}

// endpoint returns the response of a server without faults.
func (s *Server) endpoint(in *incoming, p *plan) answer {
	if d := generating[in.path]; d != nil && s.speaks(family(d)) {
		switch {
		case in.Method != "POST":
			return notAllowed(in, "POST")
		case in.Stream && !p.noStream:
			return answer{status: 200, stream: &p.body}
		}
		return answer{status: 200, body: UnaryBody(p.body)}
	}
	if e, ok := others[in.path]; ok && s.speaks(e.dialect) {
		if in.Method != e.method {
			return notAllowed(in, e.method)
		}
		return answer{status: 200, body: e.body(s, in)}
	}
	one, isModel := strings.CutPrefix(in.path, modelsPath+"/")
	switch {
	case in.path != healthPath && !isModel:
		return refusal(in, dialect.NotFound(in.Method, in.path))
	case in.Method != "GET":
		return notAllowed(in, "GET")
	case isModel && in.Get(anthropic.VersionField) != "":
		return answer{status: 200, body: anthropic.AppendModel(nil, one, time.Unix(created, 0))}
	case isModel:
		return answer{status: 200, body: openai.AppendModel(nil, modelNamed(one))}
	}
	return healthAnswer(int(s.health.Load()))
}

func (s *Server) models(in *incoming) []byte {
	if in.Get(anthropic.VersionField) != "" {
		return anthropic.AppendModels(nil, s.cfg.Models, time.Unix(created, 0))
	}
	var models []openai.Model
	for _, id := range s.cfg.Models {
		models = append(models, modelNamed(id))
	}
	return openai.AppendModels(nil, models)
}

func modelNamed(id string) openai.Model {
	return openai.Model{ID: id, Created: created, OwnedBy: "weir-mock"}
}

// tags is Ollama's list of models.
func (s *Server) tags(*incoming) []byte {
	type details struct {
		Format   string   `json:"format"`
		Family   string   `json:"family"`
		Families []string `json:"families"`
		Size     string   `json:"parameter_size"`
		Level    string   `json:"quantization_level"`
	}
	type model struct {
		Name     string  `json:"name"`
		Model    string  `json:"model"`
		Modified string  `json:"modified_at"`
		Size     int     `json:"size"`
		Digest   string  `json:"digest"`
		Details  details `json:"details"`
	}
	list := []model{}
	for _, id := range s.cfg.Models {
		list = append(list, model{id, id, "2026-01-01T00:00:00Z", 0, strings.Repeat("0", 64), details{"gguf", "mock", []string{"mock"}, "0B", "F16"}})
	}
	body, _ := json.Marshal(map[string]any{"models": list}) // strings and numbers
	return body
}
