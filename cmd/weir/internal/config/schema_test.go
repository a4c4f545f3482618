package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"unicode/utf8"
)

// TestSchemaFile: schema.json, which editors are given, is what the structs say.
func TestSchemaFile(t *testing.T) {
	got := Schema()
	if *update {
		if err := os.WriteFile("schema.json", got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("schema.json is not what the structs say; rewrite it with go test -update and read the difference")
	}
}

// TestSchemaNamesEveryField walks the structs and the schema side by side.
func TestSchemaNamesEveryField(t *testing.T) {
	var walk func(pointer string, typ reflect.Type, s map[string]any)
	walk = func(pointer string, typ reflect.Type, s map[string]any) {
		switch typ.Kind() {
		case reflect.Map:
			walk(pointer+"/*", typ.Elem(), s["additionalProperties"].(map[string]any))
		case reflect.Slice:
			walk(pointer+"/0", typ.Elem(), s["items"].(map[string]any))
		case reflect.Struct:
			if typ == reflect.TypeFor[Status]() || typ == reflect.TypeFor[JSON]() {
				return // it has no fields
			}
			properties := s["properties"].(map[string]any)
			for i := range typ.NumField() {
				f := typ.Field(i)
				if !f.IsExported() {
					continue
				}
				name := f.Tag.Get("json")
				member, ok := properties[name].(map[string]any)
				if !ok {
					t.Errorf("%s has no %q", pointer, name)
					continue
				}
				if doc, _ := member["description"].(string); doc == "" {
					t.Errorf("%s/%s has no description", pointer, name)
				}
				delete(properties, name)
				walk(pointer+"/"+name, f.Type, member)
			}
			if len(properties) > 0 || s["additionalProperties"] != false {
				t.Errorf("%s: got %v more and additionalProperties %v, want none", pointer, sorted(properties), s["additionalProperties"])
			}
		}
	}
	walk("", reflect.TypeFor[Config](), parsedSchema(t))
}

func parsedSchema(t testing.TB) (s map[string]any) {
	t.Helper()
	if err := json.Unmarshal(Schema(), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSchemaTakesExamples: every file that loads satisfies the schema, with its
// defaults filled in too.
func TestSchemaTakesExamples(t *testing.T) {
	setEnvironment(t)
	schema := parsedSchema(t)
	for _, name := range files(t, "testdata/*.yaml") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			for _, d := range []any{documentOf(t, name), loadedDocument(t, name)} {
				if errs := conform("", plain(d), schema); errs != nil {
					t.Errorf("got %q, want it to satisfy the schema", errs)
				}
			}
		})
	}
}

// TestSchemaRefusesLikeLoad: where the schema finds something wrong, Load does
// at the same place.
func TestSchemaRefusesLikeLoad(t *testing.T) {
	setEnvironment(t)
	schema := parsedSchema(t)
	found := 0
	for _, name := range files(t, "testdata/bad/*.yaml") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		d, _ := readYAML(name, text)
		if d.value == nil {
			continue
		}
		_, problems := check(d.value)
		for _, pointer := range conform("", plain(d.value), schema) {
			found++
			if !slices.ContainsFunc(problems, func(p Problem) bool { return p.Pointer == pointer }) {
				t.Errorf("%s: the schema refuses %s, Load does not", name, pointer)
			}
		}
	}
	if found < 50 {
		t.Errorf("the schema found %d mistakes, want 50 at least", found)
	}
}

func documentOf(t *testing.T, name string) any {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	d, problems := readYAML(name, text)
	if problems != nil {
		t.Fatal(problems)
	}
	return d.value
}

// loadedDocument is what a loaded file prints as.
func loadedDocument(t *testing.T, name string) any {
	t.Helper()
	d, problems := readYAML(name, []byte(printed(t, load(t, name))))
	if problems != nil {
		t.Fatal(problems)
	}
	return d.value
}

// plain is a document as encoding/json would have it, without nothings, which
// are as good as not there.
func plain(v any) any {
	switch v := v.(type) {
	case number:
		f, _ := strconv.ParseFloat(string(v), 64)
		return f
	case []any:
		items := make([]any, len(v))
		for i, item := range v {
			items[i] = plain(item)
		}
		return items
	case map[string]any:
		members := map[string]any{}
		for name, value := range v {
			if value != nil {
				members[name] = plain(value)
			}
		}
		return members
	}
	return v
}

// conform is a validator for the part of JSON schema that Schema uses, and
// knows nothing of the structs. It returns the pointers of what is wrong.
func conform(pointer string, v any, schema map[string]any) (wrong []string) {
	if schema["type"] == nil {
		return nil // anything
	}
	if !hasType(v, schema["type"]) {
		return []string{pointer}
	}
	switch v := v.(type) {
	case map[string]any:
		return conformObject(pointer, v, schema)
	case []any:
		for i, item := range v {
			wrong = append(wrong, conform(join(pointer, i), item, schema["items"].(map[string]any))...)
		}
	case string:
		enum, hasEnum := schema["enum"].([]any)
		pattern, hasPattern := schema["pattern"].(string)
		least, _ := schema["minLength"].(float64)
		if hasEnum && !slices.Contains(enum, any(v)) ||
			hasPattern && !regexp.MustCompile(pattern).MatchString(v) || float64(utf8.RuneCountInString(v)) < least {
			return []string{pointer}
		}
	case float64:
		low, hasLow := schema["minimum"].(float64)
		high, hasHigh := schema["maximum"].(float64)
		if hasLow && v < low || hasHigh && v > high {
			return []string{pointer}
		}
	}
	return wrong
}

func conformObject(pointer string, v map[string]any, schema map[string]any) (wrong []string) {
	properties, _ := schema["properties"].(map[string]any)
	more, _ := schema["additionalProperties"].(map[string]any)
	for _, name := range sorted(v) {
		here := join(pointer, name)
		if member, ok := properties[name].(map[string]any); ok {
			wrong = append(wrong, conform(here, v[name], member)...)
		} else if more != nil {
			wrong = append(wrong, conform(here, v[name], more)...)
		} else {
			wrong = append(wrong, here)
		}
	}
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if v[name.(string)] == nil {
			wrong = append(wrong, pointer)
		}
	}
	return wrong
}

func hasType(v any, want any) bool {
	if list, ok := want.([]any); ok {
		return slices.ContainsFunc(list, func(one any) bool { return hasType(v, one) })
	}
	f, isNumber := v.(float64)
	switch want {
	case "integer":
		return isNumber && f == math.Trunc(f)
	case "number":
		return isNumber
	}
	names := map[string]string{"map[string]interface {}": "object", "[]interface {}": "array", "string": "string", "bool": "boolean"}
	return names[fmt.Sprintf("%T", v)] == want
}
