package speak_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"weir/cmd/weir/internal/speak"
)

func TestRead(t *testing.T) {
	half, seed := 0.5, int64(3)
	tests := []struct {
		name string
		d    *speak.Dialect
		body string
		want speak.Request
	}{
		{
			"chat", speak.Chat,
			`{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"Hi"},{"type":"text","text":"!"}]}],"max_completion_tokens":5,"temperature":0.5,"seed":3,"stop":"x","ignore_eos":true}`,
			speak.Request{Model: "m", Stream: true, Usage: true, Prompt: "system: Be brief.\nuser: Hi!\n", Turns: 2, MaxTokens: 5, Temperature: &half, Seed: &seed, Stop: []string{"x"}, IgnoreEnd: true},
		},
		{
			"chat with tools", speak.Chat,
			`{"model":"m","tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}},{"type":"web_search"}],"messages":[{"role":"user","content":"a"},{"role":"assistant","content":null,"tool_calls":[]},{"role":"tool","content":"1"},{"role":"tool","content":"2"}]}`,
			speak.Request{Model: "m", Prompt: "user: a\nassistant: \ntool: 1\ntool: 2\n", Turns: 4, Results: 2, Tools: []speak.Tool{{Name: "f", Schema: json.RawMessage(`{"type":"object"}`)}}},
		},
		{
			"results of an earlier question", speak.Chat,
			`{"model":"m","messages":[{"role":"tool","content":"1"},{"role":"user","content":"b"}]}`,
			speak.Request{Model: "m", Prompt: "tool: 1\nuser: b\n", Turns: 2},
		},
		{
			"JSON", speak.Chat,
			`{"model":"m","messages":[],"response_format":{"type":"json_object"}}`,
			speak.Request{Model: "m", JSON: json.RawMessage("{}")},
		},
		{
			"a JSON schema", speak.Chat,
			`{"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"array"}}}}`,
			speak.Request{JSON: json.RawMessage(`{"type":"array"}`)},
		},
		{
			"completions", speak.Completions,
			`{"model":"m","prompt":["a","b"],"stop":["x","y"],"stream_options":null}`,
			speak.Request{Model: "m", Prompt: "user: a\nuser: b\n", Turns: 2, Stop: []string{"x", "y"}},
		},
		{
			"responses", speak.Responses,
			`{"model":"m","input":"Hi","instructions":"Be brief.","max_output_tokens":9,"text":{"format":{"type":"json_schema","name":"n","schema":{"type":"string"}}},"tools":[{"type":"function","name":"f","parameters":{}}]}`,
			speak.Request{Model: "m", Prompt: "system: Be brief.\nuser: Hi\n", Turns: 1, MaxTokens: 9, JSON: json.RawMessage(`{"type":"string"}`), Tools: []speak.Tool{{Name: "f", Schema: json.RawMessage("{}")}}},
		},
		{
			"responses with items", speak.Responses,
			`{"model":"m","text":{"format":{"type":"text"}},"input":[{"role":"user","content":[{"type":"input_text","text":"Hi"}]},{"type":"function_call","name":"f","call_id":"1","arguments":"{}"},{"type":"function_call_output","call_id":"1","output":"ok"}]}`,
			speak.Request{Model: "m", Prompt: "user: Hi\ntool: ok\n", Turns: 3, Results: 1},
		},
		{
			"messages", speak.Messages,
			`{"model":"m","max_tokens":8,"system":[{"type":"text","text":"Be brief."}],"stop_sequences":["x"],"output_config":{"effort":"low"},"tools":[{"name":"f","input_schema":{"type":"object"}}],"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":[{"type":"text","text":"ok"}]}]}]}`,
			speak.Request{Model: "m", MaxTokens: 8, Stop: []string{"x"}, Prompt: "system: Be brief.\nuser: Hi\nassistant: \nuser: ok\n", Turns: 3, Results: 1, Tools: []speak.Tool{{Name: "f", Schema: json.RawMessage(`{"type":"object"}`)}}},
		},
		{
			"ollama", speak.OllamaChat,
			`{"model":"m","messages":[{"role":"user","content":"Hi"}],"options":{"num_predict":-1,"seed":3,"stop":["x"]},"format":"json"}`,
			speak.Request{Model: "m", Stream: true, Prompt: "user: Hi\n", Turns: 1, Seed: &seed, Stop: []string{"x"}, JSON: json.RawMessage("{}")},
		},
		{
			"ollama's schema", speak.OllamaGenerate,
			`{"model":"m","prompt":"Hi","stream":false,"format":{"type":"object"}}`,
			speak.Request{Model: "m", Prompt: "user: Hi\n", Turns: 1, JSON: json.RawMessage(`{"type":"object"}`)},
		},
		{"a BOM", speak.Chat, "\ufeff" + `{"model":"m"}`, speak.Request{Model: "m"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.d.Read([]byte(tt.body))
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v (%v)\nwant %+v", got, err, tt.want)
			}
		})
	}
}

func TestReadWrong(t *testing.T) {
	for name, body := range map[string]string{
		"empty": "", "not JSON": "x", "an array": "[]", "cut": `{"model":"m","stream":tr`,
		"a wrong type": `{"model":"m","messages":5}`, "behind it": `{"model":"m","seed":"x"}`,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := speak.Chat.Read([]byte(body))
			if err == nil {
				t.Fatal("got no error")
			}
			if len(body) > 2 && got.Model != "m" {
				t.Errorf("got %+v, want what could be read", got)
			}
		})
	}
}

// What is read without an error is an object to encoding/json, too, and has that
// model.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"model":"m","messages":[{"role":"user","content":"Hi"}],"options":{"stop":"x"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, d := range dialects {
			r, err := d.Read(body)
			if err != nil {
				continue
			}
			var want map[string]json.RawMessage
			body := bytes.TrimPrefix(body, []byte("\ufeff"))
			if err := json.NewDecoder(bytes.NewReader(body)).Decode(&want); err != nil {
				t.Fatalf("%s: %v", d.Name, err)
			}
			var model string
			if v := want["model"]; v != nil && json.Unmarshal(v, &model) == nil && model != "" && model != r.Model {
				t.Fatalf("%s: got %q, want %q", d.Name, r.Model, model)
			}
		}
	})
}

// What contains itself costs no more than a bounded number of steps: these took
// for ever.
func TestBounds(t *testing.T) {
	tree := `{"type":"object","required":["a","b","c","d"],"properties":{"a":{"$ref":"#"},"b":{"$ref":"#"},"c":{"$ref":"#"},"d":{"$ref":"#"}}}`
	if got := speak.Sample(json.RawMessage(tree)); len(got) > 64<<10 || !json.Valid([]byte(got)) {
		t.Errorf("got %d bytes, want a bounded sample", len(got))
	}
	const depth = 3000
	nested := strings.Repeat(`{"format":`, depth) + `"` + strings.Repeat("x", 1<<20) + `"` + strings.Repeat("}", depth)
	if r, err := speak.Responses.Read([]byte(`{"model":"m","text":` + nested + `}`)); err != nil || r.JSON != nil {
		t.Errorf("got %.80s, %v, want nothing of it", r.JSON, err)
	}
	results := strings.Repeat(`[{"type":"tool_result","content":`, depth) + `"` + strings.Repeat("x", 1<<20) + `"` + strings.Repeat("}]", depth)
	if r, err := speak.Messages.Read([]byte(`{"model":"m","messages":[{"role":"user","content":` + results + `}]}`)); err != nil || r.Results != 1 {
		t.Errorf("got %d results, %v, want one", r.Results, err)
	}
}

func TestSample(t *testing.T) {
	tests := []struct{ schema, want string }{
		{`{}`, `{}`},
		{`{"type":"object","required":["b","a"],"properties":{"a":{"type":"integer"},"b":{"type":["string","null"]},"c":{"type":"string"}}}`, `{"a":1,"b":"weir"}`},
		{`{"type":"array","items":{"type":"string"}}`, `[]`},
		{`{"enum":["x","y"]}`, `"x"`},
		{`{"const":5}`, `5`},
		{`{"anyOf":[{"type":"boolean"},{"type":"null"}]}`, `true`},
		{`{"$defs":{"a/b":{"type":"number"}},"type":"object","required":["p"],"properties":{"p":{"$ref":"#/$defs/a~1b"}}}`, `{"p":1}`},
		{`{"$ref":"#"}`, `null`},
		{`{"$ref":"#/a","a":{"$ref":"#/a"}}`, `null`},
		{`broken`, `null`},
	}
	for _, tt := range tests {
		if got := speak.Sample(json.RawMessage(tt.schema)); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.schema, got, tt.want)
		}
	}
}
