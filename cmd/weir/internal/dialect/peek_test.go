package dialect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestPeek(t *testing.T) {
	for _, tt := range []struct {
		name, body        string
		model, user       string
		stream, has, done bool
		bad               bool
	}{
		{"usual", `{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}`, "m", "", true, true, true, false},
		{"last", `{"messages":[{"model":"x","stream":false}],"stream" : true , "model": "m\u0041"}`, "mA", "", true, true, true, false},
		{"no stream", `{"model":"m","user":"u\"1"}`, "m", `u"1`, false, true, true, false},
		{"false", `{"stream":false,"model":"m"}`, "m", "", false, true, true, false},
		{"nested braces in strings", `{"a":"}{][\\","model":"m","stream":true}`, "m", "", true, true, true, false},
		{"array", `[1]`, "", "", false, false, false, true},
		{"text", `hello`, "", "", false, false, false, true},
		{"behind", `{"model":"m"} x`, "m", "", false, true, false, true},
		{"white space behind", "{\"model\":\"m\"}\r\n", "m", "", false, true, true, false},
		{"cut", `{"model":"m","stream":tr`, "m", "", false, true, false, false},
		{"value like a key", `{"a":"model","b":"m","stream":null}`, "", "", false, false, true, false},
		{"escaped key", `{"m\u006fdel":"m","\u0073tream":true}`, "m", "", true, true, true, false},
		{"bad escape in a key", `{"\x":1}`, "", "", false, false, false, true},
		{"model is a number", `{"model":1,"stream":true}`, "", "", true, true, true, false},
		{"model is an object", `{"model":{"model":"x"},"user":"u"}`, "", "u", false, true, true, false},
		{"model is long", `{"model":"` + strings.Repeat("x", peekValue+1) + `"}`, "", "", false, true, true, false},
		{"empty object", `{}`, "", "", false, false, true, false},
	} {
		for cut := range len(tt.body) + 1 {
			var p Peek
			p.Feed([]byte(tt.body[:cut]))
			p.Feed([]byte(tt.body[cut:]))
			if p.Model != tt.model || p.User != tt.user || p.Stream != tt.stream || p.HasModel() != tt.has ||
				p.Complete() != tt.done || p.Bad() != tt.bad {
				t.Fatalf("%s cut at %d: got %q %q %v model seen %v complete %v bad %v", tt.name, cut,
					p.Model, p.User, p.Stream, p.HasModel(), p.Complete(), p.Bad())
			}
		}
	}
}

// G8: the model is renamed wherever a body is cut into parts, and nothing else is.
func TestRename(t *testing.T) {
	const name = `"a\"b"`
	for _, tt := range []struct {
		body, want string
		messages   int
	}{
		{`{"model":"m","messages":[1],"stream":true}`, `{"model":"a\"b","messages":[1],"stream":true}`, 24},
		{`{"messages": [{"model":"x"}], "model" : "m\u0041" }`, `{"messages": [{"model":"x"}], "model" : "a\"b" }`, 12},
		{`{"stream":true}`, `{"stream":true}`, 0},
		{`{"model":1}`, `{"model":1}`, 0},
		{`{"model":"other","model":2}`, `{"model":"other","model":2}`, 0},
	} {
		for cut := range len(tt.body) + 1 {
			var p Peek
			a, b := []byte(tt.body[:cut]), []byte(tt.body[cut:])
			p.Feed(a)
			p.Feed(b)
			if got := string(p.Rename([]byte(tt.body), []byte(name))); got != tt.want {
				t.Fatalf("cut at %d: got %s, want %s", cut, got, tt.want)
			}
			first, second := p.Splice(0, a, []byte(name)), p.Splice(cut, b, []byte(name))
			if got := string(bytes.Join(append(first[:], second[:]...), nil)); got != tt.want {
				t.Fatalf("in parts, cut at %d: got %s, want %s", cut, got, tt.want)
			}
			if got := len(tt.body) + p.Growth([]byte(name)); got != len(tt.want) {
				t.Fatalf("cut at %d: got length %d, want %d", cut, got, len(tt.want))
			}
			if same := p.Splice(cut, b, nil); !bytes.Equal(same[0], b) || len(same[1])+len(same[2]) > 0 {
				t.Fatalf("cut at %d: got %q without a name, want no change", cut, same)
			}
			if got := p.Prompt(); got != tt.messages {
				t.Fatalf("cut at %d: messages at %d, want %d", cut, got, tt.messages)
			}
		}
	}
}

// What a server may read otherwise than the gateway is told apart, however it is spelled.
func TestAmbiguous(t *testing.T) {
	for _, tt := range []struct{ body, code, param string }{
		{`{"model":"a","model":"b"}`, "duplicate_parameter", "model"},
		{`{"model":"a","model":"a"}`, "duplicate_parameter", "model"},
		{`{"model":"a","mod\u0065l":"b"}`, "duplicate_parameter", "model"},
		{`{"model":1,"model":"b"}`, "duplicate_parameter", "model"},
		{`{"model":"b","model":{}}`, "duplicate_parameter", "model"},
		{`{"stream":true,"stream":false,"model":"b"}`, "duplicate_parameter", "stream"},
		{`{"messages":[],"model":"b","messages":[1]}`, "duplicate_parameter", "messages"},
		{`{"user":"b","model":"b","user":1}`, "duplicate_parameter", "user"},
		{`{"model":"b","Model":"c"}`, "ambiguous_parameter", "model"},
		{`{"MODEL":"b"}`, "ambiguous_parameter", "model"},
		{`{"model":"b","model":"c","moDel":"d"}`, "ambiguous_parameter", "model"},
		{`{"moDel":"d","model":"b"}`, "ambiguous_parameter", "model"},
		{`{"model":"b","Stream":true}`, "ambiguous_parameter", "stream"},
		{`{"model":"b","ſtream":true}`, "ambiguous_parameter", "stream"},
		{`{"model":"b","\u017ftream":true}`, "ambiguous_parameter", "stream"},
		{`{"model":"b","uſer":true}`, "ambiguous_parameter", "user"},
		{`{"model":"b","meſſageſ":true}`, "ambiguous_parameter", "messages"},
		{`{"model":"b","\u004dESSAGES":true}`, "ambiguous_parameter", "messages"},
		{`{"model":"b","x":{"model":"c","Model":"d"}}`, "", ""},
		{`{"x":"model","y":["model","Model"],"model":"a"}`, "", ""},
		{`{"model":"b","model ":"d","models":"e","ｍodel":"f","streams":1}`, "", ""},
		{`{"model":"b","max_tokens":1,"seed":2,"stop":"MODEL","user":"c","stream":true,"messages":[]}`, "", ""},
	} {
		for cut := range len(tt.body) + 1 {
			var p Peek
			p.Feed([]byte(tt.body[:cut]))
			p.Feed([]byte(tt.body[cut:]))
			got := Fault{}
			if e := p.Ambiguous(); e != nil {
				got = *e
			}
			if got.Code != tt.code || got.Param != tt.param || p.Bad() || tt.code != "" && got.Status != 400 {
				t.Fatalf("%s cut at %d: got %+v, bad %v, want %q of %q", tt.body, cut, got, p.Bad(), tt.code, tt.param)
			}
		}
	}
}

// FuzzAmbiguous puts keys to encoding/json, which compares them without regard to case: what it takes for a member that
// the gateway reads is that member, in its own spelling, or refused.
func FuzzAmbiguous(f *testing.F) {
	for _, key := range []string{"model", "Model", "ſtream", "STREAM", "user", "uſer", "messages", "meſſages", "K", "model\x00", "mode", "\xff"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		quoted, err := json.Marshal(key)
		if err != nil {
			t.Skip(err)
		}
		body := []byte(`{` + string(quoted) + `:"x"}`)
		var read struct {
			Model    *string `json:"model"`
			Stream   *string `json:"stream"`
			User     *string `json:"user"`
			Messages *string `json:"messages"`
		}
		if err := json.Unmarshal(body, &read); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		var p Peek
		p.Feed(body)
		var decoded string
		_ = json.Unmarshal(quoted, &decoded) // it was just encoded
		taken := read.Model != nil || read.Stream != nil || read.User != nil || read.Messages != nil
		own := slices.Contains(peeked[:], decoded)
		if got, want := p.Ambiguous() != nil, taken && !own; got != want {
			t.Errorf("%s: got ambiguous %v, encoding/json takes it: %v", body, got, taken)
		}
	})
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

// A Peek that has read one body reads the next as a new one does.
func TestPeekReset(t *testing.T) {
	bodies := []string{
		`{"model":"m","stream":true,"user":"u","messages":[{"a":"model"}]}`, `{"model":"m"}`, `{"model":"n"}`, `{"model":"a\"b"}`, `{"model":"a\"b"}`, `{"model":"x\\u0041"}`, `{"model":"x\u0041"}`, `{"model":"y\\z"}`, `{"model":"y\z"}`,
		`{"stream":true}`, `{"model":7}`, `{"model":"","user":"\u00e9"}`, `{"model":"m","model":"m"}`, `{"Model":"m"}`, `{"model":"m"}`, `{"mod`, `[]`, `{"model":"m"} x`, `{"model":"m"}`,
		`{"model":"` + strings.Repeat("m", 1000) + `"}`, `{"model":"m"}`,
	}
	var used Peek
	for _, body := range bodies {
		var fresh Peek
		fresh.Feed([]byte(body))
		used.Reset()
		used.Feed([]byte(body))
		got := fmt.Sprint(used.Model, used.Stream, used.User, used.HasModel(), used.Ambiguous(), used.Complete(), used.Bad(), used.Prompt(), used.Growth([]byte(`"x"`)))
		want := fmt.Sprint(fresh.Model, fresh.Stream, fresh.User, fresh.HasModel(), fresh.Ambiguous(), fresh.Complete(), fresh.Bad(), fresh.Prompt(), fresh.Growth([]byte(`"x"`)))
		if got != want {
			t.Errorf("%.40s: got %s, want %s", body, got, want)
		}
	}
}

// Whose request it is, where its prompt begins, and whether it streams, in each dialect's words.
func TestPeekDialects(t *testing.T) {
	for _, tt := range []struct {
		body, user string
		prompt     int
		stream     bool // where the response is a stream unless the request says otherwise
	}{
		{`{"model":"m","metadata":{"user_id":"u"},"messages":[]}`, "u", 51, true},
		{`{"metadata":{"a":{"user_id":"x"},"b":["user_id"],"user_id":"u","c":"user_id"},"stream":false}`, "u", 0, false},
		{`{"metadata":{},"user":"u"}`, "u", 0, true},
		{`{"metadata":{"user_id":"x"},"user":"u"}`, "u", 0, true},
		{`{"metadata":{"user_id":7,"x":"y"},"user_id":"z"}`, "", 0, true},
		{`{"prompt_cache_key":"k","input":"x","user":"u"}`, "u", 32, true},
		{`{"input":[{"user":"z"}],"prompt_cache_key":"k","stream":null}`, "k", 9, true},
		{`{"prompt":"x","stream":true}`, "", 10, true},
		{`{"prompt":"x","stream":"false"}`, "", 10, true},
		{"\xef\xbb\xbf" + `{"prompt":"x","stream":false}`, "", 13, false},
	} {
		for cut := range len(tt.body) + 1 {
			var p Peek
			p.Feed([]byte(tt.body[:cut]))
			p.Feed([]byte(tt.body[cut:]))
			if p.User != tt.user || p.Prompt() != tt.prompt || p.Streams(true) != tt.stream || p.Streams(false) != p.Stream || !p.Complete() {
				t.Fatalf("%s cut at %d: got %q, prompt %d, stream %v, complete %v", tt.body, cut, p.User, p.Prompt(), p.Streams(true), p.Complete())
			}
		}
	}
	for _, body := range []string{"\xef\xbb{}", "\xef{}", " \xef\xbb\xbf{}", "\xef\xbb\xbf\xef\xbb\xbf{}"} {
		var p Peek
		if p.Feed([]byte(body)); !p.Bad() {
			t.Errorf("%q is not bad", body)
		}
	}
}
