package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// What changes is a range of bytes, and nothing else does.
func TestBytes(t *testing.T) {
	for _, tt := range []struct{ name, doc, patch, want, edits string }{
		{"replace", `{ "b":1 ,"a" : "x" }`, `[{"op":"replace","path":"/a","value":"yy"}]`, `{ "b":1 ,"a" : "yy" }`, "15-18"},
		{"replace by the same", `{"a":"x"}`, `[{"op":"replace","path":"/a","value":"x"}]`, `{"a":"x"}`, ""},
		{"spelling stays", `{"n":1.0e0,"s":"\u00e9\ud800","a":1}`, `[{"op":"replace","path":"/a","value":2}]`, `{"n":1.0e0,"s":"\u00e9\ud800","a":2}`, "34-35"},
		{"spelling is the configuration's", `{"a":1}`, `[{"op":"replace","path":"/a","value":"\u00e9<"}]`, `{"a":"\u00e9<"}`, "5-6"},
		{"add a member", `{"b":1 }`, `[{"op":"add","path":"/a","value":2}]`, `{"b":1,"a":2 }`, "6-6"},
		{"add the first member", `{ }`, `[{"op":"add","path":"/a<\"é","value":2}]`, `{"a<\"é":2 }`, "1-1"},
		{"add an existing member", `{"a":1}`, `[{"op":"add","path":"/a","value":2}]`, `{"a":2}`, "5-6"},
		{"add an element in front", `[ 1, 2 ]`, `[{"op":"add","path":"/0","value":0}]`, `[ 0,1, 2 ]`, "2-2"},
		{"add an element behind", `[ 1, 2 ]`, `[{"op":"add","path":"/2","value":3}]`, `[ 1, 2,3 ]`, "6-6"},
		{"add an element at -", `[[]]`, `[{"op":"add","path":"/0/-","value":3}]`, `[[3]]`, "2-2"},
		{"remove the first member", `{ "a":1 , "b":2 }`, `[{"op":"remove","path":"/a"}]`, `{ "b":2 }`, "2-10"},
		{"remove the last member", `{ "a":1 , "b":2 }`, `[{"op":"remove","path":"/b"}]`, `{ "a":1  }`, "8-15"},
		{"remove the only member", `{ "a":1 }`, `[{"op":"remove","path":"/a"}]`, `{  }`, "2-7"},
		{"remove an element between", `[1, 2, 3]`, `[{"op":"remove","path":"/1"}]`, `[1, 3]`, "2-5"},
		{"the whole", ` {"a":1} `, `[{"op":"replace","path":"","value":[]}]`, ` [] `, "1-8"},
		{"two far apart", `{"a":1,"b":2,"c":3}`, `[{"op":"replace","path":"/c","value":33},{"op":"replace","path":"/a","value":11}]`, `{"a":11,"b":2,"c":33}`, "5-6 17-18"},
		{"one over another", `{"a":{"b":1,"c":2}}`, `[{"op":"replace","path":"/a/b","value":100},{"op":"remove","path":"/a"}]`, `{}`, "1-18"},
		{"one inside another", `{"a":1}`, `[{"op":"add","path":"/b","value":[1,2]},{"op":"remove","path":"/b/0"}]`, `{"a":1,"b":[2]}`, "6-6"},
		{"move", `{"a": {"x" : 1.0}, "b":{}}`, `[{"op":"move","from":"/a/x","path":"/b/y"}]`, `{"a": {}, "b":{"y":1.0}}`, "7-16 24-24"},
		{"move in an array", `[1, 2, 3]`, `[{"op":"move","from":"/0","path":"/2"}]`, `[2, 3,1]`, "1-4 8-8"},
		{"move to itself", `{"a":1}`, `[{"op":"move","from":"/a","path":"/a"}]`, `{"a":1}`, ""},
		{"copy", `{"a": [1 , 2]}`, `[{"op":"copy","from":"/a","path":"/b"}]`, `{"a": [1 , 2],"b":[1 , 2]}`, "13-13"},
		{"copy into itself", `{"a":{}}`, `[{"op":"copy","from":"/a","path":"/a/a"}]`, `{"a":{"a":{}}}`, "6-6"},
		{"copy over the whole", `{"a":{"b":1}}`, `[{"op":"copy","from":"/a","path":""}]`, `{"b":1}`, "0-13"},
		{"a byte order mark", "\uFEFF{}", `[{"op":"add","path":"/a","value":1}]`, "\uFEFF{\"a\":1}", "4-4"},
		{"escaped names", `{"\u0061\/":1}`, `[{"op":"replace","path":"/a~1","value":2}]`, `{"\u0061\/":2}`, "12-13"},
		{"surrogate pairs", `{"\uD83D\uDE00":1}`, `[{"op":"replace","path":"/😀","value":2}]`, `{"\uD83D\uDE00":2}`, "16-17"},
		{"not UTF-8", "{\"\xff\":\"\xc3\",\"a\":1}", `[{"op":"replace","path":"/a","value":2}]`, "{\"\xff\":\"\xc3\",\"a\":2}", "13-14"},
		{"names beside the path twice", `{"x":1,"x":2,"a":{"y":1,"y":2}}`, `[{"op":"add","path":"/b","value":2}]`, `{"x":1,"x":2,"a":{"y":1,"y":2},"b":2}`, "30-30"},
		{"an empty name", `{"":{"":1}}`, `[{"op":"replace","path":"//","value":2}]`, `{"":{"":2}}`, "8-9"},
		{"a member that looks like an index", `{"0":1,"-":2}`, `[{"op":"replace","path":"/0","value":3},{"op":"remove","path":"/-"}]`, `{"0":3}`, "5-12"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var e Editor
			doc := []byte(tt.doc)
			got, err := e.Apply(compiled(t, tt.patch), doc)
			if err != nil || string(got) != tt.want {
				t.Fatalf("got %s, %v, want %s", got, err, tt.want)
			}
			if string(doc) != tt.doc {
				t.Errorf("the document was changed to %s", doc)
			}
			var edits []string
			for _, d := range e.Edits() {
				edits = append(edits, fmt.Sprintf("%d-%d", d.From, d.To))
			}
			if got := strings.Join(edits, " "); got != tt.edits {
				t.Errorf("got edits %s, want %s", got, tt.edits)
			}
			outside(t, doc, got, e.Edits())
		})
	}
}

// outside checks that a text and the result differ in the edits only.
func outside(t testing.TB, text, result []byte, edits []Edit) {
	t.Helper()
	at, newAt := 0, 0
	for _, d := range append(edits, Edit{len(text), len(text), len(result), len(result)}) {
		if d.From < at || d.To < d.From || d.NewFrom < newAt || d.NewTo < d.NewFrom {
			t.Fatalf("edits %v of %d bytes into %d are out of order", edits, len(text), len(result))
		}
		if !bytes.Equal(text[at:d.From], result[newAt:d.NewFrom]) {
			t.Fatalf("got %q between the edits, want %q", result[newAt:d.NewFrom], text[at:d.From])
		}
		at, newAt = d.To, d.NewTo
	}
}

func TestFailures(t *testing.T) {
	for _, tt := range []struct{ name, doc, patch, want string }{
		{"test", `{"a":1}`, `[{"op":"test","path":"/a","value":1},{"op":"test","path":"/a","value":2}]`, "policy: patch[1]: test /a: the value is different"},
		{"test of nothing", `{"a":1}`, `[{"op":"test","path":"/b","value":null}]`, "policy: patch[0]: test /b: there is no such value"},
		{"replace nothing", `{"a":1}`, `[{"op":"replace","path":"/b","value":1}]`, "policy: patch[0]: replace /b: there is no such value"},
		{"remove nothing", `{"a":[1]}`, `[{"op":"remove","path":"/a/1"}]`, "policy: patch[0]: remove /a/1: there is no such value"},
		{"remove at -", `{"a":[1]}`, `[{"op":"remove","path":"/a/-"}]`, "policy: patch[0]: remove /a/-: there is no such value"},
		{"an index with zeros", `[1,2]`, `[{"op":"remove","path":"/01"}]`, "policy: patch[0]: remove /01: there is no such value"},
		{"an index beyond", `[1,2]`, `[{"op":"add","path":"/3","value":1}]`, "policy: patch[0]: add /3: there is no such value"},
		{"a negative index", `[1,2]`, `[{"op":"add","path":"/-1","value":1}]`, "policy: patch[0]: add /-1: there is no such value"},
		{"below a scalar", `{"a":1}`, `[{"op":"add","path":"/a/b","value":1}]`, "policy: patch[0]: add /a/b: there is no such value"},
		{"below nothing", `{"a":{}}`, `[{"op":"add","path":"/a/b/c","value":1}]`, "policy: patch[0]: add /a/b/c: there is no such value"},
		{"move nothing", `{}`, `[{"op":"move","from":"/a","path":"/b"}]`, "policy: patch[0]: move /a: there is no such value"},
		{"move below nothing", `{"a":1}`, `[{"op":"move","from":"/a","path":"/b/c"}]`, "policy: patch[0]: move /b/c: there is no such value"},
		{"a name twice", `{"a":1,"\u0061":2}`, `[{"op":"replace","path":"/a","value":3}]`, "policy: patch[0]: replace /a: an object on the path has two members of that name"},
		{"a name on the way twice", `{"a":{"b":1},"a":{}}`, `[{"op":"add","path":"/a/b","value":3}]`, "policy: patch[0]: add /a/b: an object on the path has two members of that name"},
		{"a name in another case", `{"A":1}`, `[{"op":"add","path":"/a","value":3}]`, "policy: patch[0]: add /a: an object on the path has a member of that name in another case"},
		{"and in its own", `{"a":1,"A":2}`, `[{"op":"remove","path":"/a"}]`, "policy: patch[0]: remove /a: an object on the path has a member of that name in another case"},
		{"on the way", `{"A":{"b":1}}`, `[{"op":"replace","path":"/a/b","value":3}]`, "policy: patch[0]: replace /a/b: an object on the path has a member of that name in another case"},
		{"below", `{"a":{"B":1}}`, `[{"op":"replace","path":"/a/b","value":3}]`, "policy: patch[0]: replace /a/b: an object on the path has a member of that name in another case"},
		{"with escapes", `{"\u0041\u0042":1}`, `[{"op":"test","path":"/ab","value":1}]`, "policy: patch[0]: test /ab: an object on the path has a member of that name in another case"},
		{"a long s", `{"\u017ftop":1,"stop":2}`, `[{"op":"replace","path":"/stop","value":3}]`, "policy: patch[0]: replace /stop: an object on the path has a member of that name in another case"},
		{"the Kelvin sign", `{"top_\u212A":1}`, `[{"op":"add","path":"/top_k","value":3}]`, "policy: patch[0]: add /top_k: an object on the path has a member of that name in another case"},
		{"moved from there", `{"A":1}`, `[{"op":"move","from":"/a","path":"/b"}]`, "policy: patch[0]: move /a: an object on the path has a member of that name in another case"},
		{"the whole", `[]`, `[{"op":"test","path":"","value":{}}]`, `policy: patch[0]: test "": the value is different`},
	} {
		got, err := new(Editor).Apply(compiled(t, tt.patch), []byte(tt.doc))
		var failure *Failure
		if !errors.As(err, &failure) || err.Error() != tt.want || string(got) != tt.doc {
			t.Errorf("%s: got %s, %v, want %s", tt.name, got, err, tt.want)
		}
	}
}

// Names in another case count in requests alone, and only where an operation
// looks for them: encoding/json, with which servers in Go read requests, takes
// one for the other.
func TestCase(t *testing.T) {
	p, problems := Compile(Source{
		Merge: []byte(`{"max_tokens":null,"options":{"num_predict":9}}`), Event: []byte(`[{"op":"add","path":"/model","value":"small"}]`),
	})
	if problems != nil {
		t.Fatal(problems)
	}
	for doc, want := range map[string]string{
		`{"Metadata":{"a":1,"A":2},"options":{}}`: `{"Metadata":{"a":1,"A":2},"options":{"num_predict":9}}`,
		`{"MAX_TOKENS":1,"options":{}}`:           "policy: merge: /max_tokens: " + ErrCase.Error(),
		`{"Options":{"num_predict":99}}`:          "policy: merge: /options/num_predict: " + ErrCase.Error(),
		`{"options":{"Num_Predict":99}}`:          "policy: merge: /options/num_predict: " + ErrCase.Error(),
	} {
		var read struct {
			MaxTokens int `json:"max_tokens"`
			Options   struct {
				NumPredict int `json:"num_predict"`
			}
		}
		got, err := new(Editor).Apply(p.Request, []byte(doc))
		if err != nil {
			got = []byte(err.Error())
		} else if json.Unmarshal(got, &read) != nil || read.MaxTokens != 0 || read.Options.NumPredict != 9 {
			t.Errorf("%s became %s, which Go reads as %+v", doc, got, read)
		}
		if string(got) != want {
			t.Errorf("%s became %s, want %s", doc, got, want)
		}
	}
	if got, err := new(Editor).Apply(p.Event, []byte(`{"Model":"m"}`)); err != nil || string(got) != `{"Model":"m","model":"small"}` {
		t.Errorf("got %s, %v for an event", got, err)
	}
}

// What is not JSON is refused whole, also behind the place of the path.
func TestGarbage(t *testing.T) {
	deep := func(n int) string { return `{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}` }
	for doc, want := range map[string]error{
		"": ErrSyntax, " ": ErrSyntax, "[DONE]": ErrSyntax, "{": ErrSyntax, `{"a"`: ErrSyntax, `{"a":`: ErrSyntax, `{"a":1`: ErrSyntax,
		`{"a":1,}`: ErrSyntax, `{"a":1}}`: ErrSyntax, `{"a":1} x`: ErrSyntax, `{"a":01}`: ErrSyntax, `{"a":1.}`: ErrSyntax, `{"a":.1}`: ErrSyntax,
		`{"a":-}`: ErrSyntax, `{"a":1e}`: ErrSyntax, `{"a":+1}`: ErrSyntax, `{"a":tru}`: ErrSyntax, `{"a":NaN}`: ErrSyntax, `{'a':1}`: ErrSyntax,
		`{a:1}`: ErrSyntax, `{"a":"\x"}`: ErrSyntax, `{"a":"\u12g4"}`: ErrSyntax, `{"a":"\u12"}`: ErrSyntax, "{\"a\":\"\n\"}": ErrSyntax,
		"{\"a\":\"1234567\x00\"}": ErrSyntax, `{"a":1]`: ErrSyntax, `[1}`: ErrSyntax, `{"a":1 "b":2}`: ErrSyntax, `{"a":1,"b":[1 2]}`: ErrSyntax,
		`{"a":1,"b":[,]}`: ErrSyntax, `{,}`: ErrSyntax, "\xff\xfe{\x00}\x00": ErrSyntax, "\uFEFF\uFEFF{\"a\":1}": ErrSyntax, `{"a":1}//`: ErrSyntax,
		deep(MaxDepth - 1): nil, deep(MaxDepth): ErrDepth, `{"a":` + strings.Repeat("[", 1e6): ErrDepth,
	} {
		p := compiled(t, `[{"op":"replace","path":"/a","value":1}]`)
		got, err := new(Editor).Apply(p, []byte(doc))
		if err != want || err != nil && string(got) != doc {
			t.Errorf("%.40s: got %.40s, %v, want %v", doc, got, err, want)
		}
	}
}

func TestLimit(t *testing.T) {
	e := Editor{Limit: 10}
	p := compiled(t, `[{"op":"add","path":"/a","value":111}]`)
	for doc, want := range map[string]error{`{}`: nil, `{ }`: nil, `{  }`: ErrSize, `{         }`: ErrSize} {
		if got, err := e.Apply(p, []byte(doc)); err != want {
			t.Errorf("%s: got %s, %v, want %v", doc, got, err, want)
		}
	}
	doubling := compiled(t, `[`+strings.Repeat(`{"op":"copy","from":"","path":"/a"},`, 100)+`{"op":"test","path":"","value":1}]`)
	e.Limit = 1 << 20
	if _, err := e.Apply(doubling, []byte(`{}`)); err != ErrSize && !errors.Is(err, ErrTest) {
		t.Errorf("copies of copies: got %v, want %v or %v", err, ErrSize, ErrTest)
	}
}

// A test compares values, not their spelling.
func TestEquality(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{`1`, `1.0`, true}, {`1`, `10e-1`, true}, {`0`, `-0.0e9`, true}, {`100`, `1E+2`, true}, {`0.001`, `1e-3`, true}, {`1`, `-1`, false},
		{`9007199254740993`, `9007199254740992`, false}, {`1e400`, `10e399`, true}, {`1e99999999999999999999`, `1e99999999999999999998`, true},
		{`1e-400`, `0`, false}, {`12.50`, `12.5`, true}, {`12.05`, `12.5`, false}, {`1`, `true`, false}, {`1`, `"1"`, false}, {`null`, `null`, true},
		{`"a"`, `"\u0061"`, true}, {`"\/"`, `"/"`, true}, {`"\ud83d\ude00"`, `"😀"`, true}, {`"\ud83d"`, `"\ud83d"`, true}, {`"\ud83d"`, `"\ud83e"`, false},
		{`"\ud83d"`, `"\ufffd"`, false}, {`""`, `" "`, false}, {`"\\u0061"`, `"a"`, false}, {`"\b\f\n\r\t\"\\"`, `"\u0008\u000c\u000a\u000D\u0009\u0022\u005c"`, true},
		{`[1,[2]]`, `[ 1.0 , [2] ]`, true}, {`[null]`, `[null]`, true}, {`[1,2]`, `[2,1]`, false}, {`[1]`, `[1,1]`, false}, {`[]`, `{}`, false},
		{`{"a":1,"b":[{}]}`, `{ "b":[{ }], "\u0061":1 }`, true}, {`{"a":1}`, `{"a":1,"b":1}`, false}, {`{"a":1}`, `{"a":2}`, false},
		{`{"a":1,"b":1}`, `{"a":1,"a":1}`, false}, {`{"a":null}`, `{"b":null}`, false}, {`true`, `false`, false},
	} {
		for _, pair := range [][2]string{{tt.a, tt.b}, {tt.b, tt.a}} {
			if strings.Count(pair[0], `"a"`) == 2 {
				continue // a configuration has no such value
			}
			_, err := new(Editor).Apply(compiled(t, `[{"op":"test","path":"/x","value":`+pair[0]+`}]`), []byte(`{"x":`+pair[1]+`}`))
			if (err == nil) != tt.want {
				t.Errorf("%s is %s: got %v, want %v", pair[0], pair[1], err, tt.want)
			}
		}
	}
}

func TestMerge(t *testing.T) {
	for _, tt := range []struct{ name, doc, merge, want string }{
		{"a default is no default: it replaces", `{"temperature":1}`, `{"temperature":0.70}`, `{"temperature":0.70}`},
		{"what is there already", `{ "a" : 1 }`, `{"a":1}`, `{ "a" : 1 }`},
		{"behind the last member", `{"model":"m", "n":1.0 }`, `{"t":0.7,"u":[ 1, null ]}`, `{"model":"m", "n":1.0,"t":0.7,"u":[1,null] }`},
		{"into an object", `{"o":{"x":1}}`, `{"o":{"y":2,"z":null}}`, `{"o":{"x":1,"y":2}}`},
		{"no object there", `{}`, `{"o":{"y":2,"z":null,"p":{"q":null}}}`, `{"o":{"y":2,"p":{}}}`},
		{"an array there", `{"o":[{"y":1}]}`, `{"o":{"y":2}}`, `{"o":{"y":2}}`},
		{"null there", `{"o":null}`, `{"o":{"y":null}}`, `{"o":{}}`},
		{"an empty object stays", `{"o":{"x":1}}`, `{"o":{}}`, `{"o":{"x":1}}`},
		{"an empty object is made", `{"o":1}`, `{"o":{}}`, `{"o":{}}`},
		{"members of arrays keep null", `{}`, `{"a":[{"b":null}]}`, `{"a":[{"b":null}]}`},
		{"a name like an index", `{"a":[1,2]}`, `{"a":{"0":3}}`, `{"a":{"0":3}}`},
	} {
		var e Editor
		got, err := e.Apply(merged(t, tt.merge), []byte(tt.doc))
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: got %s, %v, want %s", tt.name, got, err, tt.want)
		}
		outside(t, []byte(tt.doc), got, e.Edits())
	}
	_, err := new(Editor).Apply(merged(t, `{"o":{"a~b":1}}`), []byte(`{"o":1,"o":2}`))
	if want := "policy: merge: /o/a~0b: an object on the path has two members of that name"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A merge patch comes first, and a JSON Patch sees what it made.
func TestMergeThenPatch(t *testing.T) {
	p, problems := Compile(Source{
		Merge: []byte(`{"temperature": 0.7}`),
		Patch: []byte(`[{"op":"test","path":"/temperature","value":0.70},{"op":"remove","path":"/temperature"}]`),
	})
	if problems != nil {
		t.Fatal(problems)
	}
	var e Editor
	if got, err := e.Apply(p.Request, []byte(`{"a":1}`)); err != nil || string(got) != `{"a":1}` {
		t.Errorf("got %s, %v, want the document as it was", got, err)
	}
	if p.Event != nil {
		t.Error("got a patch for events out of nothing")
	}
}
