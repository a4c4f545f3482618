package policy

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// What is read as JSON is what encoding/json takes for that.
func FuzzSyntax(f *testing.F) {
	for i := range uint64(50) {
		f.Add([]byte(randomOf(i).document()))
	}
	for _, s := range []string{"", "[1,]", `{"a":01}`, `"\ud800"`, "\"\xff\"", "{\"\":\"\u2028\"}", "-", "1e", "\"12345678", "[[[[]]]]", "nul", "\"\x1f\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		_, err := locate(doc, 0, nil, false)
		if err == ErrDepth {
			return
		}
		if got, want := err == nil, json.Valid(doc); got != want {
			t.Errorf("%q: got %v, want %v", doc, got, want)
		}
	})
}

// A patch does to a document what it does in the library, changes nothing but
// what it declares, and leaves JSON.
func FuzzPatch(f *testing.F) {
	for i := range uint64(200) {
		r := randomOf(i)
		doc := r.document()
		f.Add([]byte(doc), r.operations(doc))
	}
	f.Add([]byte("\uFEFF{\"a\":1,\"a\":2}"), `[{"op":"add","path":"/b","value":"\u00e9"}]`)
	f.Fuzz(func(t *testing.T, doc []byte, patch string) {
		p, problems := Compile(Source{Patch: []byte(patch)})
		if problems != nil || p.Request == nil {
			return
		}
		e := Editor{Limit: 1 << 20}
		got, err := e.Apply(p.Request, doc)
		outside(t, doc, got, e.Edits())
		if err != nil {
			if !bytes.Equal(got, doc) || len(e.Edits()) > 0 {
				t.Fatalf("%q was changed to %q by a patch that failed: %v", doc, got, err)
			}
			return
		}
		if !json.Valid(bytes.TrimPrefix(got, []byte("\uFEFF"))) {
			t.Fatalf("%q became %q", doc, got)
		}
		if !comparable(doc) {
			return
		}
		want, wantErr, panicked := libraryApply(string(doc), patch)
		if panicked || wantErr != nil || strings.HasPrefix(knownFault(p.Request, err, wantErr, panicked), "copies") {
			return // it is stricter in places, and has faults
		}
		if !same(string(got), want) {
			t.Errorf("%q with %s: got %q, want %q", doc, patch, got, want)
		}
	})
}

// comparable reports whether the library reads a document as it is meant: an
// object or an array, of UTF-8, with empty names nowhere and no name twice.
func comparable(doc []byte) bool {
	trimmed := bytes.TrimSpace(doc)
	if len(trimmed) == 0 || trimmed[0] != '{' && trimmed[0] != '[' || !bytes.Equal(doc, bytes.ToValidUTF8(doc, nil)) || bytes.Contains(doc, []byte(`""`)) {
		return false
	}
	return !bytes.Contains(doc, []byte(`\u`)) && !anyTwice(trimmed)
}

// anyTwice reports whether an object of a document has a name twice.
func anyTwice(doc []byte) (found bool) {
	if doc[0] != '{' && doc[0] != '[' {
		return false
	}
	seen := map[string]bool{}
	eachMember(doc, func(name, value []byte) bool {
		found = found || doc[0] == '{' && seen[string(decode(name))] || anyTwice(value)
		seen[string(decode(name))] = true
		return true
	})
	return found
}

// An event has the lines it had, and each is still a line.
func FuzzEvent(f *testing.F) {
	for _, s := range []string{
		"data: {\"model\":\"m\"}\n\n", "event: e\r\ndata:{\"model\":1}\r\n\r\n", "data: [DONE]\n\n", ": c\n\n", "data\ndata: {\ndata:\"model\":2}\n\n",
		"data: {\"model\"\rdata: :\"m\"}\rid: 7\r\r", "\uFEFFdata: {\"model\":\"m\"}\n\n", "data: {\"model\":\"m\"}", "",
	} {
		f.Add([]byte(s))
	}
	p := compiled(f, `[{"op":"replace","path":"/model","value":"small\n"}]`)
	f.Fuzz(func(t *testing.T, event []byte) {
		var e Editor
		got, _ := e.Event(p, event)
		outside(t, event, got, e.Edits())
		before, after := dataOf(event), dataOf(got)
		if want, err := new(Editor).Apply(p, before); err == nil && !bytes.Equal(after, want) {
			t.Errorf("%q became %q: got data %q, want %q", event, got, after, want)
		} else if err != nil && !bytes.Equal(got, event) {
			t.Errorf("%q became %q, but the patch does not apply: %v", event, got, err)
		}
	})
}

// dataOf joins the data of an event.
func dataOf(event []byte) []byte {
	var lines [][]byte
	for at := 0; ; {
		d, ok := nextData(event, at)
		if !ok {
			return bytes.Join(lines, []byte("\n"))
		}
		lines = append(lines, event[d.from:d.to])
		at = d.next
	}
}
