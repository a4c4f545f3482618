package config

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// libraries checks that no shared library is named twice.
func (v *validator) libraries() {
	seen := map[string]string{}
	for i, l := range v.Native {
		here := at("native", i, "so")
		if l.SO == "" {
			continue
		}
		path := filepath.Clean(l.SO)
		if first := seen[path]; first != "" {
			v.complain(here, "is the same file as %s", first)
			continue
		}
		seen[path] = here
	}
}

// native checks a model that a native handler serves.
func (v *validator) native(here string, m Model) {
	if !isNative(m.Native) {
		v.complain(join(here, "native"), "want the name of a native handler such as demo/babble, got %q", m.Native)
	}
	var defaults Model
	fill(reflect.ValueOf(&defaults).Elem())
	for _, f := range []struct {
		name  string
		given bool
	}{
		{"policy", m.Policy != defaults.Policy},
		{"session", m.Session != defaults.Session},
		{"retries", m.Retries != defaults.Retries},
		{"retry_on", !slices.Equal(m.RetryOn, defaults.RetryOn)},
		{"fallback", len(m.Fallback) > 0},
		{"hold", m.Hold != defaults.Hold},
		{"keepalive", m.Keepalive != defaults.Keepalive},
		{"request", m.Request.Merge.value != nil || m.Request.Patch.value != nil},
		{"event", m.Event.Patch.value != nil},
		{"response", m.Response.Patch.value != nil},
	} {
		if f.given {
			v.complain(join(here, f.name), "applies to models with targets; a native handler is called once")
		}
	}
}

// isNative reports whether s can be a native handler's name. That there is one
// is checked by [Config.CheckNative].
func isNative(s string) bool {
	return isPrintable(s) && !strings.ContainsFunc(s, func(r rune) bool { return r == ' ' })
}

// CheckNative checks that every native handler the configuration names is one
// of registered, and that no model has one of webSockets, which serve no
// requests for completions. The problems it returns, if any, name no file.
func (c *Config) CheckNative(registered, webSockets []string) (ps Problems) {
	want := func(pointer, name string) {
		for _, r := range registered {
			if r == name {
				return
			}
		}
		ps = append(ps, Problem{Pointer: pointer, Message: "no native handler named \"" + name + "\"; " + among(name, registered)})
	}
	for _, name := range sorted(c.Models) {
		native := c.Models[name].Native
		if native == "" {
			continue
		}
		here := at("models", name, "native")
		want(here, native)
		if slices.Contains(webSockets, native) {
			ps = append(ps, Problem{Pointer: here, Message: "\"" + native + "\" serves WebSockets, which a model cannot; give it a path of its own in routes"})
		}
	}
	for i, r := range c.Routes {
		want(at("routes", i, "native"), r.Native)
	}
	return ps
}
