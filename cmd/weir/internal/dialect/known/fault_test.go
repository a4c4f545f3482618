package known

import (
	"strings"
	"testing"

	"weir/cmd/weir/internal/dialect"
)

// endpoint is where the requests of a path go.
func endpoint(path string) *dialect.Endpoint {
	for _, d := range Dialects {
		for _, e := range d.Endpoints() {
			if e.Path == path {
				return e
			}
		}
	}
	return nil
}

// G2: an error that a stream begins with is a response with the status that it
// names, in the path's dialect: its own words if they have its shape.
func TestFaultOf(t *testing.T) {
	const (
		chat, responses, messages, ollama = "/v1/chat/completions", "/v1/responses", "/v1/messages", "/api/chat"

		unknown = "The upstream sent an error in place of a response."
	)
	for _, tt := range []struct {
		name, path, stream string
		status             int
		body               string
	}{
		{"a type", messages, "event: ping\ndata: {}\n\nevent: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"},\"request_id\":\"r\"}\n\n", 529,
			`{"type":"error","error":{"type":"overloaded_error","message":"busy"},"request_id":"r"}`},
		{"a type, in lines that end in CRLF", messages, "event: error\r\ndata:{\"type\":\"error\",\r\ndata:\"error\":{\"type\":\"rate_limit_error\",\"message\":\"x\"}}\r\n\r\n", 429,
			`{"type":"error","error":{"type":"rate_limit_error","message":"x"}}`},
		{"a type of another dialect", messages, "data: {\"error\":{\"type\":\"invalid_request_error\",\"message\":\"x\"}}\n\n", 400, `{"type":"error","error":{"type":"invalid_request_error","message":"x"}}`},
		{"a code", chat, "data: {\"error\":{\"message\":\"slow down\",\"type\":\"requests\",\"param\":null,\"code\":\"rate_limit_exceeded\"}}\n\n", 429,
			`{"error":{"message":"slow down","type":"requests","param":null,"code":"rate_limit_exceeded"}}`},
		{"a number", chat, "data: {\"error\":{\"message\":\"x\",\"code\":503}}\n\n", 503, `{"error":{"message":"x","code":503}}`},
		{"a number as text", chat, "data: {\"error\":{\"message\":\"x\",\"code\":\"502\"}}\n\n", 502, `{"error":{"message":"x","code":"502"}}`},
		{"a number that is not a status", chat, "data: {\"error\":{\"message\":\"x\",\"code\":7}}\n\n", 502, `{"error":{"message":"x","code":7}}`},
		{"an engine's name", chat, "data: {\"error\":{\"message\":\"x\",\"type\":\"BadRequestError\",\"code\":null}}\n\n", 400, `{"error":{"message":"x","type":"BadRequestError","code":null}}`},
		{"SGLang's", chat, "data: {\"object\":\"error\",\"message\":\"busy\",\"code\":503}\n\n", 503, `{"error":{"message":"busy","type":"server_error","param":null,"code":null}}`},
		{"a text", chat, "data: {\"error\":\"x\"}\n\n", 502, `{"error":{"message":"x","type":"server_error","param":null,"code":null}}`},
		{"beside a chunk", chat, "data: {\"id\":\"1\",\"choices\":[],\"error\":{\"code\":429,\"message\":\"x\"}}\n\n", 429, `{"id":"1","choices":[],"error":{"code":429,"message":"x"}}`},
		{"an event of Responses", responses, "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"oops\",\"param\":null,\"sequence_number\":1}\n\n", 500,
			`{"error":{"message":"oops","type":"server_error","param":null,"code":"server_error"}}`},
		{"a failed response", responses, "data: {\"type\":\"response.failed\",\"response\":{\"id\":\"r\",\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"try again in 2s\"}}}\n\n", 429,
			`{"error":{"message":"try again in 2s","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}}`},
		{"a failed response without a reason", responses, "data: {\"type\":\"response.failed\",\"response\":{\"error\":null}}\n\n", 502, `{"error":{"message":"` + unknown + `","type":"server_error","param":null,"code":null}}`},
		{"a line", ollama, "{\"message\":{\"content\":\"\"},\"done\":false}\n{\"error\":\"oops\"}\n", 502, `{"error":"oops"}`},
		{"a line with more", ollama, "{\"error\": \"oops\", \"message\":{\"content\":\"\"},\"response\":\"\"}", 502, `{"error":"oops","message":{"content":""},"response":""}`},
		{"no line end", chat, "data: {\"error\":{\"message\":\"x\",\"code\":504}}", 504, `{"error":{"message":"x","code":504}}`},
		{"behind a byte order mark", chat, "\uFEFFdata: {\"error\":{\"message\":\"x\",\"code\":504}}\r\r", 504, `{"error":{"message":"x","code":504}}`},
		{"only the end of it", messages, "rror\":{\"message\":\"x\"}}\n\n", 502, `{"type":"error","error":{"type":"api_error","message":"` + unknown + `"}}`},
		{"nothing", ollama, "", 502, `{"error":"` + unknown + `"}`},
	} {
		e := endpoint(tt.path)
		f := e.FaultOf([]byte(tt.stream))
		if body := string(e.Dialect.AppendError(nil, f)); f.Status != tt.status || body != tt.body {
			t.Errorf("%s: got %d %s, want %d %s", tt.name, f.Status, body, tt.status, tt.body)
		}
	}
}

// What is cut off from a stream, or not JSON, does no harm.
func FuzzFaultOf(f *testing.F) {
	for _, s := range []string{"data: {\"error\":{\"message\":\"x\",\"code\":503}}\n\n", "event: error\r\ndata: {\"type\":\"error\"}\r\n", "{\"error\":\"x\"}\n", "\uFEFFdata\r\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		for _, d := range Dialects {
			e := d.Endpoints()[0]
			fault := e.FaultOf(stream)
			body := string(d.AppendError(nil, fault))
			if fault.Status < 400 || fault.Status > 599 || fault.Message == "" || strings.ContainsAny(body, "\r\n") {
				t.Errorf("%q: got %d %q in %s", stream, fault.Status, body, d.Name())
			}
			if again, ok := dialect.ReadFault(fault.Status, []byte(body)); !ok || again.Message == "" {
				t.Errorf("%q: got %q, which is not read as an error", stream, body)
			}
		}
	})
}
