package known

import (
	"strings"
	"testing"

	"weir/cmd/weir/internal/dialect/transcript"
)

// Events that are the last one again have the verdict that they would have by themselves, and those that are nearly so,
// their own. A body that arrives byte by byte is never read the short way.
func TestRepeats(t *testing.T) {
	for path, frame := range map[string]string{
		"/v1/chat/completions": `data: {"created":1,"choices":[{"index":0,"delta":{"content":"@"},"finish_reason":null}]}` + "\n\n",
		"/v1/completions":      `data: {"choices":[{"index":0,"text":"@","finish_reason":null}]}` + "\n\n",
		"/v1/messages":         "event: content_block_delta\ndata: " + `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"@"}}` + "\n\n",
		"/v1/responses":        "event: response.output_text.delta\ndata: " + `{"type":"response.output_text.delta","sequence_number":1,"delta":"@","logprobs":[]}` + "\n\n",
		"/api/chat":            `{"model":"m","message":{"role":"assistant","content":"@"},"done":false}` + "\n",
		"/api/generate":        `{"model":"m","response":"@","done":false}` + "\n",
	} {
		event := func(text string) string { return strings.Replace(frame, "@", text, 1) }
		e, a := endpointAt(t, path), event("a")
		for _, second := range []string{
			a, event("bc"), event(""), event(`\n`), event(`\"`), event(`\x`), event("\x01"), event("é"), event(strings.Repeat("x", 300)),
			event(`","error":"x`), event(`"},"done":true,"x":{"y":"`), event("\n"), event("\r"), event("x\n\n"), event("\""),
			strings.Replace(a, "null", `"stop"`, 1), strings.Replace(a, "false", "true", 1), strings.Replace(a, `"index":0`, `"index":1`, 1),
			strings.Replace(a, "}\n", "}", 1), strings.ReplaceAll(a, "\n", "\r\n"), a[:len(a)-1], a[:len(a)/2], ": hi\n\n" + a, "id: 1\n" + a, "\n" + a,
			strings.Replace(a, `"a"`, `"a`, 1), strings.Replace(a, `"a"`, "7", 1), strings.Replace(a, `"a"`, "{}", 1),
		} {
			for _, third := range []string{"", a, "data: [DONE]\n\n", event("zz")} {
				transcript.Split(t, e, []byte(a+second+third))
			}
		}
	}
}
