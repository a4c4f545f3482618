package ollama

import (
	"strings"
	"testing"
	"time"

	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/dialect/transcript"
)

var chats, generates = endpoints[0], endpoints[1]

func TestTranscripts(t *testing.T) {
	transcript.Check(t, "testdata", func(name string) *dialect.Endpoint {
		if strings.HasPrefix(name, "generate") {
			return generates
		}
		return chats
	})
}

const (
	empty = `{"model":"m","created_at":"2026-01-01T00:00:00.5Z","message":{"role":"assistant","content":""},"done":false}` + "\n"
	token = `{"model":"m","created_at":"2026-01-01T00:00:00.5Z","message":{"role":"assistant","content":"Hel"},"done":false}` + "\n"
	last  = `{"model":"m","created_at":"2026-01-01T00:00:00.5Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","eval_count":3}` + "\n"
)

// G2, G4: what each line is, and how the response ended.
func TestVerdicts(t *testing.T) {
	const none, sub, end, failed = "data", "data substance", "data end", "data failed"
	transcript.Run(t, chats, []transcript.Case{
		{"usual", empty + token + last, []string{none, sub, end}, "complete", "complete"},
		{"no done", empty + token, []string{none, sub}, "dead", "dead"},
		{"done, no line break", token + strings.TrimSpace(last), []string{sub}, "complete", "complete"},
		{"done, cut", token + strings.TrimSuffix(last, "}\n"), []string{sub}, "dead", "dead"},
		{"done with the text", strings.Replace(last, `"content":""`, `"content":"a"`, 1), []string{"data substance end"}, "complete", "complete"},
		{"done is not true", token + strings.Replace(last, "true", `"true"`, 1), []string{sub, none}, "dead", "dead"},
		{"done within", token + `{"message":{"content":"{\"done\":true}","done":true},"done":false}` + "\n", []string{sub, sub}, "dead", "dead"},
		{"error", token + `{"error":"gone"}` + "\n", []string{sub, failed}, "reported", "reported"},
		{"error first", `{"error":"gone"}` + "\n", []string{failed}, "reported", "reported"},
		{"error, no line break", token + `{"error":"gone"}`, []string{sub}, "reported", "reported"},
		{"no error", strings.Replace(token, "{", `{"error":"",`, 1), []string{sub}, "dead", "dead"},
		{"thinking", `{"message":{"role":"assistant","content":"","thinking":"Hm"},"done":false}` + "\n", []string{sub}, "dead", "dead"},
		{"tool call", `{"message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{}}}]},"done":false}` + "\n", []string{sub}, "dead", "dead"},
		{"CRLF", strings.ReplaceAll(empty+token+last, "\n", "\r\n"), []string{none, sub, end}, "complete", "complete"},
		{"empty lines", "\n" + token + "\n\r\n" + last, []string{"", sub, "", "", end}, "complete", "complete"},
		{"BOM", "\xef\xbb\xbf" + token + last, []string{sub, end}, "complete", "complete"},
		{"no JSON", "hello\n", []string{sub}, "dead", "dead"},
		{"nothing", "", nil, "dead", "dead"},
	})
	transcript.Run(t, generates, []transcript.Case{
		{"generate", `{"response":"","done":false}` + "\n" + `{"response":"a","done":false}` + "\n" + `{"response":"","done":true,"context":[1,2]}` + "\n", []string{none, sub, end}, "complete", "complete"},
		{"generate, thinking", `{"response":"","thinking":"Hm","done":false}` + "\n", []string{sub}, "dead", "dead"},
	})
}

func TestWritten(t *testing.T) {
	stamp := dialect.Stamp{Model: `m"1`, Time: time.Date(2026, 1, 2, 3, 4, 5, 600_000_000, time.FixedZone("", 3600))}
	for _, tt := range []struct {
		e    *dialect.Endpoint
		want string
	}{
		{chats, `{"model":"m\"1","created_at":"2026-01-02T02:04:05.6Z","message":{"role":"assistant","content":""},"done":false}` + "\n"},
		{generates, `{"model":"m\"1","created_at":"2026-01-02T02:04:05.6Z","response":"","done":false}` + "\n"},
	} {
		var r dialect.Reader
		r.Reset(tt.e)
		got := r.AppendKeepAlive(nil, stamp)
		if string(got) != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
		if verdicts := transcript.Verdicts(tt.e, got); verdicts != "data\nproperly: dead\ncut: dead\n" {
			t.Errorf("a keep-alive is %s", verdicts)
		}
		transcript.Read(&r, tt.e, []byte(`{"mess`))
		if got := r.AppendKeepAlive(nil, stamp); len(got) > 0 {
			t.Errorf("within a line: got %s, want nothing", got)
		}
		if got, want := string(r.AppendFault(nil, dialect.ServerError(502, "gone"), stamp)), "\n{\"error\":\"gone\"}\n"; got != want {
			t.Errorf("within a line: got %q, want %q", got, want)
		}
	}
}
