package config

import (
	"maps"
	"slices"
	"strings"
)

// masked replaces what must not be shown.
const masked = "********"

// secretWords are parts of the names of header fields that carry secrets.
var secretWords = []string{"auth", "cookie", "cred", "key", "pass", "secret", "session", "sign", "token"}

// Masked is a deep copy that may be shown: the values of headers that look like
// secrets are replaced. Keys and tokens are never in a Config, only the names
// of their environment variables.
func (c *Config) Masked() *Config {
	m := *c
	m.Listen = slices.Clone(c.Listen)
	m.Hosts = slices.Clone(c.Hosts)
	m.Native = slices.Clone(c.Native)
	m.Routes = slices.Clone(c.Routes)
	m.CORS.Origins = slices.Clone(c.CORS.Origins)
	m.Strip = Strip{slices.Clone(c.Strip.Headers), slices.Clone(c.Strip.Query)}
	m.Upstreams = maps.Clone(c.Upstreams)
	for name, u := range m.Upstreams {
		u.Headers = maskHeaders(u.Headers)
		m.Upstreams[name] = u
	}
	m.Models = maps.Clone(c.Models)
	for name, model := range m.Models {
		model.Targets = slices.Clone(model.Targets)
		model.Fallback = slices.Clone(model.Fallback)
		m.Models[name] = model
	}
	return &m
}

func maskHeaders(headers map[string]string) map[string]string {
	headers = maps.Clone(headers)
	for name := range headers {
		if isSecret(name) {
			headers[name] = masked
		}
	}
	return headers
}

func isSecret(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(name, word) })
}
