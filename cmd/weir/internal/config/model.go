package config

import (
	"slices"

	"weir/cmd/weir/internal/glob"
	"weir/cmd/weir/internal/policy"
)

// Model returns the model that serves a name: the one of that very name, or the
// one whose pattern matches it best. It returns false if there is none.
func (c *Config) Model(name string) (Model, bool) {
	if m, ok := c.Models[name]; ok {
		return m, true
	}
	patterns := slices.DeleteFunc(sorted(c.Models), func(name string) bool { return !glob.IsPattern(name) })
	glob.Sort(patterns)
	for _, pattern := range patterns {
		if glob.Match(pattern, name) {
			return c.Models[pattern], true
		}
	}
	return Model{}, false
}

// Rules is what the model changes in requests and responses.
func (m Model) Rules() policy.Source {
	return policy.Source{Merge: m.Request.Merge.Text(), Patch: m.Request.Patch.Text(), Event: m.Event.Patch.Text(), Response: m.Response.Patch.Text()}
}

// rules checks what a model changes.
func (v *validator) rules(here string, m Model) {
	_, problems := policy.Compile(m.Rules())
	for _, p := range problems {
		v.complain(here+p.Pointer, "%s", p.Message)
	}
}
