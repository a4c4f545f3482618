package anthropic

import (
	"strings"
	"testing"
	"time"

	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/dialect/transcript"
)

var messages = endpoints[0]

func TestTranscripts(t *testing.T) {
	transcript.Check(t, "testdata", func(string) *dialect.Endpoint { return messages })
}

// ev is an event as Anthropic's servers send it.
func ev(kind, members string) string {
	return "event: " + kind + "\ndata: {\"type\":\"" + kind + `"` + members + "}\n\n"
}

var (
	start = ev("message_start", `,"message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"usage":{"input_tokens":9,"output_tokens":1}}`)
	ping  = ev("ping", "")
	text  = ev("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`)
	delta = ev("content_block_delta", `,"index":0,"delta":{"type":"text_delta","text":"Hel"}`)
	fin   = ev("message_delta", `,"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":3}`)
	stop_ = ev("message_stop", "")
	fail  = ev("error", `,"error":{"type":"overloaded_error","message":"Overloaded"}`)
)

// G2, G4: what each event is, and how the response ended.
func TestVerdicts(t *testing.T) {
	const none, sub, end, failed = "data", "data substance", "data end", "data failed"
	transcript.Run(t, messages, []transcript.Case{
		{"usual", start + text + ping + delta + ev("content_block_stop", `,"index":0`) + fin + stop_, []string{none, none, none, sub, none, sub, end}, "complete", "complete"},
		{"ping first", ping + start, []string{none, none}, "dead", "dead"},
		{"comment first", ": hi\n\n" + start, []string{"", none}, "dead", "dead"},
		{"an empty delta", start + text + ev("content_block_delta", `,"delta":{"type":"text_delta","text":""}`), []string{none, none, none}, "dead", "dead"},
		{"no message_stop", start + text + delta + fin, []string{none, none, sub, sub}, "dead", "dead"},
		{"message_stop, no empty line", delta + strings.TrimSuffix(stop_, "\n"), []string{sub}, "complete", "complete"},
		{"message_stop, no line break", delta + strings.TrimSpace(stop_), []string{sub}, "complete", "complete"},
		{"message_stop, cut", delta + strings.TrimSuffix(stop_, "}\n\n"), []string{sub}, "dead", "dead"},
		{"[DONE] behind it", delta + stop_ + "data: [DONE]\n\n", []string{sub, end, "data alien"}, "complete", "complete"},
		{"[DONE] alone", delta + "data: [DONE]\n\n", []string{sub, "data alien"}, "dead", "dead"},
		{"tool call", start + ev("content_block_start", `,"index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}`), []string{none, sub}, "dead", "dead"},
		{"thinking", start + ev("content_block_start", `,"content_block":{"type":"thinking","thinking":"","signature":""}`) + ev("content_block_delta", `,"delta":{"type":"thinking_delta","thinking":"Hm"}`), []string{none, none, sub}, "dead", "dead"},
		{"redacted", start + ev("content_block_start", `,"content_block":{"type":"redacted_thinking","data":"x"}`), []string{none, sub}, "dead", "dead"},
		{"error first", start + fail, []string{none, failed}, "reported", "reported"},
		{"error mid-stream", start + delta + fail, []string{none, sub, failed}, "reported", "reported"},
		{"error without a type", "event: error\ndata: {\"error\":{\"message\":\"x\"}}\n\n", []string{failed}, "reported", "reported"},
		{"error without a name", "data: {\"error\":{\"message\":\"x\"},\"type\":\"error\"}\n\n", []string{failed}, "reported", "reported"},
		{"type last", "data: {\"index\":0,\"delta\":{\"text\":\"type\",\"type\":\"message_stop\"},\"type\":\"content_block_delta\"}\n\n", []string{sub}, "dead", "dead"},
		{"a name and no type", "event: message_stop\ndata: {}\n\n", []string{end}, "complete", "complete"},
		{"escapes in the type", "data: {\"t\\u0079pe\":\"message_st\\u006fp\"}\n\n", []string{end}, "complete", "complete"},
		{"unknown", ev("message_note", `,"note":1`), []string{sub}, "dead", "dead"},
		{"no JSON", "event: message_stop\ndata: hello\n\n", []string{sub}, "dead", "dead"},
		{"CRLF", strings.ReplaceAll(start+delta+stop_, "\n", "\r\n"), []string{none, sub, end}, "complete", "complete"},
		{"nothing", "", nil, "dead", "dead"},
	})
}

func TestWritten(t *testing.T) {
	var r dialect.Reader
	transcript.Read(&r, messages, []byte(start+delta))
	fault := dialect.Unavailable("no_healthy_upstream", "No server is healthy.")
	if got, want := string(r.AppendFault(nil, fault, dialect.Stamp{})), "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"No server is healthy. Please try again later.\"}}\n\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	told, ok := dialect.ReadFault(529, []byte("{\"type\": \"error\",\n\"error\": {\"type\":\"overloaded_error\",\"message\":\"busy\"}, \"request_id\":\"r\"}"))
	if got, want := string(r.AppendFault(nil, told, dialect.Stamp{})), "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"},\"request_id\":\"r\"}\n\n"; got != want || !ok {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := string(r.AppendKeepAlive(nil, dialect.Stamp{Time: time.Now()})), "event: ping\ndata: {\"type\": \"ping\"}\n\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for status, want := range map[int]string{
		400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error", 404: "not_found_error", 405: "invalid_request_error", 413: "request_too_large",
		429: "rate_limit_error", 500: "api_error", 502: "api_error", 503: "overloaded_error", 504: "timeout_error", 529: "overloaded_error",
	} {
		want = `{"type":"error","error":{"type":"` + want + `","message":"x \"y\""}}`
		if got := string(Dialect.AppendError(nil, &dialect.Fault{Status: status, Message: `x "y"`})); got != want {
			t.Errorf("%d: got %s, want %s", status, got, want)
		}
	}
}
