package config

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// shape is what a struct's tags define for the mapping that it is decoded from.
type shape struct {
	fields []reflect.StructField
	later  []string // names that are known and not supported yet
}

func shapeOf(t reflect.Type) (s shape) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Name == "_" {
			s.later = list(f.Tag, "later")
		} else if f.IsExported() {
			s.fields = append(s.fields, f)
		}
	}
	return s
}

func (s shape) field(name string) *reflect.StructField {
	for i := range s.fields {
		if fieldName(s.fields[i]) == name {
			return &s.fields[i]
		}
	}
	return nil
}

func (s shape) names() []string {
	names := make([]string, len(s.fields))
	for i, f := range s.fields {
		names[i] = fieldName(f)
	}
	return names
}

// fieldName is the field's name in the document.
func fieldName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return cmp.Or(name, f.Name)
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
