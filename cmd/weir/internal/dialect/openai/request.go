package openai

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"weir/cmd/weir/internal/dialect"
)

// ChatRequest is the body of POST /v1/chat/completions, as far as a text model
// has a use for it. A pointer is nil if the field is absent or null.
type ChatRequest struct {
	Model               string         `json:"model"`
	Messages            []Message      `json:"messages"`
	Stream              bool           `json:"stream"`
	StreamOptions       *StreamOptions `json:"stream_options"`
	MaxTokens           *int           `json:"max_tokens"`            // the older name
	MaxCompletionTokens *int           `json:"max_completion_tokens"` // wins over MaxTokens
	Temperature         *float64       `json:"temperature"`           // 0 to 2
	Seed                *int64         `json:"seed"`
	Stop                StopList       `json:"stop"` // at most 4
	N                   *int           `json:"n"`    // nil or 1
	User                string         `json:"user"`
	IgnoreEOS           bool           `json:"ignore_eos"` // vLLM's, for load tests: no end before the token limit
}

// StreamOptions are only for streamed responses.
type StreamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

// Message is one turn of the conversation.
type Message struct {
	Role    string  `json:"role"`
	Name    string  `json:"name"`
	Content Content `json:"content"`
}

// StopList is one stop sequence or an array of them.
type StopList []string

// UnmarshalJSON accepts a string, an array of strings or null.
func (l *StopList) UnmarshalJSON(data []byte) error {
	*l = nil
	switch data[0] {
	case 'n':
		return nil
	case '"':
		*l = make(StopList, 1)
		return json.Unmarshal(data, &(*l)[0])
	case '[':
		var list []string
		if json.Unmarshal(data, &list) == nil {
			*l = list
			return nil
		}
	}
	return invalidType("stop", "a string or an array of strings", kind(data))
}

// maxStops is the dialect's own limit.
const maxStops = 4

var roles = []string{"system", "developer", "user", "assistant", "tool", "function"}

// ParseChatRequest reads and checks a request. A request with an error is
// returned as far as it could be read. The request holds copies and does not
// refer to the body.
func ParseChatRequest(body []byte) (*ChatRequest, *dialect.Fault) {
	r := new(ChatRequest)
	if err := json.Unmarshal(body, r); err != nil {
		return r, decodeError(err)
	}
	return r, r.check()
}

// check finds the first thing that is wrong, in the order of the fields.
func (r *ChatRequest) check() *dialect.Fault {
	switch {
	case r.Model == "":
		return dialect.Missing("model")
	case r.Messages == nil:
		return dialect.Missing("messages")
	case len(r.Messages) == 0:
		return dialect.Invalid("messages", "empty_array", "Invalid 'messages': expected at least one message, but got an empty array instead.")
	}
	for i := range r.Messages {
		if err := r.Messages[i].check(i); err != nil {
			return err
		}
	}
	return r.checkOptions()
}

func (r *ChatRequest) checkOptions() *dialect.Fault {
	switch {
	case r.StreamOptions != nil && !r.Stream:
		return dialect.Invalid("stream_options", "", "The 'stream_options' parameter is only allowed when 'stream' is enabled.")
	case r.MaxTokens != nil && *r.MaxTokens < 1:
		return belowMinimum("max_tokens", *r.MaxTokens)
	case r.MaxCompletionTokens != nil && *r.MaxCompletionTokens < 1:
		return belowMinimum("max_completion_tokens", *r.MaxCompletionTokens)
	case r.Temperature != nil && *r.Temperature < 0:
		return dialect.Invalid("temperature", "decimal_below_min_value", "Invalid 'temperature': expected a value from 0 to 2, but got %v instead.", *r.Temperature)
	case r.Temperature != nil && *r.Temperature > 2:
		return dialect.Invalid("temperature", "decimal_above_max_value", "Invalid 'temperature': expected a value from 0 to 2, but got %v instead.", *r.Temperature)
	case len(r.Stop) > maxStops:
		return dialect.Invalid("stop", "array_above_max_length", "Invalid 'stop': expected at most %d sequences, but got %d instead.", maxStops, len(r.Stop))
	case r.N != nil && *r.N < 1:
		return belowMinimum("n", *r.N)
	case r.N != nil && *r.N > 1:
		return dialect.Invalid("n", "unsupported_value", "Unsupported value: 'n' is %d, but this model gives one choice only.", *r.N)
	}
	return nil
}

func belowMinimum(param string, got int) *dialect.Fault {
	return dialect.Invalid(param, "integer_below_min_value", "Invalid '%s': expected a value of at least 1, but got %d instead.", param, got)
}

func (m *Message) check(i int) *dialect.Fault {
	param := fmt.Sprintf("messages[%d]", i)
	if m.Role == "" {
		return dialect.Missing(param + ".role")
	}
	if !slices.Contains(roles, m.Role) {
		return dialect.Invalid(param+".role", "invalid_value", "Invalid value for '%s': got '%s', supported are '%s'.",
			param+".role", m.Role, strings.Join(roles, "', '"))
	}
	if !m.Content.present && m.Role != "assistant" { // an assistant's turn may be all tool calls
		return dialect.Missing(param + ".content")
	}
	return m.Content.check(param + ".content")
}

// TokenLimit returns the limit on the response's tokens, or 0 for none.
func (r *ChatRequest) TokenLimit() int {
	switch {
	case r.MaxCompletionTokens != nil:
		return *r.MaxCompletionTokens
	case r.MaxTokens != nil:
		return *r.MaxTokens
	}
	return 0
}

// IncludeUsage reports whether a streamed response ends with a usage chunk.
func (r *ChatRequest) IncludeUsage() bool {
	return r.StreamOptions != nil && r.StreamOptions.IncludeUsage
}

// Prompt returns the conversation as one text: each message on a line of its
// own, behind its role.
func (r *ChatRequest) Prompt() string {
	var b strings.Builder
	for i := range r.Messages {
		m := &r.Messages[i]
		b.WriteString(m.Role)
		b.WriteString(": ")
		b.WriteString(m.Content.Text)
		b.WriteByte('\n')
	}
	return b.String()
}
