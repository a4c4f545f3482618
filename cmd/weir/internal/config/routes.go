package config

import (
	"strings"

	"weir/internal/pattern"
)

// routes checks the patterns, alone and against each other.
func (v *validator) routes() {
	var tree pattern.Tree[int]
	for i, r := range v.Routes {
		here := at("routes", i)
		if r.Native != "" && !isNative(r.Native) {
			v.complain(join(here, "native"), "want the name of a native handler such as demo/babble, got %q", r.Native)
		}
		if r.Path == "" {
			continue
		}
		p, err := pattern.Parse(r.Path)
		if err == nil {
			err = tree.Add(p, here, i)
		}
		if err != nil {
			v.complain(join(here, "path"), "%s", oneLine(err))
		}
	}
}

func oneLine(err error) string {
	text := strings.TrimPrefix(err.Error(), "pattern: ")
	return strings.ReplaceAll(strings.ReplaceAll(text, ":\n", ": "), "\n", " ")
}

// isNative reports whether s can be a native handler's name. That there is one
// is checked by [Config.CheckNative].
func isNative(s string) bool {
	return isPrintable(s) && !strings.ContainsFunc(s, func(r rune) bool { return r == ' ' })
}

// CheckNative checks that every native handler the configuration names is one
// of registered. The problems it returns, if any, name no file.
func (c *Config) CheckNative(registered []string) (ps Problems) {
	want := func(pointer, name string) {
		for _, r := range registered {
			if r == name {
				return
			}
		}
		ps = append(ps, Problem{Pointer: pointer, Message: "no native handler named \"" + name + "\"; " + among(name, registered)})
	}
	for _, name := range sorted(c.Models) {
		if native := c.Models[name].Native; native != "" {
			want(at("models", name, "native"), native)
		}
	}
	for i, r := range c.Routes {
		want(at("routes", i, "native"), r.Native)
	}
	return ps
}
