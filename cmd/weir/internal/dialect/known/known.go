// Package known has all dialects that the gateway speaks.
package known

import (
	"strings"

	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/dialect/anthropic"
	"weir/cmd/weir/internal/dialect/ollama"
	"weir/cmd/weir/internal/dialect/openai"
	"weir/cmd/weir/internal/dialect/responses"
)

// Dialects are all of them.
var Dialects = [...]dialect.Dialect{openai.Dialect, responses.Dialect, anthropic.Dialect, ollama.Dialect}

// Named returns the dialect with that name; nil if there is none.
func Named(name string) dialect.Dialect {
	for _, d := range Dialects {
		if d.Name() == name {
			return d
		}
	}
	return nil
}

// Of returns the dialect of a request's path, whether it is served or not: an
// error is written in it (G17).
func Of(path string) dialect.Dialect {
	for _, root := range roots {
		if rest, ok := strings.CutPrefix(path, root.path); ok && (rest == "" || rest[0] == '/') {
			return root.dialect
		}
	}
	return openai.Dialect
}

// roots are the paths at and below which requests are in other dialects than
// OpenAI's.
var roots = [...]struct {
	path    string
	dialect dialect.Dialect
}{
	{"/v1/messages", anthropic.Dialect},
	{"/v1/responses", responses.Dialect},
	{"/api", ollama.Dialect},
}
