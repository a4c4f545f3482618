package openai

import (
	"encoding/json"
	"testing"
)

func TestPeek(t *testing.T) {
	for _, tt := range []struct {
		name, body          string
		model, user         string
		stream, known, done bool
		bad                 bool
	}{
		{"usual", `{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}`, "m", "", true, true, true, false},
		{"last", `{"messages":[{"model":"x","stream":false}],"stream" : true , "model": "m\u0041"}`, "mA", "", true, true, true, false},
		{"no stream", `{"model":"m","user":"u\"1"}`, "m", `u"1`, false, false, true, false},
		{"false", `{"stream":false,"model":"m"}`, "m", "", false, true, true, false},
		{"nested braces in strings", `{"a":"}{][\\","model":"m","stream":true}`, "m", "", true, true, true, false},
		{"array", `[1]`, "", "", false, false, false, true},
		{"text", `hello`, "", "", false, false, false, true},
		{"behind", `{"model":"m"} x`, "m", "", false, false, false, true},
		{"white space behind", "{\"model\":\"m\"}\r\n", "m", "", false, false, true, false},
		{"cut", `{"model":"m","stream":tr`, "m", "", false, false, false, false},
		{"value like a key", `{"a":"model","b":"m","stream":null}`, "", "", false, false, true, false},
		{"empty object", `{}`, "", "", false, false, true, false},
	} {
		for cut := range len(tt.body) + 1 {
			var p Peek
			p.Feed([]byte(tt.body[:cut]))
			p.Feed([]byte(tt.body[cut:]))
			if p.Model != tt.model || p.User != tt.user || p.Stream != tt.stream || p.Known() != tt.known ||
				p.Complete() != tt.done || p.Bad() != tt.bad {
				t.Fatalf("%s cut at %d: got %q %q %v known %v complete %v bad %v", tt.name, cut,
					p.Model, p.User, p.Stream, p.Known(), p.Complete(), p.Bad())
			}
		}
	}
}

func TestRename(t *testing.T) {
	for _, tt := range []struct{ body, want, messages string }{
		{`{"model":"m","messages":[1],"stream":true}`, `{"model":"a\"b","messages":[1],"stream":true}`, `[1],"stream":true}`},
		{`{"messages": [{"model":"x"}], "model" : "m\u0041" }`, `{"messages": [{"model":"x"}], "model" : "a\"b" }`, ` [{"model":"x"}], "model" : "m\u0041" }`},
		{`{"stream":true}`, `{"stream":true}`, ``},
	} {
		for cut := range len(tt.body) + 1 {
			var p Peek
			p.Feed([]byte(tt.body[:cut]))
			p.Feed([]byte(tt.body[cut:]))
			if got := string(p.Rename([]byte(tt.body), `a"b`)); got != tt.want {
				t.Fatalf("cut at %d: got %s, want %s", cut, got, tt.want)
			}
			if got := string(p.Messages([]byte(tt.body))); got != tt.messages {
				t.Fatalf("cut at %d: messages %s, want %s", cut, got, tt.messages)
			}
		}
	}
}

func TestIsErrorEvent(t *testing.T) {
	for event, want := range map[string]bool{
		"data: {\"error\":{\"message\":\"x\"}}\n\n":        true,
		": hi\r\ndata:{\"error\":{\"message\":1}}\r\n\r\n": true,
		"data: {\"error\":null,\"id\":1}\n\n":              false,
		"data: {\"choices\":[]}\n\n":                       false,
		"data: [DONE]\n\n":                                 false,
		"data: error\n\n":                                  false,
	} {
		for cut := range len(event) + 1 {
			if got := IsErrorEvent([]byte(event[:cut]), []byte(event[cut:])); got != want {
				t.Errorf("%q cut at %d: got %v, want %v", event, cut, got, want)
			}
		}
	}
}

// What Peek sees is what encoding/json sees, for every valid object; the last
// of several equal keys wins in both.
func FuzzPeek(f *testing.F) {
	f.Add([]byte(`{"model":"m","stream":true}`))
	f.Add([]byte(`{"messages":[{"content":"a\"b"}],"model":"\u00e9","stream":false,"model":"n"}`))
	f.Add([]byte(`{"stream":1e5,"user":"x"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var want map[string]any
		if json.Unmarshal(body, &want) != nil || want == nil {
			return
		}
		var p Peek
		for i := range body {
			p.Feed(body[i : i+1])
		}
		if !p.Complete() {
			t.Fatalf("%q: not complete", body)
		}
		if s, ok := want["model"].(string); ok && len(s) < peekValue/6 && s != p.Model && s != "\ufffd" && !containsReplacement(s) {
			t.Errorf("%q: got model %q, want %q", body, p.Model, s)
		}
		if b, ok := want["stream"].(bool); ok && b != p.Stream {
			t.Errorf("%q: got stream %v, want %v", body, p.Stream, b)
		}
	})
}

// containsReplacement reports invalid UTF-8 in the source, which encoding/json
// replaces and Peek passes on.
func containsReplacement(s string) bool {
	for _, r := range s {
		if r == '\ufffd' {
			return true
		}
	}
	return false
}
