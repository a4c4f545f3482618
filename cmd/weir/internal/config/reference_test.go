package config

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// page is the guide's page with every field, which is generated from the
// structs.
const page = "../../../../docs/guide/configuration.md"

// TestReference: the page is what the structs say, and its example, which has
// every field, is a configuration.
func TestReference(t *testing.T) {
	got := []byte(referencePage(t))
	if *update {
		if err := os.WriteFile(page, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the structs say; rewrite it with go test -update and read the difference", filepath.Base(page))
	}
	setEnvironment(t)
	_, example, _ := strings.Cut(string(want), "```yaml\n")
	example, _, ok := strings.Cut(example, "```\n")
	d, problems := readYAML("example", []byte(example))
	if !ok || problems != nil {
		t.Fatalf("the example cannot be read: %v", problems)
	}
	if _, problems := check(d.value); problems != nil {
		t.Errorf("the example has problems: %v", problems)
	}
	for _, pointer := range everyField(reflect.TypeFor[Config](), "") {
		if !resolves(d.value, pointer) {
			t.Errorf("the example has no %s", pointer)
		}
	}
}

// TestFieldsAreDescribed: each field has a sentence, an example, and a unit if
// it is a number or a name.
func TestFieldsAreDescribed(t *testing.T) {
	var walk func(typ reflect.Type)
	walk = func(typ reflect.Type) {
		for _, f := range shapeOf(typ).fields {
			name := typ.Name() + "." + fieldName(f)
			element := f.Type
			for element.Kind() == reflect.Map || element.Kind() == reflect.Slice {
				element = element.Elem()
			}
			doc := f.Tag.Get("doc")
			if doc == "" || strings.HasSuffix(doc, ".") || strings.ContainsAny(doc, "|\n") {
				t.Errorf("%s: got doc %q, want a sentence without its full stop", name, doc)
			}
			if isSection(element) {
				walk(element)
				continue
			}
			if f.Tag.Get("example") == "" {
				t.Errorf("%s has no example", name)
			}
			switch element.Kind() {
			case reflect.String, reflect.Int, reflect.Float64:
				if f.Tag.Get("unit") == "" && f.Tag.Get("enum") == "" && !isText(element) {
					t.Errorf("%s has no unit", name)
				}
			}
		}
	}
	walk(reflect.TypeFor[Config]())
}

// isText reports whether values of a type are written as a text of their own
// notation.
func isText(typ reflect.Type) bool {
	return slices.Contains([]reflect.Type{reflect.TypeFor[Duration](), reflect.TypeFor[Size](), reflect.TypeFor[Status](), reflect.TypeFor[JSON]()}, typ)
}

// isSection reports whether a type has fields.
func isSection(typ reflect.Type) bool { return typ.Kind() == reflect.Struct && !isText(typ) }

// everyField are pointers to all fields as the example has them.
func everyField(typ reflect.Type, pointer string) (all []string) {
	for _, f := range shapeOf(typ).fields {
		here := join(pointer, fieldName(f))
		switch typ := f.Type; {
		case typ == reflect.TypeFor[string]() && here == "/models/small/native":
			all = append(all, "/models/babble/native") // the other one has targets
		case isSection(typ):
			all = append(all, everyField(typ, here)...)
		case typ.Kind() == reflect.Map && isSection(typ.Elem()):
			all = append(all, everyField(typ.Elem(), join(here, f.Tag.Get("example")))...)
		case typ.Kind() == reflect.Slice && isSection(typ.Elem()):
			all = append(all, everyField(typ.Elem(), join(here, 0))...)
		default:
			all = append(all, here)
		}
	}
	return all
}

const preface = `# Configuration

The gateway is configured by one file in YAML or JSON, ` + "`weir.yaml`" + ` in the current folder unless ` + "`--config`" + ` names another, and by the overlays that ` + "`--overlay`" + ` names: each is a merge patch (RFC 7396) that is applied to what came before it. A field that is not in one of the tables below is an error, and so is a value that does not fit. Every mistake is reported at once, with its file, its line and its JSON pointer.

| command | what it does |
|---|---|
| ` + "`weir serve --check`" + ` | reports every mistake, warns of names that do not resolve, and exits: 0 if there is no mistake, 2 if there is one |
| ` + "`weir serve --print`" + ` | prints the configuration that is in force, with the defaults, and with secrets masked |
| ` + "`weir serve --schema`" + ` | prints the JSON schema, for editors; a comment ` + "`# yaml-language-server: $schema=weir.schema.json`" + ` in the first line makes many of them use it |

| notation | what it is |
|---|---|
| duration | a number with its unit: ` + "`500ms`, `2s`, `1m30s`, `24h`" + ` |
| size | a number with its unit: ` + "`64KiB`, `4MiB`, `1GiB`" + `; in thousands ` + "`kB`, `MB`, `GB`" + `; without one it is bytes |
| ` + "`${NAME}`" + ` | in a string, the value of an environment variable, which must be set; it is not shown by ` + "`--print`" + `. A plain ` + "`${`" + ` is written ` + "`$${`" + ` |

`

// referencePage writes the page.
func referencePage(t *testing.T) string {
	var b strings.Builder
	b.WriteString(preface)
	section(&b, "The whole file", "", reflect.TypeFor[Config](), "")
	b.WriteString("## An example with every field\n\n```yaml\n")
	b.Write(yamlOf(t, example()))
	b.WriteString("```\n")
	return b.String()
}

// section writes the table of a struct, and then those of the structs in it.
func section(b *strings.Builder, title, doc string, typ reflect.Type, path string) {
	fmt.Fprintf(b, "## %s\n\n", title)
	if doc != "" {
		fmt.Fprintf(b, "%s\n\n", sentence(doc))
	}
	defaults := reflect.New(typ).Elem()
	fill(defaults)
	b.WriteString("| field | value | default | what it is | example |\n|---|---|---|---|---|\n")
	for _, f := range shapeOf(typ).fields {
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", fieldName(f), kindOf(f.Type, f.Tag),
			defaultOf(defaults.FieldByIndex(f.Index), f), sentence(f.Tag.Get("doc")), code(shownExample(f)))
	}
	b.WriteByte('\n')
	for _, f := range shapeOf(typ).fields {
		inner, name := f.Type, path+fieldName(f)
		switch inner.Kind() {
		case reflect.Map:
			inner, name = inner.Elem(), name+".NAME"
		case reflect.Slice:
			inner, name = inner.Elem(), name+"[]"
		}
		if isSection(inner) {
			section(b, "`"+name+"`", f.Tag.Get("doc"), inner, name+".")
		}
	}
}

// kindOf says what a field may hold.
func kindOf(typ reflect.Type, tag reflect.StructTag) string {
	unit := tag.Get("unit")
	switch {
	case typ == reflect.TypeFor[Duration]():
		return within("duration", tag)
	case typ == reflect.TypeFor[Size]():
		return within("size", tag)
	case typ == reflect.TypeFor[Status]():
		return "status or range"
	case typ == reflect.TypeFor[JSON]():
		return map[string]string{"merge": "merge patch", "operations": "list of operations"}[tag.Get("of")]
	case isSection(typ):
		return "mapping, below"
	case typ.Kind() == reflect.Map && isSection(typ.Elem()):
		return "mapping of names, below"
	case typ.Kind() == reflect.Map:
		return "mapping of names to texts"
	case typ.Kind() == reflect.Slice && isSection(typ.Elem()):
		return "list of mappings, below"
	case typ.Kind() == reflect.Slice:
		return "list: " + kindOf(typ.Elem(), tag)
	case list(tag, "enum") != nil:
		return "`" + strings.Join(list(tag, "enum"), "`, `") + "`"
	case typ.Kind() == reflect.Bool:
		return "`true`, `false`"
	case typ.Kind() == reflect.Int:
		return within("number of "+unit, tag)
	case typ.Kind() == reflect.Float64:
		return within(unit, tag)
	}
	return unit
}

func within(kind string, tag reflect.StructTag) string {
	if low, high := tag.Get("min"), tag.Get("max"); low != "" && high != "" {
		return kind + ", " + low + " to " + high
	}
	return kind
}

func defaultOf(v reflect.Value, f reflect.StructField) string {
	switch {
	case f.Tag.Get("need") != "":
		return "needed"
	case isSection(f.Type):
		return ""
	case f.Type == reflect.TypeFor[JSON]():
		return "none"
	case v.Kind() == reflect.Slice || v.Kind() == reflect.Map || v.Kind() == reflect.String:
		if v.Len() == 0 {
			return "none"
		}
	}
	if v.Kind() == reflect.Slice {
		items := make([]string, v.Len())
		for i := range items {
			items[i] = fmt.Sprint(v.Index(i).Interface())
		}
		return code("[" + strings.Join(items, ", ") + "]")
	}
	return code(fmt.Sprint(v.Interface()))
}

func shownExample(f reflect.StructField) string {
	inner := f.Type
	if inner.Kind() == reflect.Map || inner.Kind() == reflect.Slice {
		inner = inner.Elem()
	}
	if isSection(inner) {
		return ""
	}
	return f.Tag.Get("example")
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

// sentence makes one of a doc tag.
func sentence(doc string) string {
	first, size := utf8.DecodeRuneInString(doc)
	return string(unicode.ToUpper(first)) + doc[size:] + "."
}

// example is a configuration that has every field.
func example() any {
	rest, _ := readYAML("", []byte("models: {small: {native: null}, big: {targets: [{upstream: vllm-a}]}, babble: {native: demo/babble}}"))
	return mergePatch(exampleIn(reflect.TypeFor[Config]()), rest.value)
}

func exampleIn(typ reflect.Type) map[string]any {
	members := map[string]any{}
	for _, f := range shapeOf(typ).fields {
		var v any
		switch typ := f.Type; {
		case isSection(typ):
			v = exampleIn(typ)
		case typ.Kind() == reflect.Map && isSection(typ.Elem()):
			v = map[string]any{f.Tag.Get("example"): exampleIn(typ.Elem())}
		case typ.Kind() == reflect.Slice && isSection(typ.Elem()):
			v = []any{exampleIn(typ.Elem())}
		default:
			v = exampleOf(f.Tag)
		}
		members[fieldName(f)] = v
	}
	return members
}

// yamlOf writes a document in the order of the structs' fields.
func yamlOf(t *testing.T, doc any) []byte {
	t.Helper()
	setEnvironment(t)
	c, problems := check(doc.(map[string]any))
	if problems != nil {
		t.Fatal(problems)
	}
	return c.YAML()
}
