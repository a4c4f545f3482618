package speak

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// A Request is what a text model needs to know of a request, whatever its
// dialect. Members that it has no use for are ignored, as model servers do:
// clients send many.
type Request struct {
	Model  string
	Stream bool // Ollama's is true unless it says otherwise
	Usage  bool // stream_options.include_usage

	Prompt  string // the conversation as one text: each message on a line of its own, behind its role
	Turns   int    // messages
	Results int    // of tools, since the user last spoke

	Tools []Tool
	JSON  json.RawMessage // the response is to be JSON by this schema, {} for any; nil = text

	MaxTokens   int // 0 = no limit
	Temperature *float64
	Seed        *int64
	Stop        []string
	IgnoreEnd   bool // vLLM's ignore_eos: no end before the token limit
}

// A Tool is one that the client offers.
type Tool struct {
	Name   string
	Schema json.RawMessage // of its arguments; nil = any
}

// errNoObject is what is wrong with a body that is not a JSON object.
var errNoObject = errors.New("speak: the body is not a JSON object")

// Read reads the body of a request. On an error, which is that of a broken or
// an incomplete body or of a member of the wrong type, what could be read is
// there.
func (d *Dialect) Read(body []byte) (Request, error) {
	r := Request{Stream: d == OllamaChat || d == OllamaGenerate}
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\ufeff"))))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return r, errNoObject
	}
	var first error
	for dec.More() {
		var value json.RawMessage
		name, err := dec.Token()
		if err == nil {
			err = dec.Decode(&value)
		}
		if err != nil {
			return r, fmt.Errorf("speak: %w", err)
		}
		if err := r.member(d, name.(string), value); err != nil && first == nil {
			first = fmt.Errorf("speak: %s: %w", name, err)
		}
	}
	if _, err := dec.Token(); err != nil && first == nil {
		first = fmt.Errorf("speak: %w", err)
	}
	return r, first
}

// member reads one member of the request. Names that several dialects have mean
// the same in all of them.
func (r *Request) member(d *Dialect, name string, value json.RawMessage) error {
	if string(value) == "null" {
		return nil
	}
	read := func(v any) error { return json.Unmarshal(value, v) }
	switch name {
	case "model":
		return read(&r.Model)
	case "stream":
		return read(&r.Stream)
	case "stream_options":
		return read(&struct {
			IncludeUsage *bool `json:"include_usage"`
		}{&r.Usage})
	case "messages":
		return r.messages(value)
	case "input", "prompt":
		return r.input(value)
	case "system", "instructions":
		r.Prompt = "system: " + textOf(value) + "\n" + r.Prompt
	case "tools":
		return r.tools(value)
	case "max_tokens", "max_completion_tokens", "max_output_tokens":
		return read(&r.MaxTokens)
	case "temperature":
		return read(&r.Temperature)
	case "seed":
		return read(&r.Seed)
	case "stop", "stop_sequences":
		return r.stops(value)
	case "ignore_eos":
		return read(&r.IgnoreEnd)
	case "options":
		return r.options(d, value)
	case "response_format", "format":
		return r.format(value)
	case "text", "output_config":
		return r.formatIn(value)
	}
	return nil
}

// options are Ollama's.
func (r *Request) options(d *Dialect, value json.RawMessage) error {
	var o map[string]json.RawMessage
	if err := json.Unmarshal(value, &o); err != nil {
		return err
	}
	for name, v := range o {
		if name == "num_predict" {
			name = "max_tokens"
		}
		if name == "options" || name == "messages" {
			continue
		}
		if err := r.member(d, name, v); err != nil {
			return err
		}
	}
	r.MaxTokens = max(0, r.MaxTokens) // -1 is none
	return nil
}

func (r *Request) stops(value json.RawMessage) error {
	var one string
	if json.Unmarshal(value, &one) == nil {
		r.Stop = []string{one}
		return nil
	}
	return json.Unmarshal(value, &r.Stop)
}

// turn is a message, or an item of a Responses input.
type turn struct {
	Type    string
	Role    string
	Content json.RawMessage
	Output  json.RawMessage
}

func (r *Request) messages(value json.RawMessage) error {
	var list []turn
	if err := json.Unmarshal(value, &list); err != nil {
		return err
	}
	r.Turns = len(list)
	var b strings.Builder
	for _, t := range list {
		text, results := textOf(t.Content), resultsIn(t.Content)
		switch {
		case t.Type == "function_call_output" || t.Type == "custom_tool_call_output":
			results, text, t.Role = 1, textOf(t.Output), "tool"
		case t.Role == "tool" || t.Role == "function":
			results = 1
		case t.Role == "user" && results == 0:
			r.Results = 0
		}
		r.Results += results
		if t.Role == "" { // a call that the model has made, and the like
			continue
		}
		b.WriteString(t.Role + ": " + text + "\n")
	}
	r.Prompt += b.String()
	return nil
}

// input is the conversation of Responses, which may be one text, or the text of
// completions and embeddings, which may be several.
func (r *Request) input(value json.RawMessage) error {
	var one string
	if json.Unmarshal(value, &one) == nil {
		r.Turns, r.Prompt = 1, r.Prompt+"user: "+one+"\n"
		return nil
	}
	var many []string
	if json.Unmarshal(value, &many) == nil {
		r.Turns, r.Prompt = len(many), r.Prompt+"user: "+strings.Join(many, "\nuser: ")+"\n"
		return nil
	}
	return r.messages(value)
}

// part is one of a message's content.
type part struct {
	Type    string
	Text    string
	Content json.RawMessage // of a tool's result
}

// textOf returns the text of a content, which is a string or a list of parts,
// results of tools among them. Those have no results in them: what is nested
// deeper is not looked at, since each level would be parsed again.
func textOf(content json.RawMessage) string {
	return textWith(content, func(result json.RawMessage) string { return textWith(result, nil) })
}

func textWith(content json.RawMessage, result func(json.RawMessage) string) string {
	var one string
	if json.Unmarshal(content, &one) == nil {
		return one
	}
	var list []part
	if json.Unmarshal(content, &list) != nil {
		return ""
	}
	var b strings.Builder
	for _, p := range list {
		b.WriteString(p.Text)
		if p.Type == "tool_result" && result != nil {
			b.WriteString(result(p.Content))
		}
	}
	return b.String()
}

// resultsIn counts the results of tools in a content of Anthropic's.
func resultsIn(content json.RawMessage) (n int) {
	var list []part
	if json.Unmarshal(content, &list) != nil {
		return 0
	}
	for _, p := range list {
		if p.Type == "tool_result" {
			n++
		}
	}
	return n
}

// tools reads the three shapes that tools have: OpenAI's and Ollama's in an
// object of their own, Responses' flat, Anthropic's with an input_schema.
func (r *Request) tools(value json.RawMessage) error {
	type function struct {
		Name        string
		Parameters  json.RawMessage
		InputSchema json.RawMessage `json:"input_schema"`
	}
	var list []struct {
		function
		Function *function
	}
	if err := json.Unmarshal(value, &list); err != nil {
		return err
	}
	for _, t := range list {
		f := t.function
		if t.Function != nil {
			f = *t.Function
		}
		if f.Name == "" {
			continue // one that the server is to have
		}
		schema := f.Parameters
		if schema == nil {
			schema = f.InputSchema
		}
		r.Tools = append(r.Tools, Tool{f.Name, schema})
	}
	return nil
}

// formatIn reads the format in the text of Responses and in the output_config of
// Messages.
func (r *Request) formatIn(value json.RawMessage) error {
	var in struct{ Format json.RawMessage }
	if err := json.Unmarshal(value, &in); err != nil || in.Format == nil {
		return err
	}
	return r.format(in.Format)
}

// format reads how a request asks for JSON: Ollama's "json" or a schema, or
// OpenAI's response_format.
func (r *Request) format(value json.RawMessage) error {
	if string(value) == `"json"` {
		r.JSON = json.RawMessage("{}")
		return nil
	}
	var f struct {
		Type       string
		Schema     json.RawMessage
		JSONSchema struct{ Schema json.RawMessage } `json:"json_schema"`
	}
	if err := json.Unmarshal(value, &f); err != nil {
		return err
	}
	switch {
	case f.Type == "json_object":
		r.JSON = json.RawMessage("{}")
	case f.JSONSchema.Schema != nil:
		r.JSON = f.JSONSchema.Schema
	case f.Type == "json_schema" && f.Schema != nil:
		r.JSON = f.Schema
	case f.Type == "object": // Ollama's: the schema itself
		r.JSON = value
	}
	return nil
}
