// Package openai is OpenAI's dialect: chat, completions, embeddings, models,
// and whatever else its servers have below /v1.
package openai

import (
	"weir/cmd/weir/internal/dialect"
)

// Done is the data of the event that ends a good stream, and no other.
const Done = "[DONE]"

// Dialect is OpenAI's dialect.
var Dialect dialect.Dialect = openai{}

type openai struct{}

// Name implements dialect.Dialect.
func (openai) Name() string { return "openai" }

// Endpoints implements dialect.Dialect.
func (openai) Endpoints() []*dialect.Endpoint { return endpoints }

var endpoints = dialect.Endpoints(openai{}, true,
	dialect.Endpoint{Method: "POST", Path: "/v1/chat/completions", Kind: dialect.Generate, Judge: chunks},
	dialect.Endpoint{Method: "POST", Path: "/v1/completions", Kind: dialect.Generate, Judge: chunks},
	dialect.Endpoint{Method: "POST", Path: "/v1/embeddings", Kind: dialect.Embeddings, Judge: events},
	dialect.Endpoint{Method: "POST", Path: "/v1/{path...}", Kind: dialect.Other, Judge: events},
	dialect.Endpoint{Method: "GET", Path: "/v1/models", Kind: dialect.List},
	dialect.Endpoint{Method: "GET", Path: "/v1/models/{id...}", Kind: dialect.One},
)

func chunks() dialect.Judge { return &judge{chat: true} }

// events makes the judge of events that may be anything.
func events() dialect.Judge { return new(judge) }

// Credentials implements dialect.Dialect.
func (openai) Credentials(key string) []dialect.Field {
	if key == "" {
		return nil
	}
	return []dialect.Field{{Name: "Authorization", Value: "Bearer " + key}}
}

// AppendError implements dialect.Dialect.
func (openai) AppendError(dst []byte, f *dialect.Fault) []byte {
	if dst, repeated := f.AppendBody(dst, dialect.ShapeObject); repeated {
		return dst
	}
	dst = dialect.AppendString(append(dst, `{"error":{"message":`...), f.Message)
	dst = dialect.AppendString(append(dst, `,"type":`...), typeOf(f))
	dst = dialect.AppendNullable(append(dst, `,"param":`...), f.Param)
	dst = dialect.AppendNullable(append(dst, `,"code":`...), f.Code)
	return append(dst, "}}"...)
}

// typeOf returns what the dialect calls the kind of error.
func typeOf(f *dialect.Fault) string {
	switch s := f.Status; {
	case s == 401:
		return "authentication_error"
	case s == 429:
		return "rate_limit_error"
	case s >= 500:
		return "server_error"
	}
	return "invalid_request_error"
}
