package dialect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// recorder notes the members that are reported.
type recorder struct {
	opaque
	got []string
	e   Event
}

var fuzzed = Node{In: []Node{
	{Name: "a", Slot: 1},
	{Name: "b", Slot: 2, In: []Node{{Name: "a", Slot: 3}, {Name: "skip"}, {Name: "*", Slot: 4}}},
	{Name: "c", In: []Node{{Name: "a", Slot: 5}, {Name: "c", In: []Node{{Name: "a", Slot: 6}}}}},
}}

func (r *recorder) Members() *Node { return &fuzzed }

func (r *recorder) Member(of Slot, v Value) bool {
	r.got = append(r.got, fmt.Sprint(of, v.Kind == String, v.Kind == Element, v.Empty, v.Kind == String && v.Text == nil, " ", string(v.Text)))
	return false
}

func (r *recorder) Event(e Event) Verdict {
	r.e = Event{Object: e.Object, Text: bytes.Clone(e.Text)}
	return 0
}

// wanted is what encoding/json says of the members that are reported.
func wanted(t *testing.T, node *Node, d *json.Decoder) (all []string) {
	for d.More() {
		name, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		child := node.child([]byte(name.(string)))
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			t.Fatal(err)
		}
		if child != nil {
			all = append(all, wantedValue(t, child, raw, false)...)
		}
	}
	return all
}

func wantedValue(t *testing.T, node *Node, raw json.RawMessage, element bool) (all []string) {
	if node.In != nil && raw[0] == '{' {
		d := json.NewDecoder(bytes.NewReader(raw))
		if _, err := d.Token(); err != nil {
			t.Fatal(err)
		}
		all = wanted(t, node, d)
	}
	if node.In != nil && raw[0] == '[' && !element {
		var elements []json.RawMessage
		if err := json.Unmarshal(raw, &elements); err != nil {
			t.Fatal(err)
		}
		for _, e := range elements {
			if e[0] == '{' {
				all = append(all, wantedValue(t, node, e, true)...)
			}
		}
	}
	if node.Slot == 0 {
		return all
	}
	text, isString := "", raw[0] == '"'
	switch {
	case isString:
		if err := json.Unmarshal(raw, &text); err != nil {
			t.Fatal(err)
		}
	case !strings.ContainsRune("{[n", rune(raw[0])):
		text = string(raw)
	}
	return append(all, fmt.Sprint(node.Slot, isString, element, isEmpty(raw), false, " ", text))
}

// FuzzMembers compares what is reported of an event's object with what encoding/json reads in it, for every valid one,
// wherever it is cut. What is not valid must do no harm, and be the same wherever it is cut as far as its kind goes.
func FuzzMembers(f *testing.F) {
	for _, s := range []string{
		`{"a":1,"b":{"a":"x","skip":1,"y":[]},"c":[{"a":null,"c":{"a":-0.0e7}},{"c":[{"a":"\u00e9\\"}]},[{"a":1}],1]}`,
		` { "a" : "" , "a" : {} , "b" : [ ] , "z" : "}\"{" } `,
		`{"a":[{"a":"]"}],"b":"x","c":3}`, `{"\u0061":true,"b":{"":0,"*":false}}`, `[DONE]`, `{"a":`, `{"a" 1}`, `{"a":1}x`, `{}`, `{"b":[{},{"a":[]}]}`, `{"b":[{ }],"a":[ ]}`,
	} {
		f.Add([]byte(s), uint(3))
	}
	f.Fuzz(func(t *testing.T, body []byte, cut uint) {
		if bytes.ContainsAny(body, "\r\n") || len(body) > textKept/8 || !utf8Valid(body) {
			t.Skip()
		}
		read := func(pieces ...[]byte) *recorder {
			j := new(recorder)
			var r Reader
			r.Reset(&Endpoint{Framing: Lines, Judge: func() Judge { return j }})
			for _, p := range pieces {
				r.Next(p)
			}
			r.Next([]byte{'\n'})
			return j
		}
		at := int(cut % uint(len(body)+1))
		one, two := read(body), read(body[:at], body[at:])
		valid := json.Valid(body) && bytes.HasPrefix(bytes.TrimLeft(body, " \t"), []byte("{"))
		if !valid {
			if one.e.Object != two.e.Object || !bytes.Equal(one.e.Text, two.e.Text) {
				t.Fatalf("%q cut at %d: got %+v, want %+v", body, at, two.e, one.e)
			}
			return
		}
		d := json.NewDecoder(bytes.NewReader(body))
		if _, err := d.Token(); err != nil {
			t.Fatal(err)
		}
		want := wanted(t, &fuzzed, d)
		for _, r := range []*recorder{one, two} {
			if !slices.Equal(r.got, want) || !r.e.Object {
				t.Fatalf("%q cut at %d: got %q, object %v, want %q", body, at, r.got, r.e.Object, want)
			}
		}
	})
}

// utf8Valid reports whether encoding/json leaves the text as it is.
func utf8Valid(body []byte) bool {
	return !bytes.ContainsRune(body, '\ufffd') && bytes.Equal(bytes.ToValidUTF8(body, nil), body) && !bytes.Contains(bytes.ToLower(body), []byte(`\ud`))
}
