package config

import (
	"os"
	"regexp"
	"strings"
)

// This file is ${NAME} in a string: the value of an environment variable. A
// plain ${ is written $${.
//
// The value may be a secret. What is shown of a configuration has ${NAME} in its
// place, and so have the messages about it.

var reference = regexp.MustCompile(`\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{`)

// environment is the strings of a document that name environment variables, by
// their pointers.
type environment map[string]replaced

// replaced is one of them.
type replaced struct {
	text   string   // as it is written
	values []string // in turn the value of a variable, and how it is written
}

// expander puts the values in their places.
type expander struct {
	env      environment
	problems Problems
}

// expand returns v with its variables' values. It does not change v.
func (e *expander) expand(pointer string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		members := make(map[string]any, len(v))
		for name, member := range v {
			members[name] = e.expand(join(pointer, name), member)
		}
		return members
	case []any:
		items := make([]any, len(v))
		for i, item := range v {
			items[i] = e.expand(join(pointer, i), item)
		}
		return items
	case string:
		return e.text(pointer, v)
	}
	return v
}

// text leaves a string as it is if something about it is wrong.
func (e *expander) text(pointer, s string) string {
	if !strings.Contains(s, "${") {
		return s
	}
	r, bad := replaced{text: s}, ""
	out := reference.ReplaceAllStringFunc(s, func(found string) string {
		name := strings.TrimSuffix(strings.TrimPrefix(found, "${"), "}")
		value, set := os.LookupEnv(name)
		switch {
		case found == "$${":
			return "${"
		case name == "":
			bad = "want ${NAME}, with the name of an environment variable; a plain ${ is written $${"
		case !set:
			bad = shownEnv(name) + " is not set"
		default:
			r.values = append(r.values, value, found)
		}
		return value
	})
	if bad != "" {
		e.problems = append(e.problems, Problem{Pointer: pointer, Message: bad})
		return s
	}
	if r.values != nil {
		e.env[pointer] = r
	}
	return out
}

// fewLetters is the length below which a value is not a secret, and would be found
// in any message.
const fewLetters = 4

// hide replaces in a message about the value at pointer what came from the
// environment.
func (env environment) hide(pointer, message string) string {
	values := env[pointer].values
	for i := 0; i < len(values); i += 2 {
		if len(values[i]) >= fewLetters {
			message = strings.ReplaceAll(message, values[i], values[i+1])
		}
	}
	return message
}

// source is how a string is written so that it is read as s.
func (env environment) source(pointer, s string) string {
	if r, ok := env[pointer]; ok {
		return r.text
	}
	return strings.ReplaceAll(s, "${", "$${")
}

// plain returns in, or the number or truth value that a whole string is
// made of by the environment.
func (env environment) plain(pointer string, in any) any {
	s, ok := in.(string)
	if _, replaced := env[pointer]; !ok || !replaced {
		return in
	}
	switch s {
	case "true":
		return true
	case "false":
		return false
	}
	return number(s)
}

// shownEnv names a variable in a message. What does not look like a name may be
// the secret itself, and is not repeated.
func shownEnv(name string) string {
	if plainEnv.MatchString(name) {
		return "the environment variable " + name
	}
	return "this environment variable"
}
