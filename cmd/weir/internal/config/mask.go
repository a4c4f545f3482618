package config

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// masked replaces what must not be shown.
const masked = "********"

// secretWords are parts of the names of header fields that carry secrets.
var secretWords = []string{"auth", "cookie", "cred", "key", "pass", "secret", "session", "sign", "token"}

// namesVariable matches the source of a secret that shows nothing of it.
var namesVariable = regexp.MustCompile(`^([A-Za-z]+ )?\$\{[A-Za-z_][A-Za-z0-9_]*\}$`)

// Masked is a deep copy that may be shown, and read again: the values of
// headers and of query parameters that look like secrets are replaced, and what
// came from the environment is ${NAME} again. Keys and tokens are never in a
// Config, only the names of their environment variables.
func (c *Config) Masked() *Config {
	m := new(Config)
	c.copyInto(reflect.ValueOf(m).Elem(), reflect.ValueOf(c).Elem(), "")
	for id, u := range m.Upstreams {
		u.Health.Path = maskQuery(u.Health.Path)
		m.Upstreams[id] = u
		for name, value := range u.Headers {
			if isSecret(name) && !namesVariable.MatchString(value) {
				u.Headers[name] = masked
			}
		}
	}
	return m
}

// maskQuery replaces the values of parameters that look like secrets.
func maskQuery(path string) string {
	path, query, ok := strings.Cut(path, "?")
	if !ok {
		return path
	}
	parameters := strings.Split(query, "&")
	for i, p := range parameters {
		if name, value, _ := strings.Cut(p, "="); isSecret(name) && !namesVariable.MatchString(value) {
			parameters[i] = name + "=" + masked
		}
	}
	return path + "?" + strings.Join(parameters, "&")
}

// copyInto makes to, which is zero, a deep copy of from, whose pointer is given.
func (c *Config) copyInto(to, from reflect.Value, pointer string) {
	if raw, ok := from.Interface().(JSON); ok {
		to.Set(reflect.ValueOf(raw.source(c.env, pointer)))
		return
	}
	switch from.Kind() {
	case reflect.Struct:
		for i := range from.NumField() {
			if f := from.Type().Field(i); f.IsExported() {
				c.copyInto(to.Field(i), from.Field(i), join(pointer, fieldName(f)))
			}
		}
	case reflect.Slice:
		if from.IsNil() {
			return
		}
		to.Set(reflect.MakeSlice(from.Type(), from.Len(), from.Len()))
		for i := range from.Len() {
			c.copyInto(to.Index(i), from.Index(i), join(pointer, i))
		}
	case reflect.Map:
		if from.IsNil() {
			return
		}
		to.Set(reflect.MakeMapWithSize(from.Type(), from.Len()))
		for name, value := range from.Seq2() {
			element := reflect.New(from.Type().Elem()).Elem()
			c.copyInto(element, value, join(pointer, name.String()))
			to.SetMapIndex(name, element)
		}
	case reflect.String:
		to.SetString(c.env.source(pointer, from.String()))
	default:
		to.Set(from)
	}
}

func isSecret(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(name, word) })
}
