// Package responses is OpenAI's dialect of responses.
package responses

import (
	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/dialect/openai"
)

// Dialect is the dialect of responses. Its errors and keys are OpenAI's.
var Dialect dialect.Dialect = responses{openai.Dialect}

type responses struct{ dialect.Dialect }

// Name implements dialect.Dialect.
func (responses) Name() string { return "responses" }

// Endpoints implements dialect.Dialect.
func (responses) Endpoints() []*dialect.Endpoint { return endpoints }

var endpoints = dialect.Endpoints(responses{openai.Dialect}, true,
	dialect.Endpoint{Method: "POST", Path: "/v1/responses", Kind: dialect.Generate, Judge: func() dialect.Judge { return new(judge) }},
)
