package speak

import (
	"encoding/json"
	"slices"
	"strings"
)

// Sample returns a small value that a JSON schema allows, as far as the schema
// says what is required, which types there are, and which values an enum has.
// It is what a model that understands nothing can say in JSON.
// A schema may contain itself: a sample is null beyond some depth and number of
// values.
func Sample(schema json.RawMessage) string {
	return string((&sampler{root: schema, left: mostValues}).sample(schema, 0))
}

const (
	deepest    = 16
	mostValues = 256
)

type sampler struct {
	root json.RawMessage
	left int // values that may still be made
}

func (x *sampler) sample(schema json.RawMessage, depth int) json.RawMessage {
	var s struct {
		Type       json.RawMessage
		Enum       []json.RawMessage
		Const      json.RawMessage
		Ref        string            `json:"$ref"`
		AnyOf      []json.RawMessage `json:"anyOf"`
		Properties map[string]json.RawMessage
		Required   []string
	}
	if x.left--; x.left < 0 || depth > deepest || json.Unmarshal(schema, &s) != nil {
		return json.RawMessage("null")
	}
	switch {
	case s.Const != nil:
		return s.Const
	case len(s.Enum) > 0:
		return s.Enum[0]
	case s.Ref != "":
		return x.sample(resolve(x.root, s.Ref), depth+1)
	case len(s.AnyOf) > 0:
		return x.sample(s.AnyOf[0], depth+1)
	}
	switch typeOf(s.Type) {
	case "string":
		return json.RawMessage(`"weir"`)
	case "integer", "number":
		return json.RawMessage("1")
	case "boolean":
		return json.RawMessage("true")
	case "array":
		return json.RawMessage("[]")
	case "null":
		return json.RawMessage("null")
	}
	slices.Sort(s.Required)
	out := []byte{'{'}
	for i, name := range s.Required {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(quote(out, name), ':')
		out = append(out, x.sample(s.Properties[name], depth+1)...)
	}
	return append(out, '}')
}

// typeOf returns the first of a schema's types.
func typeOf(v json.RawMessage) string {
	var one string
	if json.Unmarshal(v, &one) == nil {
		return one
	}
	var many []string
	if json.Unmarshal(v, &many) == nil && len(many) > 0 {
		return many[0]
	}
	return ""
}

// resolve follows a reference within the schema, as in #/$defs/city.
func resolve(root json.RawMessage, ref string) json.RawMessage {
	path, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil
	}
	for step := range strings.SplitSeq(path, "/") {
		var members map[string]json.RawMessage
		if json.Unmarshal(root, &members) != nil {
			return nil
		}
		root = members[strings.NewReplacer("~1", "/", "~0", "~").Replace(step)]
	}
	return root
}
