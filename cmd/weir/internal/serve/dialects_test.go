package serve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"sync"
	"testing"

	"weir/cmd/weir/internal/mock"
)

// speaker is a dialect as it is served: a path of it, requests, and what an
// error in it looks like.
type speaker struct {
	name, path    string
	stream, whole string
	kind          string
	end           string                          // of a stream
	fault         func(t *testing.T, body string) // fails if the body is not an error of the dialect
}

func faultOf(t *testing.T, body string, into any, ok func() bool) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), into); err != nil || !ok() {
		t.Errorf("got %s, %v, want an error of the dialect", body, err)
	}
}

// objectFault is an error of OpenAI's dialects.
func objectFault(t *testing.T, body string) {
	t.Helper()
	var e struct {
		Error struct{ Message, Type string }
	}
	faultOf(t, body, &e, func() bool { return e.Error.Message != "" && e.Error.Type != "" })
}

func typedFault(t *testing.T, body string) {
	t.Helper()
	var e struct {
		Type  string
		Error struct{ Message, Type string }
	}
	faultOf(t, body, &e, func() bool { return e.Type == "error" && e.Error.Message != "" && e.Error.Type != "" })
}

func textFault(t *testing.T, body string) {
	t.Helper()
	var e struct{ Error string }
	faultOf(t, body, &e, func() bool { return e.Error != "" })
}

var speakers = []speaker{
	{"openai", "/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":"x"}],"stream":true}`, `{"model":"m","messages":[{"role":"user","content":"x"}]}`, "text/event-stream", "data: [DONE]\n\n", objectFault},
	{"responses", "/v1/responses", `{"model":"m","input":"x","stream":true}`, `{"model":"m","input":"x"}`, "text/event-stream", "response.completed", objectFault},
	{"anthropic", "/v1/messages", `{"model":"m","max_tokens":99,"messages":[{"role":"user","content":"x"}],"stream":true}`, `{"model":"m","max_tokens":99,"messages":[{"role":"user","content":"x"}]}`, "text/event-stream", "message_stop", typedFault},
	{"ollama", "/api/chat", `{"model":"m","messages":[{"role":"user","content":"x"}]}`, `{"model":"m","messages":[{"role":"user","content":"x"}],"stream":false}`, "application/x-ndjson", `"done":true`, textFault},
}

// all is a configuration with a model whose upstream speaks every dialect, and
// one for each dialect that speaks no other.
func all(up *mock.Server) string {
	var ups, models strings.Builder
	for _, s := range speakers {
		fmt.Fprintf(&ups, "  %s: {url: %q, dialects: [%s]}\n", s.name, up.URL(), s.name)
		fmt.Fprintf(&models, "  only-%s: {targets: [{upstream: %s}]}\n", s.name, s.name)
	}
	return fmt.Sprintf("limits: {body: 64KiB}\nupstreams:\n  up: {url: %q, dialects: [openai, responses, anthropic, ollama]}\n%smodels:\n  m: {targets: [{upstream: up}]}\n%s", up.URL(), ups.String(), models.String())
}

// Every dialect passes through, streaming or not, with the bytes that the
// upstream sends to the same request; the upstream sees path and query.
func TestDialectsPassThrough(t *testing.T) {
	up := mock.Start(t, mock.Config{Tokens: 5})
	g := serve(t, all(up))
	for _, s := range speakers {
		for _, body := range []string{s.stream, s.whole} {
			t.Run(s.name, func(t *testing.T) {
				up.Forget()
				res, got := do(t, "POST", g.url+s.path+"?beta=true", body, "Content-Type", "application/json")
				kind := "application/json"
				if body == s.stream {
					kind = s.kind
					if !strings.Contains(got, s.end) {
						t.Errorf("got %q, want %s in it", got, s.end)
					}
				}
				if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), kind) || !strings.Contains(got, "token 0") && !strings.Contains(got, "token ") {
					t.Errorf("got %d %v %q", res.StatusCode, res.Header, got)
				}
				if l := up.Log().Requests; len(l) != 1 || l[0].Target != s.path+"?beta=true" || l[0].Body != body {
					t.Errorf("the upstream saw %+v, want the request as it was", l)
				}
			})
		}
	}
	g.end()
}

// G17: the gateway's own errors are in the dialect of the path.
func TestDialectsOfErrors(t *testing.T) {
	up := mock.Start(t, mock.Config{})
	g := serve(t, all(up)+"cors: {origins: []}\n")
	for _, s := range speakers {
		for _, tt := range []struct {
			name, method, path, body string
			fields                   []string
			status                   int
		}{
			{"unknown model", "POST", s.path, `{"model":"nobody"}`, nil, 404},
			{"no model", "POST", s.path, `{}`, nil, 400},
			{"no JSON", "POST", s.path, `[`, nil, 400},
			{"method", "DELETE", s.path, "", nil, 405},
			{"too large", "POST", s.path, `{"model":"m","x":"` + strings.Repeat("x", 70<<10) + `"}`, nil, 413},
			{"coding", "POST", s.path, `{}`, []string{"Content-Encoding", "br"}, 415},
			{"a page of another origin", "POST", s.path, s.whole, []string{"Origin", "https://evil.example"}, 403},
			{"a name that is not the server's", "POST", s.path, s.whole, []string{"Host", "evil.example"}, 403},
			{"a WebSocket", "GET", s.path, "", []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version", "13"}, 426},
			{"a path below", "POST", s.path + "/nothing", `{"model":1}`, nil, 404},
		} {
			if tt.name == "a path below" && s.name == "openai" {
				continue // it is one of the other paths below /v1
			}
			t.Run(s.name+"/"+tt.name, func(t *testing.T) {
				req := asked(t, tt.method, g.url+tt.path, tt.body, tt.fields...)
				if len(tt.fields) == 2 && tt.fields[0] == "Host" {
					req.Host = tt.fields[1]
				}
				res, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				got, _ := io.ReadAll(res.Body) // an error of it shows below
				if res.StatusCode != tt.status || res.Header.Get("Content-Type") != "application/json" {
					t.Errorf("got %d %v %s, want %d", res.StatusCode, res.Header, got, tt.status)
				}
				s.fault(t, string(got))
				if tt.status == 426 && res.Header.Get("Upgrade") != "" {
					t.Errorf("got %v, want no Upgrade: there is nothing to upgrade to", res.Header)
				}
			})
		}
	}
	if n := up.Counts().Requests; n != 0 {
		t.Errorf("the upstream saw %d requests, want none", n)
	}
	g.end()
}

// G23: a request in a dialect that no target of the model speaks is an error
// that names the dialects they speak; targets of other dialects are skipped.
func TestDialectsThatAreNotSpoken(t *testing.T) {
	up := mock.Start(t, mock.Config{})
	g := serve(t, strings.Replace(all(up), "models:\n", "models:\n  mixed: {policy: round_robin, targets: [{upstream: openai}, {upstream: ollama}], fallback: [only-anthropic]}\n", 1))
	for _, s := range speakers {
		for _, other := range speakers {
			up.Forget()
			res, got := do(t, "POST", g.url+s.path, strings.Replace(s.whole, `"m"`, `"only-`+other.name+`"`, 1))
			if s.name == other.name {
				if res.StatusCode != 200 {
					t.Errorf("%s: got %d %s", s.name, res.StatusCode, got)
				}
				continue
			}
			s.fault(t, got)
			if res.StatusCode != 400 || !strings.Contains(got, "servers speak "+other.name+".") || up.Counts().Requests != 0 {
				t.Errorf("%s to only-%s: got %d %s, want an error that names %s", s.name, other.name, res.StatusCode, got, other.name)
			}
		}
		for range 3 { // whatever the policy would choose
			res, got := do(t, "POST", g.url+s.path, strings.Replace(s.whole, `"m"`, `"mixed"`, 1))
			want := 200
			if s.name == "responses" {
				want = 400
			}
			if res.StatusCode != want || want == 400 && !strings.Contains(got, "openai, anthropic, ollama") {
				t.Errorf("%s to mixed: got %d %s, want %d", s.name, res.StatusCode, got, want)
			}
		}
	}
	g.end()
}

// G12: an upstream gets its key as the dialect wants it, and no key of the
// client's; what belongs to the dialect passes.
func TestDialectsOfKeys(t *testing.T) {
	t.Setenv("THE_KEY", "operator")
	up := mock.Start(t, mock.Config{})
	g := serve(t, strings.Replace(all(up), "dialects: [openai, responses, anthropic, ollama]", "dialects: [openai, responses, anthropic, ollama], key_env: THE_KEY", 1))
	for _, s := range speakers {
		up.Forget()
		do(t, "POST", g.url+s.path, s.whole, "Authorization", "Bearer client", "x-api-key", "client", "anthropic-beta", "a,b", "anthropic-workspace-id", "w", "openai-organization", "o")
		requests := up.Log().Requests
		if len(requests) != 1 {
			t.Fatalf("%s: the upstream saw %d requests", s.name, len(requests))
		}
		r := requests[0]
		bearer, key, version := "Bearer operator", "", ""
		if s.name == "anthropic" {
			bearer, key, version = "", "operator", "2023-06-01"
		}
		if r.Get("Authorization") != bearer || r.Get("X-Api-Key") != key || r.Get("Anthropic-Version") != version ||
			r.Get("Anthropic-Beta") != "a,b" || r.Get("Anthropic-Workspace-Id") != "w" || r.Get("Openai-Organization") != "o" {
			t.Errorf("%s: the upstream got %+v", s.name, r.Fields)
		}
	}
	up.Forget()
	do(t, "POST", g.url+"/v1/messages", speakers[2].whole, "anthropic-version", "2026-10-21")
	if l := up.Log().Requests; len(l) != 1 || l[0].Get("Anthropic-Version") != "2026-10-21" {
		t.Errorf("the upstream got %+v, want the client's version", l)
	}
	g.end()
}

// Any other request below /v1 that names a served model passes as it is, as
// JSON or as a form; with an unknown one it is 404, without one the path is.
func TestOtherRequests(t *testing.T) {
	up := mock.Start(t, mock.Config{})
	g := serve(t, strings.Replace(all(up), "64KiB", "16MiB", 1))
	form := func(model string, first bool) (body, kind string) {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		if first {
			_ = w.WriteField("model", model)
		}
		f, _ := w.CreateFormFile("file", "a.wav")
		_, _ = f.Write(bytes.Repeat([]byte("\x00\r\n--x"), 2<<20))
		if !first {
			_ = w.WriteField("model", model)
		}
		_ = w.Close()
		return b.String(), w.FormDataContentType()
	}
	for _, tt := range []struct {
		name, model string
		first       bool
		status      int // of the gateway; 0 = it passes
	}{
		{"model first", "m", true, 0}, {"model last", "m", false, 0},
		{"unknown, first", "w", true, 404}, {"unknown, last", "w", false, 404}, // not 413
	} {
		up.Forget()
		body, kind := form(tt.model, tt.first)
		res, got := do(t, "POST", g.url+"/v1/audio/transcriptions", body, "Content-Type", kind)
		switch requests := up.Log().Requests; {
		case tt.status != 0:
			objectFault(t, got)
			if res.StatusCode != tt.status || !strings.Contains(got, "model_not_found") {
				t.Errorf("%s: got %d %s, want %d", tt.name, res.StatusCode, got, tt.status)
			}
		case len(requests) != 1 || requests[0].BodyLength != int64(len(body)) || requests[0].Get("Content-Type") != kind:
			t.Errorf("%s: got %d %.200s; the upstream saw %+v, want the form of %d bytes", tt.name, res.StatusCode, got, requests, len(body))
		}
	}
	up.Forget()
	do(t, "POST", g.url+"/v1/rerank?x=1", `{"model":"m","query":"q","documents":[]}`)
	if l := up.Log().Requests; len(l) != 1 || l[0].Target != "/v1/rerank?x=1" {
		t.Errorf("the upstream saw %+v, want the request", l)
	}
	// A path that is not served is refused at once, whatever the body.
	res, got := do(t, "POST", g.url+"/other", strings.Repeat("x", 10_000_000))
	if res.StatusCode != 404 || !strings.Contains(got, "unknown_url") {
		t.Errorf("got %d %s, want 404", res.StatusCode, got)
	}
	for _, method := range []string{"GET", "DELETE"} {
		res, got := do(t, method, g.url+"/v1/files", "")
		if res.StatusCode != 404 || !strings.Contains(got, "unknown_url") || res.Header.Get("Allow") != "" {
			t.Errorf("%s /v1/files: got %d %v %s, want 404", method, res.StatusCode, res.Header, got)
		}
	}
	g.end()
}

// The lists of models in each dialect, Ollama's version, and count_tokens.
func TestListsOfDialects(t *testing.T) {
	up := mock.Start(t, mock.Config{})
	g := serve(t, all(up))
	for _, tt := range []struct {
		path   string
		fields []string
		want   []string
	}{
		{"/v1/models?limit=1000", nil, []string{`"object":"list"`, `"id":"m"`, `"id":"only-ollama"`}},
		{"/v1/models?limit=1000", []string{"anthropic-version", "2023-06-01"}, []string{`"has_more":false`, `"display_name":"m"`, `"first_id":"m"`, `"last_id":"only-responses"`}},
		{"/v1/models/m", []string{"anthropic-version", "2023-06-01"}, []string{`"type":"model"`, `"id":"m"`}},
		{"/api/tags", nil, []string{`"models":[{"name":"m","model":"m"`, `"name":"only-openai"`}},
		{"/api/version", nil, []string{`"version":"`}},
	} {
		res, got := do(t, "GET", g.url+tt.path, "", tt.fields...)
		var any map[string]any
		if err := json.Unmarshal([]byte(got), &any); err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("%s: got %d %s, %v", tt.path, res.StatusCode, got, err)
		}
		for _, part := range tt.want {
			if !strings.Contains(got, part) {
				t.Errorf("%s: got %s, want %s in it", tt.path, got, part)
			}
		}
	}
	up.Forget()
	do(t, "POST", g.url+"/v1/messages/count_tokens?beta=true", speakers[2].whole)
	if l := up.Log().Requests; len(l) != 1 || l[0].Target != "/v1/messages/count_tokens?beta=true" {
		t.Errorf("the upstream saw %+v, want the request with its query", l)
	}
	g.end()
}

// G22: in real time and by default, a client whose model reads its prompt for
// 12 s hears something before the model says anything, and then all of it.
func TestPrefillInRealTime(t *testing.T) {
	up := mock.Start(t, mock.Config{Tokens: 3})
	g := serve(t, all(up))
	var clients sync.WaitGroup
	for i, alive := range []string{": keep-alive\n\n", ": keep-alive\n\n", "event: ping\n", `"content":""`} {
		s := &speakers[i]
		clients.Go(func() {
			res, err := client.Do(asked(t, "POST", g.url+s.path, s.stream, "x-mock-fault", "slow-head=12s"))
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			first := make([]byte, 512)
			n, err := res.Body.Read(first)
			if err != nil || !strings.Contains(string(first[:n]), alive) || strings.Contains(string(first[:n]), "token") {
				t.Errorf("%s: got %q first, %v, want %q", s.name, first[:n], err, alive)
			}
			rest, err := io.ReadAll(res.Body)
			if err != nil || !strings.Contains(string(rest), "token 2") || !strings.Contains(string(rest), s.end) {
				t.Errorf("%s: got %q, %v, want the whole stream", s.name, rest, err)
			}
		})
	}
	clients.Wait()
	g.end()
}
