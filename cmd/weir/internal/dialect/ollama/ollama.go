// Package ollama is Ollama's dialect: chat, generate, embeddings and models.
package ollama

import "weir/cmd/weir/internal/dialect"

// Dialect is Ollama's dialect.
var Dialect dialect.Dialect = ollama{}

type ollama struct{}

// Name implements dialect.Dialect.
func (ollama) Name() string { return "ollama" }

// Endpoints implements dialect.Dialect.
func (ollama) Endpoints() []*dialect.Endpoint { return endpoints }

var endpoints = dialect.Endpoints(ollama{}, false,
	dialect.Endpoint{Method: "POST", Path: "/api/chat", Kind: dialect.Generate, Streams: true, Framing: dialect.Lines, Judge: chat},
	dialect.Endpoint{Method: "POST", Path: "/api/generate", Kind: dialect.Generate, Streams: true, Framing: dialect.Lines, Judge: generate},
	dialect.Endpoint{Method: "POST", Path: "/api/embed", Kind: dialect.Embeddings, Framing: dialect.Lines},
	dialect.Endpoint{Method: "POST", Path: "/api/embeddings", Kind: dialect.Embeddings, Framing: dialect.Lines},
	dialect.Endpoint{Method: "POST", Path: "/api/show", Kind: dialect.Other, Framing: dialect.Lines},
	dialect.Endpoint{Method: "GET", Path: "/api/tags", Kind: dialect.List},
	dialect.Endpoint{Method: "GET", Path: "/api/version", Kind: dialect.Version},
)

func chat() dialect.Judge     { return &judge{chat: true} }
func generate() dialect.Judge { return new(judge) }

// Credentials implements dialect.Dialect: Ollama itself has none, but what is
// ahead of it may.
func (ollama) Credentials(key string) []dialect.Field {
	if key == "" {
		return nil
	}
	return []dialect.Field{{Name: "Authorization", Value: "Bearer " + key}}
}

// AppendError implements dialect.Dialect.
func (ollama) AppendError(dst []byte, f *dialect.Fault) []byte {
	if dst, repeated := f.AppendBody(dst, dialect.ShapeText); repeated {
		return dst
	}
	return append(dialect.AppendString(append(dst, `{"error":`...), f.Message), '}')
}
