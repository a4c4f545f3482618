package serve

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// scripted is an upstream that keeps what it is sent and responds with events.
func scripted(t *testing.T, contentType, events string) (url string, sent <-chan string) {
	t.Helper()
	bodies := make(chan string, 8)
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // what came counts
		bodies <- string(body)
		w.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(w, events)
	}))
	t.Cleanup(up.Close)
	return up.URL, bodies
}

const patches = `
    request:
      merge: {metadata: {team: a}, user: null}
      patch: [{op: test, path: /stream, value: true}, {op: replace, path: /max_tokens, value: 512}]
    event:
      patch: [{op: replace, path: /model, value: small}]
`

// G9 end to end, in each dialect: the request as the upstream saw it, the events
// as the client saw them, and 400 in the dialect's shape.
func TestPatches(t *testing.T) {
	for _, tt := range []struct{ dialect, path, contentType, events, refused string }{
		{"openai", "/v1/chat/completions", "text/event-stream",
			"data: {\"id\":\"1\",\"model\":\"%s\", \"choices\":[{\"index\":0,\"delta\":{\"content\":\"H\\u00e9\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
			`{"error":{"message":"The request does not fit the rules of the model ` + "`small`" + `: request.patch[0]: test /stream: the value is different.","type":"invalid_request_error","param":"stream","code":"request_rule_failed"}}`},
		{"anthropic", "/v1/messages", "text/event-stream",
			"event: message_start\ndata: {\"type\":\"message_start\",\"model\":\"%s\",\"message\":{\"id\":\"1\"}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"H\"}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
			`{"type":"error","error":{"type":"invalid_request_error","message":"The request does not fit`},
		{"responses", "/v1/responses", "text/event-stream",
			"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"model\":\"%s\",\"delta\":\"H\"}\n\nevent: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"1\",\"status\":\"completed\"}}\n\n",
			`{"error":{"message":"The request does not fit`},
		{"ollama", "/api/chat", "application/x-ndjson",
			"{\"model\":\"%s\",\"message\":{\"role\":\"assistant\",\"content\":\"H\"},\"done\":false}\n{\"message\":{\"content\":\"\"},\"done\":true}\n",
			`{"error":"The request does not fit`},
	} {
		t.Run(tt.dialect, func(t *testing.T) {
			url, sent := scripted(t, tt.contentType, fmt.Sprintf(tt.events, "qwen"))
			g := serve(t, fmt.Sprintf("upstreams: {up: {url: '%s', dialects: [%s]}}\nmodels:\n  small:\n    targets: [{upstream: up, model: qwen}]%s", url, tt.dialect, patches))
			res, got := do(t, "POST", g.url+tt.path, `{ "max_tokens":1e9,"model":"small", "user":"x","stream":true, "messages":[{"role":"user","content":"\u00e9"}],"seed":1.0}`)
			if want := fmt.Sprintf(tt.events, "small"); res.StatusCode != 200 || got != want {
				t.Errorf("the client got %d %q, want %q", res.StatusCode, got, want)
			}
			want := `{ "max_tokens":512,"model":"qwen","stream":true, "messages":[{"role":"user","content":"\u00e9"}],"seed":1.0,"metadata":{"team":"a"}}`
			if got := <-sent; got != want {
				t.Errorf("the upstream got %s, want %s", got, want)
			}
			res, got = do(t, "POST", g.url+tt.path, `{"max_tokens":1,"model":"small","stream":false,"messages":[]}`)
			if res.StatusCode != 400 || !strings.HasPrefix(got, tt.refused) {
				t.Errorf("got %d %s, want 400 and %s", res.StatusCode, got, tt.refused)
			}
			if len(sent) > 0 {
				t.Error("the upstream was sent a request that does not fit")
			}
			g.end()
		})
	}
}

// G9 end to end for responses that are not streams, in each dialect.
func TestResponsePatches(t *testing.T) {
	for dialect, path := range map[string]string{"openai": "/v1/chat/completions", "responses": "/v1/responses", "anthropic": "/v1/messages", "ollama": "/api/chat"} {
		t.Run(dialect, func(t *testing.T) {
			url, _ := scripted(t, "application/json", `{"id":"1", "model":"qwen","n":1.0}`)
			g := serve(t, fmt.Sprintf("upstreams: {up: {url: '%s', dialects: [%s]}}\nmodels:\n  small:\n    targets: [{upstream: up, model: qwen}]\n    response: {patch: [{op: replace, path: /model, value: small}]}\n", url, dialect))
			res, got := do(t, "POST", g.url+path, `{"model":"small","stream":false,"messages":[]}`)
			if want := `{"id":"1", "model":"small","n":1.0}`; res.StatusCode != 200 || got != want || res.ContentLength != int64(len(want)) {
				t.Errorf("got %d %s of %d bytes, want %s", res.StatusCode, got, res.ContentLength, want)
			}
			g.end()
		})
	}
}

// What an upstream can find in its prompt cache is what it finds without the
// gateway: turn n+1 begins with the bytes of turn n, patches or not.
func TestPromptCache(t *testing.T) {
	url, sent := scripted(t, "text/event-stream", "data: [DONE]\n\n")
	g := serve(t, fmt.Sprintf(`
upstreams: {up: {url: '%s'}}
models:
  small:
    targets: [{upstream: up}]
    request: {merge: {temperature: 0.7}, patch: [{op: replace, path: /max_tokens, value: 512}, {op: move, from: /tools/0, path: /tools/-}]}
`, url))
	turn := func(n int) string {
		var b strings.Builder
		b.WriteString(`{"model":"small", "max_tokens":100, "stream":true,"tools":[{"z":1,"a":1.0},{"b" : "\u00e9"}],"messages":[{"role":"system","content":"` + strings.Repeat("Be \\\"brief\\\". ", 20_000) + `"}`)
		for i := range n {
			fmt.Fprintf(&b, `, {"role":"user","content":"%d"}`, i)
		}
		return b.String() + `]}`
	}
	var through []string
	for n := range 3 {
		if res, got := do(t, "POST", g.url+chat, turn(n)); res.StatusCode != 200 {
			t.Fatalf("got %d %s", res.StatusCode, got)
		}
		through = append(through, <-sent)
	}
	for n := range 2 {
		direct, relayed := commonPrefix(turn(n), turn(n+1)), commonPrefix(through[n], through[n+1])
		if relayed < direct {
			t.Errorf("turn %d: got %d common bytes, and %d without the gateway", n+1, relayed, direct)
		}
	}
	g.end()
}

func commonPrefix(a, b string) (n int) {
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
