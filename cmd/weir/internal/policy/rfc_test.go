package policy

import (
	"encoding/json"
	"reflect"
	"testing"
)

// compiled is a JSON Patch that must compile.
func compiled(t testing.TB, patch string) *Patch {
	t.Helper()
	p, problems := Compile(Source{Patch: []byte(patch)})
	if problems != nil {
		t.Fatalf("%s does not compile: %v", patch, problems)
	}
	return p.Request
}

// merged is a merge patch that must compile.
func merged(t testing.TB, merge string) *Patch {
	t.Helper()
	p, problems := Compile(Source{Merge: []byte(merge)})
	if problems != nil {
		t.Fatalf("%s does not compile: %v", merge, problems)
	}
	return p.Request
}

// same reports whether two texts are the same JSON value.
func same(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

// RFC 6902, appendix A. A result of "" is an error.
func TestAppendixOfRFC6902(t *testing.T) {
	for _, tt := range []struct{ name, doc, patch, want string }{
		{"A.1 adding an object member", `{"foo":"bar"}`, `[{"op":"add","path":"/baz","value":"qux"}]`, `{"baz":"qux","foo":"bar"}`},
		{"A.2 adding an array element", `{"foo":["bar","baz"]}`, `[{"op":"add","path":"/foo/1","value":"qux"}]`, `{"foo":["bar","qux","baz"]}`},
		{"A.3 removing an object member", `{"baz":"qux","foo":"bar"}`, `[{"op":"remove","path":"/baz"}]`, `{"foo":"bar"}`},
		{"A.4 removing an array element", `{"foo":["bar","qux","baz"]}`, `[{"op":"remove","path":"/foo/1"}]`, `{"foo":["bar","baz"]}`},
		{"A.5 replacing a value", `{"baz":"qux","foo":"bar"}`, `[{"op":"replace","path":"/baz","value":"boo"}]`, `{"baz":"boo","foo":"bar"}`},
		{"A.6 moving a value", `{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}`, `[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]`, `{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}`},
		{"A.7 moving an array element", `{"foo":["all","grass","cows","eat"]}`, `[{"op":"move","from":"/foo/1","path":"/foo/3"}]`, `{"foo":["all","cows","eat","grass"]}`},
		{"A.8 testing a value: success", `{"baz":"qux","foo":["a",2,"c"]}`, `[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}]`, `{"baz":"qux","foo":["a",2,"c"]}`},
		{"A.9 testing a value: error", `{"baz":"qux"}`, `[{"op":"test","path":"/baz","value":"bar"}]`, ``},
		{"A.10 adding a nested member object", `{"foo":"bar"}`, `[{"op":"add","path":"/child","value":{"grandchild":{}}}]`, `{"foo":"bar","child":{"grandchild":{}}}`},
		{"A.11 ignoring unrecognized elements", `{"foo":"bar"}`, `[{"op":"add","path":"/baz","value":"qux","xyz":123}]`, `{"foo":"bar","baz":"qux"}`},
		{"A.12 adding to a nonexistent target", `{"foo":"bar"}`, `[{"op":"add","path":"/baz/bat","value":"qux"}]`, ``},
		{"A.14 ~ escape ordering", `{"/":9,"~1":10}`, `[{"op":"test","path":"/~01","value":10}]`, `{"/":9,"~1":10}`},
		{"A.15 comparing strings and numbers", `{"/":9,"~1":10}`, `[{"op":"test","path":"/~01","value":"10"}]`, ``},
		{"A.16 adding an array value", `{"foo":["bar"]}`, `[{"op":"add","path":"/foo/-","value":["abc","def"]}]`, `{"foo":["bar",["abc","def"]]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := new(Editor).Apply(compiled(t, tt.patch), []byte(tt.doc))
			if (err != nil) != (tt.want == "") {
				t.Fatalf("got error %v, want %q", err, tt.want)
			}
			if err != nil {
				if string(got) != tt.doc {
					t.Errorf("got %s in place of the document of a failed patch", got)
				}
				return
			}
			if !same(string(got), tt.want) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// A.13, an operation with two members op, is refused when it is compiled.
func TestInvalidPatchOfRFC6902(t *testing.T) {
	_, problems := Compile(Source{Patch: []byte(`[{"op":"add","path":"/baz","value":"qux","op":"remove"}]`)})
	if len(problems) != 1 || problems[0] != (Problem{"/request/patch/0", "op is given twice"}) {
		t.Errorf("got %v, want one problem with op", problems)
	}
}

// RFC 7396, appendix A. The cases whose patch is not an object are not merges that a
// configuration may have.
func TestAppendixOfRFC7396(t *testing.T) {
	for _, tt := range []struct{ doc, merge, want string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`["a","b"]`, `["c","d"]`, ``},
		{`{"a":"b"}`, `["c"]`, ``},
		{`{"a":"foo"}`, `null`, ``},
		{`{"a":"foo"}`, `"bar"`, ``},
		{`{"e":null}`, `{"a":1}`, `{"e":null,"a":1}`},
		{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		if tt.want == "" {
			want := Problem{"/request/merge", "want an object (RFC 7396)"}
			if _, problems := Compile(Source{Merge: []byte(tt.merge)}); len(problems) != 1 || problems[0] != want {
				t.Errorf("%s: got %v, want %v", tt.merge, problems, want)
			}
			continue
		}
		got, err := new(Editor).Apply(merged(t, tt.merge), []byte(tt.doc))
		if err != nil || !same(string(got), tt.want) {
			t.Errorf("%s with %s: got %s, %v, want %s", tt.doc, tt.merge, got, err, tt.want)
		}
	}
}
