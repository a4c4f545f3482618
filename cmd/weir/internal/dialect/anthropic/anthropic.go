// Package anthropic is Anthropic's dialect: messages, and the counting of their
// tokens.
package anthropic

import (
	"weir/cmd/weir/internal/dialect"
)

// Version is the version of the API for clients that name none.
const Version = "2023-06-01"

// Dialect is Anthropic's dialect.
var Dialect dialect.Dialect = anthropic{}

type anthropic struct{}

// Name implements dialect.Dialect.
func (anthropic) Name() string { return "anthropic" }

// Endpoints implements dialect.Dialect.
func (anthropic) Endpoints() []*dialect.Endpoint { return endpoints }

var endpoints = dialect.Endpoints(anthropic{}, true,
	dialect.Endpoint{Method: "POST", Path: "/v1/messages", Kind: dialect.Generate, Judge: func() dialect.Judge { return new(judge) }},
	dialect.Endpoint{Method: "POST", Path: "/v1/messages/count_tokens", Kind: dialect.Count},
)

// Credentials implements dialect.Dialect.
func (anthropic) Credentials(key string) []dialect.Field {
	fields := []dialect.Field{{Name: VersionField, Value: Version, Default: true}}
	if key != "" {
		fields = append(fields, dialect.Field{Name: "x-api-key", Value: key})
	}
	return fields
}

// AppendError implements dialect.Dialect.
func (anthropic) AppendError(dst []byte, f *dialect.Fault) []byte {
	if dst, repeated := f.AppendBody(dst, dialect.ShapeTyped); repeated {
		return dst
	}
	dst = dialect.AppendString(append(dst, `{"type":"error","error":{"type":`...), typeOf(f))
	dst = dialect.AppendString(append(dst, `,"message":`...), f.Message)
	return append(dst, "}}"...)
}

// typeOf returns what the dialect calls the kind of error.
func typeOf(f *dialect.Fault) string {
	switch s := f.Status; {
	case s == 401:
		return "authentication_error"
	case s == 402:
		return "billing_error"
	case s == 403:
		return "permission_error"
	case s == 404:
		return "not_found_error"
	case s == 413:
		return "request_too_large"
	case s == 429:
		return "rate_limit_error"
	case s == 503, s == 529:
		return "overloaded_error"
	case s == 504:
		return "timeout_error"
	case s >= 500:
		return "api_error"
	}
	return "invalid_request_error"
}
