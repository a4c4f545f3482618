package openai

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestParseChatRequest(t *testing.T) {
	r, e := ParseChatRequest([]byte(`{
		"model": "weir-demo", "stream": true, "stream_options": {"include_usage": true}, "n": 1,
		"max_tokens": 5, "max_completion_tokens": 7, "temperature": 0, "seed": -3, "user": "u", "stop": ["a", "b"],
		"tools": [{"type": "function"}], "logit_bias": null, "top_p": 0.5,
		"messages": [
			{"role": "system", "content": "Be \u00e4 brief."},
			{"role": "user", "name": "x", "content": [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]},
			{"role": "assistant", "content": null, "tool_calls": []},
			{"role": "assistant"},
			{"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
			{"role": "tool", "tool_call_id": "1", "content": ""}
		]}`))
	if e != nil {
		t.Fatal(e)
	}
	if r.Model != "weir-demo" || !r.Stream || !r.IncludeUsage() || r.User != "u" || r.IgnoreEOS {
		t.Errorf("got %+v", r)
	}
	if r.TokenLimit() != 7 || *r.Temperature != 0 || *r.Seed != -3 || !slices.Equal(r.Stop, []string{"a", "b"}) {
		t.Errorf("got limit %d, temperature %v, seed %v, stop %q", r.TokenLimit(), *r.Temperature, *r.Seed, r.Stop)
	}
	want := "system: Be ä brief.\nuser: Hello\nassistant: \nassistant: \nassistant: no\ntool: \n"
	if got := r.Prompt(); got != want {
		t.Errorf("got prompt %q, want %q", got, want)
	}
}

const hi = `"model":"m","messages":[{"role":"user","content":"hi"}]`

// What is left out and what is null are the same.
func TestDefaults(t *testing.T) {
	const nulls = `,"stream":null,"stream_options":null,"max_tokens":null,"max_completion_tokens":null,` +
		`"temperature":null,"seed":null,"stop":null,"n":null,"user":null,"ignore_eos":null`
	for _, body := range []string{"{" + hi + "}", "{" + hi + nulls + "}"} {
		r, e := ParseChatRequest([]byte(body))
		if e != nil {
			t.Errorf("%s: %v", body, e)
			continue
		}
		if r.Stream || r.IncludeUsage() || r.TokenLimit() != 0 || r.Temperature != nil || r.Seed != nil || r.Stop != nil {
			t.Errorf("%s: got %+v, want nothing set", body, r)
		}
	}
}

func TestOptions(t *testing.T) {
	cases := []struct {
		field string
		ok    func(*ChatRequest) bool
	}{
		{`"stop":"end"`, func(r *ChatRequest) bool { return slices.Equal(r.Stop, []string{"end"}) }},
		{`"stop":[]`, func(r *ChatRequest) bool { return len(r.Stop) == 0 }},
		{`"max_tokens":9`, func(r *ChatRequest) bool { return r.TokenLimit() == 9 }},
		{`"temperature":2`, func(r *ChatRequest) bool { return *r.Temperature == 2 }},
		{`"seed":9223372036854775807`, func(r *ChatRequest) bool { return *r.Seed == 1<<63-1 }},
		{`"ignore_eos":true`, func(r *ChatRequest) bool { return r.IgnoreEOS }},
		{`"stream":true,"stream_options":{}`, func(r *ChatRequest) bool { return !r.IncludeUsage() }},
	}
	for _, c := range cases {
		r, e := ParseChatRequest([]byte("{" + hi + "," + c.field + "}"))
		if e != nil || !c.ok(r) {
			t.Errorf("%s: got %+v, %v", c.field, r, e)
		}
	}
}

// G17: every refusal is a 400 that names the field.
func TestRefusals(t *testing.T) {
	message := func(m string) string { return `{"model":"m","messages":[{"role":"user","content":"x"},` + m + `]}` }
	with := func(field string) string { return "{" + hi + "," + field + "}" }
	cases := []struct{ body, param, code string }{
		{``, "", ""},
		{`{`, "", ""},
		{`{"model":"m",}`, "", ""},
		{with(`"x":1`) + "{}", "", ""},
		{`[]`, "", "invalid_type"},
		{`"text"`, "", "invalid_type"},
		{`null`, "model", "missing_required_parameter"},
		{`{}`, "model", "missing_required_parameter"},
		{`{"model":""}`, "model", "missing_required_parameter"},
		{`{"model":5}`, "model", "invalid_type"},
		{`{"model":"m"}`, "messages", "missing_required_parameter"},
		{`{"model":"m","messages":null}`, "messages", "missing_required_parameter"},
		{`{"model":"m","messages":[]}`, "messages", "empty_array"},
		{`{"model":"m","messages":"hi"}`, "messages", "invalid_type"},
		{`{"model":"m","messages":["hi"]}`, "messages", "invalid_type"},
		{message(`null`), "messages[1].role", "missing_required_parameter"},
		{message(`{"content":"x"}`), "messages[1].role", "missing_required_parameter"},
		{message(`{"role":5,"content":"x"}`), "messages.role", "invalid_type"},
		{message(`{"role":"robot","content":"x"}`), "messages[1].role", "invalid_value"},
		{message(`{"role":"user"}`), "messages[1].content", "missing_required_parameter"},
		{message(`{"role":"user","content":null}`), "messages[1].content", "missing_required_parameter"},
		{message(`{"role":"user","content":7}`), "messages[1].content", "invalid_type"},
		{message(`{"role":"user","content":{}}`), "messages[1].content", "invalid_type"},
		{message(`{"role":"user","content":[{"type":"text","text":"x"},"y"]}`), "messages[1].content[1]", "invalid_type"},
		{message(`{"role":"user","content":[{"type":"text","text":5}]}`), "messages[1].content[0]", "invalid_type"},
		{message(`{"role":"user","content":[{"text":"x"}]}`), "messages[1].content[0].type", "missing_required_parameter"},
		{message(`{"role":"user","content":[{"type":"text"}]}`), "messages[1].content[0].text", "missing_required_parameter"},
		{message(`{"role":"user","content":[{"type":"image_url"}]}`), "messages[1].content[0].type", "invalid_value"},
		{with(`"stream":"yes"`), "stream", "invalid_type"},
		{with(`"stream_options":{"include_usage":true}`), "stream_options", ""},
		{with(`"stream":true,"stream_options":{"include_usage":1}`), "stream_options.include_usage", "invalid_type"},
		{with(`"max_tokens":0`), "max_tokens", "integer_below_min_value"},
		{with(`"max_tokens":1.5`), "max_tokens", "invalid_type"},
		{with(`"max_completion_tokens":-1`), "max_completion_tokens", "integer_below_min_value"},
		{with(`"temperature":-0.1`), "temperature", "decimal_below_min_value"},
		{with(`"temperature":2.1`), "temperature", "decimal_above_max_value"},
		{with(`"temperature":"hot"`), "temperature", "invalid_type"},
		{with(`"seed":1e30`), "seed", "invalid_type"},
		{with(`"stop":5`), "stop", "invalid_type"},
		{with(`"stop":["a",5]`), "stop", "invalid_type"},
		{with(`"stop":["a","b","c","d","e"]`), "stop", "array_above_max_length"},
		{with(`"n":0`), "n", "integer_below_min_value"},
		{with(`"n":2`), "n", "unsupported_value"},
	}
	for _, c := range cases {
		_, e := ParseChatRequest([]byte(c.body))
		if e == nil {
			t.Errorf("%s: got no error", c.body)
			continue
		}
		if e.Status != http.StatusBadRequest || e.Param != c.param || e.Code != c.code {
			t.Errorf("%s: got %d param %q code %q, want 400 param %q code %q", c.body, e.Status, e.Param, e.Code, c.param, c.code)
		}
		if !strings.Contains(e.Message, c.param) || strings.Contains(e.Message, "openai.") || strings.Contains(e.Message, "Go ") {
			t.Errorf("%s: got message %q, want one that names %q and no Go type", c.body, e.Message, c.param)
		}
	}
}

// No body makes a panic, a request without its necessary parts, or a prompt
// that is no UTF-8; what is refused is refused in the dialect's shape.
func FuzzParseChatRequest(f *testing.F) {
	f.Add([]byte("{" + hi + `,"stop":["a"],"stream":true,"stream_options":{"include_usage":true}}`))
	f.Add([]byte(`{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"x"},null]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, e := ParseChatRequest(body)
		if e != nil {
			if e.Status != http.StatusBadRequest || !json.Valid(Dialect.AppendError(nil, e)) {
				t.Errorf("%q: got %d %s", body, e.Status, Dialect.AppendError(nil, e))
			}
			return
		}
		if r.Model == "" || len(r.Messages) == 0 || r.Prompt() == "" || len(r.Stop) > maxStops {
			t.Errorf("%q: got %+v", body, r)
		}
	})
}

func BenchmarkParseChatRequest(b *testing.B) {
	body := []byte("{" + hi + `,"stream":true,"max_tokens":100,"temperature":0.7}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, e := ParseChatRequest(body); e != nil {
			b.Fatal(e)
		}
	}
}
