package policy

import (
	"strings"
	"testing"
)

func TestEvent(t *testing.T) {
	p := compiled(t, `[{"op":"test","path":"/object","value":"chunk"},{"op":"replace","path":"/model","value":"small"}]`)
	for _, tt := range []struct{ name, event, want string }{
		{"one line", "data: {\"object\":\"chunk\",\"model\": \"m\" }\n\n", "data: {\"object\":\"chunk\",\"model\": \"small\" }\n\n"},
		{"with other fields", "event: e\r\nid: 1\r\ndata:{\"object\":\"chunk\",\"model\":\"m\"}\r\n\r\n", "event: e\r\nid: 1\r\ndata:{\"object\":\"chunk\",\"model\":\"small\"}\r\n\r\n"},
		{"CR", "data: {\"object\":\"chunk\",\"model\":\"m\"}\rid: 1\r\r", "data: {\"object\":\"chunk\",\"model\":\"small\"}\rid: 1\r\r"},
		{"unfinished", "data: {\"object\":\"chunk\",\"model\":\"m\"}", "data: {\"object\":\"chunk\",\"model\":\"small\"}"},
		{"a byte order mark", "\uFEFFdata: {\"object\":\"chunk\",\"model\":\"m\"}\n\n", "\uFEFFdata: {\"object\":\"chunk\",\"model\":\"small\"}\n\n"},
		{"several lines", "data: {\"object\":\ndata: \"chunk\",\nid: 7\ndata: \"model\":\"m\"}\n: end\n\n", "data: {\"object\":\ndata: \"chunk\",\ndata: \"model\":\"small\"}\nid: 7\n: end\n\n"},
		{"test selects", "data: {\"object\":\"other\",\"model\":\"m\"}\n\n", ""},
		{"several lines, not selected", "data: {\"object\":\ndata: \"other\"}\n\n", ""},
		{"an absent path", "data: {\"object\":\"chunk\"}\n\n", ""},
		{"the end", "data: [DONE]\n\n", ""},
		{"no JSON", "data: {\"object\":\"chunk\",\"model\":\"m\"\n\n", ""},
		{"no data", ": comment\nevent: ping\n\n", ""},
		{"empty data", "data\n\n", ""},
		{"a field that begins like data", "database: {\"object\":\"chunk\",\"model\":\"m\"}\n\n", ""},
		{"nothing", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.want == "" {
				tt.want = tt.event
			}
			var e Editor
			got, err := e.Event(p, []byte(tt.event))
			if string(got) != tt.want || (err == nil) != (tt.want != tt.event) {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
			outside(t, []byte(tt.event), got, e.Edits())
		})
	}
}

func TestLine(t *testing.T) {
	p := compiled(t, `[{"op":"replace","path":"/model","value":"small"}]`)
	for line, want := range map[string]string{
		"{\"model\":\"m\",\"done\":false}\n": "{\"model\":\"small\",\"done\":false}\n",
		"{\"model\":\"m\"}\r\n":              "{\"model\":\"small\"}\r\n",
		"{\"model\":\"m\"}":                  "{\"model\":\"small\"}",
		"{\"error\":\"x\"}\n":                "{\"error\":\"x\"}\n",
		"\n":                                 "\n",
		"garbage\n":                          "garbage\n",
	} {
		if got, err := new(Editor).Line(p, []byte(line)); string(got) != want || (err == nil) != (line != want) {
			t.Errorf("%q: got %q, %v, want %q", line, got, err, want)
		}
	}
}

// A document that is cut, wherever that is, is not a document.
func TestCutDocuments(t *testing.T) {
	p := compiled(t, `[{"op":"add","path":"/a","value":1}]`)
	var e Editor
	for i := range uint64(20) {
		doc := strings.TrimSpace(randomOf(i).document())
		for cut := range len(doc) {
			if got, err := e.Apply(p, []byte(doc[:cut])); err != ErrSyntax || string(got) != doc[:cut] {
				t.Fatalf("%q: got %q, %v, want %v", doc[:cut], got, err, ErrSyntax)
			}
		}
	}
}
