package demo

import (
	"encoding/json"
	"strings"
	"testing"

	"weir/cmd/weir/internal/dialect/known"
)

// Everything that the dialects' clients ask for at the beginning is there.
func TestDialects(t *testing.T) {
	_, base := serve(t, Pace{}, nil)
	const said = `"messages":[{"role":"user","content":"x"}]`
	tests := []struct {
		method, path, body string
		status             int
		part               string
	}{
		{"POST", "/v1/completions", `{"model":"weir-demo","prompt":"x","max_tokens":3}`, 200, `"object":"text_completion"`},
		{"POST", "/v1/responses", `{"model":"weir-demo","input":"x","max_output_tokens":3}`, 200, `"status":"incomplete"`},
		{"POST", "/v1/messages?beta=true", `{"model":"weir-demo","max_tokens":3,` + said + `}`, 200, `"stop_reason":"max_tokens"`},
		{"POST", "/v1/messages/count_tokens?beta=true", `{"model":"weir-demo",` + said + `}`, 200, `{"input_tokens":`},
		{"POST", "/v1/messages/count_tokens", `{"model":"x",` + said + `}`, 404, `"type":"not_found_error"`},
		{"POST", "/v1/messages/count_tokens", `{`, 400, `"type":"invalid_request_error"`},
		{"POST", "/api/chat", `{"model":"weir-demo:latest","options":{"num_predict":3},` + said + `}`, 200, `"done":true,"done_reason":"length"`},
		{"POST", "/api/generate", `{"model":"weir-demo","prompt":"x","stream":false}`, 200, `"response":"`},
		{"POST", "/api/chat", `{"model":"llama",` + said + `}`, 404, `{"error":"The model`},
		{"POST", "/v1/messages", `{"model":"claude","max_tokens":3,` + said + `}`, 404, `{"type":"error","error":{"type":"not_found_error"`},
		{"GET", "/api/version", "", 200, `{"version":"`},
		{"GET", "/api/embed", "", 404, `{"error":"`},
		{"GET", "/v1/messages", "", 405, `{"type":"error"`},
	}
	for _, tt := range tests {
		res := do(t, tt.method, base+tt.path, tt.body)
		if res.StatusCode != tt.status || !strings.Contains(res.body, tt.part) {
			t.Errorf("%s %s: got %d %s, want %d with %s", tt.method, tt.path, res.StatusCode, res.body, tt.status, tt.part)
		}
	}
	var tags struct{ Models []struct{ Name string } }
	res := do(t, "GET", base+"/api/tags", "")
	if err := json.Unmarshal([]byte(res.body), &tags); err != nil || len(tags.Models) != 1 || tags.Models[0].Name != ModelName {
		t.Errorf("got %s (%v)", res.body, err)
	}
}

// The demo generates at each path at which a dialect does.
func TestEachDialectIsServed(t *testing.T) {
	for _, d := range known.Dialects {
		served := false
		for _, e := range d.Endpoints() {
			served = served || generating[e.Path] != nil
		}
		if !served {
			t.Errorf("no path of %s generates", d.Name())
		}
	}
}
