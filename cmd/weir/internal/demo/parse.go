package demo

import (
	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/dialect/openai"
	"weir/cmd/weir/internal/speak"
)

// The paths at which the demo generates a text.
const (
	chatPath     = "/v1/chat/completions"
	messagesPath = "/v1/messages"
)

var generating = map[string]*speak.Dialect{
	chatPath:          speak.Chat,
	"/v1/completions": speak.Completions,
	"/v1/responses":   speak.Responses,
	messagesPath:      speak.Messages,
	"/api/chat":       speak.OllamaChat,
	"/api/generate":   speak.OllamaGenerate,
}

// parse reads and checks a request. A request with a fault is returned as far
// as it could be read.
func parse(d *speak.Dialect, body []byte) (*speak.Request, *dialect.Fault) {
	if d == speak.Chat {
		return parseChat(body)
	}
	r, err := d.Read(body)
	switch said := saidIn[d]; {
	case err != nil:
		return &r, dialect.Invalid("", "", "We could not parse the JSON body of your request: %v.", err)
	case r.Model == "":
		return &r, dialect.Missing("model")
	case r.Turns == 0:
		return &r, dialect.Missing(said)
	case d == speak.Messages && r.MaxTokens == 0:
		return &r, dialect.Missing("max_tokens")
	case r.MaxTokens < 0:
		return &r, dialect.Invalid("max_tokens", "integer_below_min_value", "Invalid 'max_tokens': expected a value of at least 1, but got %d instead.", r.MaxTokens)
	}
	return &r, nil
}

// saidIn is where a request of each dialect has what the user said.
var saidIn = map[*speak.Dialect]string{
	speak.Completions: "prompt", speak.Responses: "input", speak.Messages: "messages",
	speak.OllamaChat: "messages", speak.OllamaGenerate: "prompt",
}

// parseChat is parse for the dialect whose own checks are known in detail.
func parseChat(body []byte) (*speak.Request, *dialect.Fault) {
	r, wrong := openai.ParseChatRequest(body)
	if r == nil {
		return new(speak.Request), wrong
	}
	return &speak.Request{
		Model: r.Model, Stream: r.Stream, Usage: r.IncludeUsage(), Prompt: r.Prompt(), Turns: len(r.Messages),
		MaxTokens: r.TokenLimit(), Temperature: r.Temperature, Seed: r.Seed, Stop: r.Stop, IgnoreEnd: r.IgnoreEOS,
	}, wrong
}
