package config

import (
	"bytes"
	"encoding/json"

	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// JSON is a value of any kind, as a patch of a model has it. The zero value is
// none.
type JSON struct{ value any } // nil, bool, string, number, map[string]any, []any

// Text returns the value as JSON on one line, members sorted by their names;
// nil if there is none.
func (j JSON) Text() []byte {
	if j.value == nil {
		return nil
	}
	return appendJSON(nil, j.value)
}

// MarshalJSON implements json.Marshaler.
func (j JSON) MarshalJSON() ([]byte, error) { return appendJSON(nil, j.value), nil }

func appendJSON(dst []byte, v any) []byte {
	switch v := v.(type) {
	case map[string]any:
		dst = append(dst, '{')
		for i, name := range sorted(v) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, name), ':')
			dst = appendJSON(dst, v[name])
		}
		return append(dst, '}')
	case []any:
		dst = append(dst, '[')
		for i, item := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, item)
		}
		return append(dst, ']')
	case number:
		return append(dst, v...)
	case string:
		return appendString(dst, v)
	case bool:
		if v {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	}
	return append(dst, "null"...)
}

// appendString appends s as it would be in a request: <, > and & are not
// escaped.
func appendString(dst []byte, s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string can be encoded
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}

// source returns the value as it is written in the configuration, which is at
// pointer there.
func (j JSON) source(env environment, pointer string) JSON {
	var walk func(pointer string, v any) any
	walk = func(pointer string, v any) any {
		switch v := v.(type) {
		case map[string]any:
			members := make(map[string]any, len(v))
			for name, member := range v {
				members[name] = walk(join(pointer, name), member)
			}
			return members
		case []any:
			items := make([]any, len(v))
			for i, item := range v {
				items[i] = walk(join(pointer, i), item)
			}
			return items
		case string:
			return env.source(pointer, v)
		}
		return v
	}
	return JSON{walk(pointer, j.value)}
}

// node is the value as YAML.
func (j JSON) node() *yaml.Node { return anyNode(j.value) }

func anyNode(v any) *yaml.Node {
	switch v := v.(type) {
	case map[string]any:
		n := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
		for _, name := range sorted(v) {
			n.Content = append(n.Content, stringNode(name), anyNode(v[name]))
		}
		return n
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, item := range v {
			n.Content = append(n.Content, anyNode(item))
		}
		return n
	case string:
		return stringNode(v)
	}
	return plainNode(string(appendJSON(nil, v)))
}

// The schemas of JSON values, by the tag of.
var jsonSchemas = map[string]func() map[string]any{
	"merge": func() map[string]any {
		return map[string]any{"type": "object", "additionalProperties": map[string]any{}}
	},
	"operations": func() map[string]any {
		text := func(about string) map[string]any { return map[string]any{"type": "string", "description": about} }
		return map[string]any{"type": "array", "items": map[string]any{
			"type":     "object",
			"required": []string{"op", "path"},
			"properties": map[string]any{
				"op":    map[string]any{"type": "string", "enum": []string{"test", "add", "replace", "remove", "move", "copy"}},
				"path":  text("a JSON pointer (RFC 6901): where"),
				"from":  text("a JSON pointer: what move and copy take"),
				"value": map[string]any{"description": "what test compares with, and add and replace put there"},
			},
			"additionalProperties": map[string]any{},
		}}
	},
}
