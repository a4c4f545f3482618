package policy

import (
	"fmt"
	"strings"
	"testing"
)

func TestProblems(t *testing.T) {
	for _, tt := range []struct {
		source Source
		want   string
	}{
		{Source{}, ""},
		{Source{Merge: []byte(`{}`), Patch: []byte(`[]`), Event: []byte(`[ ]`)}, ""},
		{Source{Merge: []byte(`[`)}, "/request/merge: not JSON: unexpected end of JSON input"},
		{Source{Merge: []byte(`1`)}, "/request/merge: want an object (RFC 7396)"},
		{Source{Merge: []byte(`{"a":{"b":1,"b":2}}`)}, `/request/merge: "b" is given twice`},
		{Source{Merge: []byte(`{"a":` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + `}`)}, "/request/merge: more than 512 arrays and objects within each other"},
		{Source{Patch: []byte(`{}`)}, "/request/patch: want a list of operations (RFC 6902)"},
		{Source{Patch: []byte(`[1]`)}, "/request/patch/0: want an operation: an object with op and path"},
		{Source{Patch: []byte(`[{"path":""}]`)}, "/request/patch/0: op is missing"},
		{Source{Patch: []byte(`[{"op":1}]`)}, "/request/patch/0/op: want a string; quote it"},
		{Source{Patch: []byte(`[{"op":"tets","path":""}]`)}, `/request/patch/0/op: "tets" is not an operation; want test, add, replace, remove, move or copy`},
		{Source{Patch: []byte(`[{"op":"add"}]`)}, "/request/patch/0: path is missing"},
		{Source{Patch: []byte(`[{"op":"add","path":"a","value":1}]`)}, `/request/patch/0/path: want a JSON pointer: empty, or with a / in front of each step, got "a"`},
		{Source{Patch: []byte(`[{"op":"add","path":"/a~2","value":1}]`)}, `/request/patch/0/path: want ~0 for a ~ and ~1 for a / in a step of a JSON pointer, got "/a~2"`},
		{Source{Patch: []byte(`[{"op":"add","path":"/a"}]`)}, "/request/patch/0: add needs a value"},
		{Source{Patch: []byte(`[{"op":"add","path":"/a","value":1,"value":2}]`)}, "/request/patch/0: value is given twice"},
		{Source{Patch: []byte(`[{"op":"remove","path":""}]`)}, "/request/patch/0/path: the whole document cannot be removed"},
		{Source{Patch: []byte(`[{"op":"move","path":"/a"}]`)}, "/request/patch/0: from is missing"},
		{Source{Patch: []byte(`[{"op":"move","path":"/a/b","from":"/a"}]`)}, "/request/patch/0/path: a value cannot be moved into itself"},
		{Source{Patch: []byte(`[{"op":"copy","path":"/a","from":"b"}]`)}, `/request/patch/0/from: want a JSON pointer: empty, or with a / in front of each step, got "b"`},
		{Source{Event: []byte(`[{"op":"test","path":"/a","value":null},{"op":"x"}]`), Merge: []byte(`3`)},
			"/request/merge: want an object (RFC 7396)\n" + `/event/patch/1/op: "x" is not an operation; want test, add, replace, remove, move or copy`},
	} {
		_, problems := Compile(tt.source)
		var got []string
		for _, p := range problems {
			got = append(got, fmt.Sprintf("%s: %s", p.Pointer, p.Message))
		}
		if got := strings.Join(got, "\n"); got != tt.want {
			t.Errorf("got %s\nwant %s", got, tt.want)
		}
	}
}
