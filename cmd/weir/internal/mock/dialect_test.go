package mock

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"weir/cmd/weir/internal/speak"
)

// asked is what a request of each dialect looks like, with a tool in it.
var asked = map[string]string{
	"/v1/chat/completions": `{"model":"m","messages":[{"role":"user","content":"Hi"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","required":["a"],"properties":{"a":{"type":"integer"}}}}}],"stream":`,
	"/v1/completions":      `{"model":"m","prompt":"Hi","stream":`,
	"/v1/responses":        `{"model":"m","input":"Hi","tools":[{"type":"function","name":"f","parameters":{"type":"object","required":["a"],"properties":{"a":{"type":"integer"}}}}],"stream":`,
	"/v1/messages":         `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Hi"}],"tools":[{"name":"f","input_schema":{"type":"object","required":["a"],"properties":{"a":{"type":"integer"}}}}],"stream":`,
	"/api/chat":            `{"model":"m","messages":[{"role":"user","content":"Hi"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","required":["a"],"properties":{"a":{"type":"integer"}}}}}],"stream":`,
	"/api/generate":        `{"model":"m","prompt":"Hi","stream":`,
}

// post sends a request with settings, and returns the response and its body.
func post(t *testing.T, s *Server, path, body string, set Set) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range set {
		req.Header.Set(settingPrefix+name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(got)
}

// Each path responds in its dialect, with what the settings say.
func TestDialects(t *testing.T) {
	s := Start(t, Config{Tokens: 2})
	call := []speak.Call{{ID: "call_mock0", Name: "f", Arguments: `{"a":1}`}}
	tests := []struct {
		name string
		set  Set
		want Body
	}{
		{"text", nil, Body{Tokens: 2}},
		{"a text of its own", Set{"text": "It rains, now."}, Body{Text: "It rains, now."}},
		{"thoughts", Set{"think": "3"}, Body{Tokens: 2, Thoughts: 3}},
		{"cut by its length", Set{"finish": "length"}, Body{Tokens: 2, Finish: speak.Length}},
		{"a tool", Set{"tool": "f"}, Body{Tokens: 2, Calls: call}},
		{"the first tool", Set{"tool": "*"}, Body{Tokens: 2, Calls: call}},
		{"two at once", Set{"tool": "f+g", "arguments": `[{"x":1},{"x":2}]`}, Body{Calls: []speak.Call{
			{ID: "call_mock0", Name: "f", Arguments: `{"x":1}`}, {ID: "call_mock1", Name: "g", Arguments: `{"x":2}`},
		}}},
		{"an error", Set{"fault": "error-event=2"}, Body{Tokens: 2, ErrorAt: 2}},
		{"no end mark", Set{"fault": "no-done"}, Body{Tokens: 2, NoDone: true}},
		{"CRLF", Set{"fault": "crlf"}, Body{Tokens: 2, CRLF: true}},
		{"a long line", Set{"fault": "long-line=5000"}, Body{Tokens: 2, LongLine: 5000}},
	}
	for path, d := range generating {
		for _, tt := range tests {
			if strings.Contains(tt.name, "tool") && !strings.Contains(asked[path], "tools") {
				continue
			}
			t.Run(path+"/"+tt.name, func(t *testing.T) {
				tt.want.Dialect, tt.want.Model = d, "m"
				res, got := post(t, s, path, asked[path]+"true}", tt.set)
				if want := string(StreamBody(tt.want)); got != want || res.Header.Get("Content-Type") != d.MediaType {
					t.Errorf("got %s\n%s\nwant %s\n%s", res.Header.Get("Content-Type"), got, d.MediaType, want)
				}
				_, got = post(t, s, path, asked[path]+"false}", tt.set)
				if want := string(UnaryBody(tt.want)); got != want || !json.Valid([]byte(got)) {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
			})
		}
	}
}

// A stream without its end mark has all of the others' events.
func TestNoDoneInAllDialects(t *testing.T) {
	for path, d := range generating {
		whole, cut := StreamEvents(Body{Dialect: d, Tokens: 3}), StreamEvents(Body{Dialect: d, Tokens: 3, NoDone: true})
		if len(cut) != len(whole)-1 || !bytes.Equal(bytes.Join(cut, nil), bytes.Join(whole[:len(cut)], nil)) {
			t.Errorf("%s: got %d events of %d, want all but the last", path, len(cut), len(whole))
		}
	}
}

func TestLongLineInAllDialects(t *testing.T) {
	for path, d := range generating {
		longest := 0
		for line := range strings.Lines(string(StreamBody(Body{Dialect: d, Tokens: 1, LongLine: 9000, NoDone: true}))) {
			longest = max(longest, len(strings.TrimRight(line, "\n")))
		}
		if d != speak.Responses && longest != 9000 || longest < 9000 { // which repeats the text
			t.Errorf("%s: got a line of %d bytes, want 9000", path, longest)
		}
	}
}

// Ollama streams unless it is told not to.
func TestOllamaStreamsByDefault(t *testing.T) {
	s := Start(t, Config{})
	_, got := post(t, s, "/api/chat", `{"model":"m","messages":[]}`, nil)
	if strings.Count(got, "\n") < 2 {
		t.Errorf("got %q, want lines", got)
	}
}

// The tools of the setting take their turns, by the results that the request
// brings.
func TestToolsInTurn(t *testing.T) {
	const user, result = `{"role":"user","content":"Hi"}`, `,{"role":"tool","content":"1"}`
	s := Start(t, Config{})
	for _, tt := range []struct{ messages, want string }{
		{user, "a"},
		{user + result, "b c"},
		{user + result + result + result, ""},
		{user + result + result + result + "," + user, "a"}, // the next question
	} {
		_, got := post(t, s, chatPath, `{"model":"m","messages":[`+tt.messages+`]}`, Set{"tool": "a,b+c"})
		var r struct {
			Choices []struct {
				Message struct {
					ToolCalls []struct{ Function struct{ Name string } } `json:"tool_calls"`
				}
			}
		}
		if err := json.Unmarshal([]byte(got), &r); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, c := range r.Choices[0].Message.ToolCalls {
			names = append(names, c.Function.Name)
		}
		if calls := strings.Join(names, " "); calls != tt.want {
			t.Errorf("%s: got %q, want %q", tt.messages, calls, tt.want)
		}
	}
	if res, got := post(t, s, chatPath, `{"model":"m","messages":[]}`, Set{"tool": "*"}); res.StatusCode != 400 || !strings.Contains(got, "offers none") {
		t.Errorf("got %d %s, want 400", res.StatusCode, got)
	}
}

// A request that asks for JSON gets what its schema allows.
func TestJSONMode(t *testing.T) {
	const schema = `{"type":"object","required":["city"],"properties":{"city":{"type":"string"}}}`
	s := Start(t, Config{})
	for path, body := range map[string]string{
		"/v1/chat/completions": `{"model":"m","messages":[],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":` + schema + `}}}`,
		"/v1/responses":        `{"model":"m","input":"Hi","text":{"format":{"type":"json_schema","name":"n","schema":` + schema + `}}}`,
		"/v1/messages":         `{"model":"m","messages":[],"output_config":{"format":{"type":"json_schema","schema":` + schema + `}}}`,
		"/api/chat":            `{"model":"m","messages":[],"stream":false,"format":` + schema + `}`,
	} {
		if _, got := post(t, s, path, body, nil); !strings.Contains(got, `{\"city\":\"weir\"}`) {
			t.Errorf("%s: got %s", path, got)
		}
	}
}

func TestEmbeddings(t *testing.T) {
	s := Start(t, Config{})
	type list struct {
		Data []struct {
			Index     int
			Embedding json.RawMessage
		}
	}
	get := func(body string) (l list) {
		_, got := post(t, s, "/v1/embeddings", body, nil)
		if err := json.Unmarshal([]byte(got), &l); err != nil {
			t.Fatalf("%v: %s", err, got)
		}
		return l
	}
	three := get(`{"model":"m","input":["a","b","a"]}`)
	if len(three.Data) != 3 || three.Data[2].Index != 2 {
		t.Fatalf("got %+v, want three", three)
	}
	if a, b, c := string(three.Data[0].Embedding), string(three.Data[1].Embedding), string(three.Data[2].Embedding); a == b || a != c {
		t.Errorf("got %s, %s and %s, want the same for the same text only", a, b, c)
	}
	var v []float64
	if one := get(`{"model":"m","input":"a","dimensions":40}`); json.Unmarshal(one.Data[0].Embedding, &v) != nil || len(v) != 40 {
		t.Errorf("got %d dimensions, want 40", len(v))
	}
	for _, body := range []string{`{"input":[1,2,3],"encoding_format":"base64"}`, `{}`, `{"dimensions":-5}`, ``} {
		if one := get(body); len(one.Data) != 1 {
			t.Errorf("%s: got %+v, want one", body, one)
		}
	}
}

// A mock of one dialect has that one's endpoints only, and errors are in the
// dialect of the path.
func TestOneDialect(t *testing.T) {
	s := Start(t, Config{Dialect: "anthropic"})
	if res, _ := post(t, s, "/v1/messages/count_tokens?beta=true", `{}`, nil); res.StatusCode != 200 {
		t.Errorf("got %d, want 200", res.StatusCode)
	}
	for path, want := range map[string]string{
		"/api/chat":                `{"error":"`,
		"/v1/chat/completions":     `{"error":{"message":"`,
		"/v1/messages/batches":     `{"type":"error","error":{"type":"not_found_error"`,
		"/v1/responses":            `{"error":{"message":"`,
		"/v1/completions/anything": `{"error":{"message":"`,
	} {
		if res, got := post(t, s, path, `{}`, nil); res.StatusCode != 404 || !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %d %s, want 404 %s", path, res.StatusCode, got, want)
		}
	}
	if res, got := post(t, s, "/v1/messages", `{}`, Set{"status": "529"}); res.StatusCode != 529 || !strings.Contains(got, "overloaded_error") {
		t.Errorf("got %d %s, want 529", res.StatusCode, got)
	}
}

func TestOllamaLists(t *testing.T) {
	s := Start(t, Config{Models: []string{"a", "b"}})
	for path, want := range map[string]string{"/api/tags": `"name":"b"`, "/api/version": `"version":"`} {
		res, err := http.Get(s.URL() + path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != 200 || !strings.Contains(string(got), want) {
			t.Errorf("%s: got %d %s (%v)", path, res.StatusCode, got, err)
		}
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m")
	s := Start(t, Config{Listen: "unix:" + path, Tokens: 1})
	if s.URL() != "unix:"+path {
		t.Errorf("got %s, want unix:%s", s.URL(), path)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /health HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 200") {
		t.Errorf("got %q (%v)", got, err)
	}
}
