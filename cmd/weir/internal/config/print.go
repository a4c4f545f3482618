package config

import (
	"bytes"
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// YAML returns the configuration as it is in force, defaults included and
// masked, in the order in which the structs have their fields. It can be read
// again. What is empty by default and by the files is left out.
func (c *Config) YAML() []byte {
	m := c.Masked()
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(nodeOf(reflect.ValueOf(m).Elem())); err != nil {
		panic("config: " + err.Error()) // it is made of nodes, written to memory
	}
	return out.Bytes()
}

// nodeOf is a value, which must be addressable, as YAML.
func nodeOf(v reflect.Value) *yaml.Node {
	if raw, ok := v.Interface().(JSON); ok {
		return raw.node()
	}
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return plainNode(fmt.Sprint(text))
	}
	switch v.Kind() {
	case reflect.Struct:
		return structNode(v)
	case reflect.Map:
		n := &yaml.Node{Kind: yaml.MappingNode}
		names := v.MapKeys()
		slices.SortFunc(names, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, name := range names {
			element := reflect.New(v.Type().Elem()).Elem()
			element.Set(v.MapIndex(name))
			n.Content = append(n.Content, stringNode(name.String()), nodeOf(element))
		}
		return n
	case reflect.Slice:
		n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for i := range v.Len() {
			n.Content = append(n.Content, nodeOf(v.Index(i)))
		}
		return n
	case reflect.String:
		return stringNode(v.String())
	case reflect.Float64:
		return plainNode(strconv.FormatFloat(v.Float(), 'f', -1, 64))
	}
	return plainNode(fmt.Sprint(v.Interface()))
}

func structNode(v reflect.Value) *yaml.Node {
	defaults := reflect.New(v.Type()).Elem()
	fill(defaults)
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, f := range shapeOf(v.Type()).fields {
		field := v.FieldByIndex(f.Index)
		if isEmpty(field) && isEmpty(defaults.FieldByIndex(f.Index)) || hides(v, fieldName(f)) {
			continue
		}
		n.Content = append(n.Content, stringNode(fieldName(f)), nodeOf(field))
	}
	return n
}

// hides reports whether a field means nothing beside the others of v.
func hides(v reflect.Value, name string) bool {
	h, ok := v.Interface().(interface{ hides(name string) bool })
	return ok && h.hides(name)
}

// isEmpty reports whether v has nothing to show.
func isEmpty(v reflect.Value) bool {
	if raw, ok := v.Interface().(JSON); ok {
		return raw.value == nil
	}
	switch v.Kind() {
	case reflect.String:
		return v.Len() == 0
	case reflect.Slice, reflect.Map:
		return v.IsNil() || v.Kind() == reflect.Map && v.Len() == 0
	case reflect.Struct:
		return v.IsZero()
	}
	return false
}

func stringNode(s string) *yaml.Node {
	n := new(yaml.Node)
	n.SetString(s)
	return n
}

func plainNode(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: s} }

// hides: a native handler is called once, so that no other field of its model
// means anything.
func (m Model) hides(name string) bool { return m.Native != "" && name != "native" }
