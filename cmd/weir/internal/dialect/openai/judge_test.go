package openai

import (
	"strings"
	"testing"

	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/dialect/transcript"
)

func endpoint(path string) *dialect.Endpoint {
	for _, e := range endpoints {
		if e.Method == "POST" && e.Path == path {
			return e
		}
	}
	panic("no endpoint " + path)
}

var chat = endpoint("/v1/chat/completions")

func TestTranscripts(t *testing.T) {
	transcript.Check(t, "testdata", func(name string) *dialect.Endpoint {
		switch {
		case strings.HasPrefix(name, "completions"):
			return endpoint("/v1/completions")
		case strings.HasPrefix(name, "other"):
			return endpoint("/v1/{path...}")
		}
		return chat
	})
}

const (
	role   = `data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}` + "\n\n"
	token  = `data: {"choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}]}` + "\n\n"
	finish = `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	done   = "data: [DONE]\n\n"
)

// G2, G4: what each event is, and how the response ended.
func TestVerdicts(t *testing.T) {
	const sub, end, failed = "data substance", "data end", "data failed"
	transcript.Run(t, chat, []transcript.Case{
		{"usual", role + token + finish + done, []string{"data", sub, sub, end}, "complete", "complete"},
		{"no empty line", token + "data: [DONE]\n", []string{sub}, "complete", "complete"},
		{"no line break", token + "data: [DONE]", []string{sub}, "complete", "dead"},
		{"white space behind", token + "data: [DONE] \t\n\n", []string{sub, end}, "complete", "complete"},
		{"something behind", token + "data: [DONE]x\n\n", []string{sub, sub}, "dead", "dead"},
		{"something behind a space", token + "data: [DONE] x\n\n", []string{sub, sub}, "dead", "dead"},
		{"a part of it", token + "data: [DONE\n\n", []string{sub, sub}, "dead", "dead"},
		{"no space", token + "data:[DONE]\n\n", []string{sub, end}, "complete", "complete"},
		{"long white space", token + "data: [DONE]" + strings.Repeat(" ", 200) + "\n\n", []string{sub, end}, "complete", "complete"},
		{"[DONE] and a line that was lost", token + "data: [DONE]\nda", []string{sub}, "complete", "complete"},
		{"[DONE] and another line of data", token + "data: [DONE]\ndata: x\n\n", []string{sub, sub}, "dead", "dead"},
		{"[DONE] alone", done, []string{end}, "complete", "complete"},
		{"[DONE] in JSON", "data: {\"choices\":[{\"delta\":{\"content\":\"[DONE]\"}}]}\n\n", []string{sub}, "dead", "dead"},
		{"no [DONE]", token + finish, []string{sub, sub}, "complete", "dead"},
		{"no finish_reason", role + token, []string{"data", sub}, "dead", "dead"},
		{"one of two choices", token + strings.Replace(token, `"index":0`, `"index":1`, 1) + finish, []string{sub, sub, sub}, "dead", "dead"},
		{"both choices in one chunk", `data: {"choices":[{"index":1,"delta":{"content":"a"},"finish_reason":"stop"},{"finish_reason":"length","delta":{"content":"b"}}]}` + "\n\n", []string{sub}, "complete", "dead"},
		{"finish_reason, not terminated", token + strings.TrimSpace(finish), []string{sub}, "complete", "dead"},
		{"an index beyond all", token + finish + strings.Replace(finish, `"index":0`, `"index":999`, 1), []string{sub, sub, sub}, "dead", "dead"},
		{"nothing", "", nil, "dead", "dead"},
		{"comments", ": hi\n\n" + token, []string{"", sub}, "dead", "dead"},
		{"object error", `data: {"object":"error","message":"busy","code":503}` + "\n\n" + done, []string{failed, end}, "reported", "reported"},
		{"error behind a role", role + `data: {"error":{"message":"x"}}` + "\n\n", []string{"data", failed}, "reported", "reported"},
		{"empty text", `data: {"error":"","choices":[{"delta":{"content":"a"}}]}` + "\n\n", []string{sub}, "dead", "dead"},
		{"empty object", `data: {"error":{ },"choices":[{"delta":{"content":"a"}}]}` + "\n\n", []string{sub}, "dead", "dead"},
		{"false", `data: {"error":false,"choices":[{"delta":{"content":"a"}}]}` + "\n\n", []string{sub}, "dead", "dead"},
		{"null", `data: {"choices":[{"delta":{"content":"a"}}],"error":null}` + "\n\n", []string{sub}, "dead", "dead"},
		{"error as text", `data: {"error":"overloaded"}` + "\n\n", []string{failed}, "reported", "reported"},
		{"error beside choices", `data: {"choices":[{"delta":{"content":""},"finish_reason":"error"}],"error":{"code":502}}` + "\n\n", []string{failed}, "reported", "reported"},
		{"error within a choice", `data: {"choices":[{"delta":{"content":"a"},"error":{"code":1}}]}` + "\n\n", []string{sub}, "dead", "dead"},
		{"error mid-stream", token + `data: {"error":{"message":"x"}}` + "\n\n", []string{sub, failed}, "reported", "reported"},
		{"error that is not whole", token + `data: {"error":{"message":"x"`, []string{sub}, "dead", "dead"},
		{"choices null", `data: {"choices":null}` + "\n\n", []string{"data"}, "dead", "dead"},
		{"choices empty", `data: {"choices":[],"prompt_filter_results":[{"a":1}]}` + "\n\n", []string{"data"}, "dead", "dead"},
		{"usage", `data: {"choices":[],"usage":{"prompt_tokens":1}}` + "\n\n", []string{"data"}, "dead", "dead"},
		{"delta null", `data: {"choices":[{"delta":null,"finish_reason":null}]}` + "\n\n", []string{"data"}, "dead", "dead"},
		{"tool call", `data: {"choices":[{"delta":{"content":null,"tool_calls":[{"index":0,"function":{"name":"f","arguments":""}}]}}]}` + "\n\n", []string{sub}, "dead", "dead"},
		{"no tool call", `data: {"choices":[{"delta":{"role":"assistant","content":null,"tool_calls":[ ],"audio":{}}}]}` + "\n\n", []string{"data"}, "dead", "dead"},
		{"reasoning", `data: {"choices":[{"delta":{"role":"assistant","reasoning_content":"Hm"}}]}` + "\n\n", []string{sub}, "dead", "dead"},
		{"text of a completion", `data: {"choices":[{"text":"a","finish_reason":null}]}` + "\n\n" + `data: {"choices":[{"text":"","finish_reason":"length"}]}` + "\n\n", []string{sub, sub}, "complete", "dead"},
		{"something unknown", `data: {"spare":1}` + "\n\n", []string{sub}, "dead", "dead"},
		{"no JSON", "data: hello\n\n", []string{sub}, "dead", "dead"},
		{"keys with escapes", `data: {"\u0063hoices":[{"delt\u0061":{"role":"x"},"fin\u0069sh_reason":"st\u006fp"}]}` + "\n\n", []string{sub}, "complete", "dead"},
		{"CRLF", strings.ReplaceAll(role+token+done, "\n", "\r\n"), []string{"data", sub, end}, "complete", "complete"},
		{"CR", strings.ReplaceAll(role+token+done, "\n", "\r"), []string{"data", sub, end}, "complete", "complete"},
		{"BOM", "\xef\xbb\xbf" + role + done, []string{"data", end}, "complete", "complete"},
		{"data in lines", "data: {\"choices\":[\ndata: {\"delta\":\ndata: {\"content\":1}}]}\n\n", []string{sub}, "dead", "dead"},
		{"fields around", "id: 1\nevent: x\n" + role + "retry: 1\nid\n" + done, []string{"data", end}, "complete", "complete"},
	})
}
