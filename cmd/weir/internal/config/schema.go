package config

import (
	"encoding/json"
	"maps"
	"reflect"
	"strconv"
)

// The notations of Duration, Size and Status, for the schema. Their bounds
// cannot be expressed there. What the environment brings is not known there.
const (
	variable        = `\$\{[A-Za-z_]`
	durationPattern = `^([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*$|^\+?0$|` + variable
	statusPattern   = `^[45][0-9][0-9](-[45][0-9][0-9])?$|` + variable
	sizePattern     = `^[0-9]+(B|KiB|MiB|GiB|kB|KB|MB|GB)?$|` + variable
)

// Schema is the JSON schema (2020-12) of a configuration, generated from the
// structs. Load also refuses a document that it refuses; only [Load] checks
// what concerns more than one field.
func Schema() []byte {
	var c Config
	v := reflect.ValueOf(&c).Elem()
	fill(v)
	s := schemaOf(v, "")
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "weir.yaml"
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic("config: " + err.Error()) // it is made of maps, strings and numbers
	}
	return append(text, '\n')
}

// schemaOf is the schema of a value like v, which has its defaults. tag is that
// of the field it belongs to.
func schemaOf(v reflect.Value, tag reflect.StructTag) map[string]any {
	switch v.Interface().(type) {
	case JSON:
		return jsonSchemas[tag.Get("of")]()
	case Duration:
		return map[string]any{"type": []string{"string", "integer"}, "pattern": durationPattern, "minimum": 0, "maximum": 0}
	case Status:
		return map[string]any{"type": []string{"string", "integer"}, "pattern": statusPattern, "minimum": 400, "maximum": 599}
	case Size:
		return map[string]any{"type": []string{"string", "integer"}, "pattern": sizePattern, "minimum": 0}
	}
	switch v.Kind() {
	case reflect.Struct:
		return structSchema(v)
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": elementSchema(v.Type(), tag)}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": elementSchema(v.Type(), tag)}
	case reflect.String:
		return stringSchema(tag)
	case reflect.Bool:
		return orVariable("boolean")
	case reflect.Int:
		return bounded(orVariable("integer"), tag)
	case reflect.Float64:
		return bounded(orVariable("number"), tag)
	}
	panic("config: no schema for " + v.Type().String())
}

// orVariable is a value of a type, or what the environment makes one.
func orVariable(kind string) map[string]any {
	return map[string]any{"type": []string{kind, "string"}, "pattern": variable}
}

func elementSchema(t reflect.Type, tag reflect.StructTag) map[string]any {
	element := reflect.New(t.Elem()).Elem()
	fill(element)
	return schemaOf(element, elementTag(tag))
}

func structSchema(v reflect.Value) map[string]any {
	properties, required := map[string]any{}, []string{}
	for _, f := range shapeOf(v.Type()).fields {
		field := v.FieldByIndex(f.Index)
		s := schemaOf(field, f.Tag)
		maps.Copy(s, about(field, f.Tag))
		properties[fieldName(f)] = s
		if f.Tag.Get("need") != "" {
			required = append(required, fieldName(f))
		}
	}
	s := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// about adds to a field's schema what is not about its values.
func about(v reflect.Value, tag reflect.StructTag) map[string]any {
	s := map[string]any{"description": tag.Get("doc")}
	if v.Kind() != reflect.Struct && !v.IsZero() {
		s["default"] = v.Interface()
	}
	if v.Kind() != reflect.Map || v.Type().Elem().Kind() != reflect.Struct { // there it is a name
		if example := exampleOf(tag); example != nil {
			s["examples"] = []any{example}
		}
	}
	return s
}

// exampleOf is the value of an example tag, nil without one.
func exampleOf(tag reflect.StructTag) any {
	text := tag.Get("example")
	if text == "" {
		return nil
	}
	d, problems := readYAML("", []byte("example: "+text))
	if problems != nil {
		panic("config: tag example:\"" + text + "\": " + problems.Error())
	}
	return d.value["example"]
}

func stringSchema(tag reflect.StructTag) map[string]any {
	s := map[string]any{"type": "string"}
	if enum := list(tag, "enum"); enum != nil {
		s["enum"] = enum
	}
	if tag.Get("need") != "" {
		s["minLength"] = 1
	}
	return s
}

func bounded(s map[string]any, tag reflect.StructTag) map[string]any {
	for key, name := range map[string]string{"min": "minimum", "max": "maximum"} {
		if n, err := strconv.ParseFloat(tag.Get(key), 64); err == nil {
			s[name] = n
		}
	}
	return s
}
