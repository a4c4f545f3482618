package tinyllama

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// A request is the part of OpenAI's requests that is used here; other fields
// are ignored. With messages it is for a chat completion, with a prompt for a
// plain one.
type request struct {
	Messages  []message
	Prompt    *string
	MaxTokens *int `json:"max_tokens"`
	MaxNew    *int `json:"max_completion_tokens"` // what newer clients call it

	Temperature   *float64
	Seed          *int64
	Stream        bool
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`

	chat bool
	text string // to be continued
}

type message struct{ Content content }

// content is a text, or a list of parts of which only texts are known.
type content string

func (c *content) UnmarshalJSON(raw []byte) error {
	if len(raw) == 0 || raw[0] != '[' {
		return json.Unmarshal(raw, (*string)(c))
	}
	var parts []struct{ Type, Text string }
	if err := json.Unmarshal(raw, &parts); err != nil {
		return err
	}
	for _, p := range parts {
		if p.Type != "text" {
			return fmt.Errorf("a part of type %q; only text is understood", p.Type)
		}
		*c += content(p.Text)
	}
	return nil
}

// parse reads a request's body.
func parse(body []byte) (*request, error) {
	var r request
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, fmt.Errorf("the body: %w", err)
	}
	switch {
	case (r.Prompt == nil) == (r.Messages == nil):
		return nil, errors.New("give either messages or a prompt")
	case r.limit() < 1:
		return nil, errors.New("max_tokens must be 1 or more")
	case r.temperature() < 0 || r.temperature() > 2:
		return nil, errors.New("temperature must be between 0 and 2")
	}
	if r.Prompt != nil {
		r.text = *r.Prompt
		return &r, nil
	}
	// A model that was trained on stories knows no roles: the conversation is a
	// text that it continues.
	r.chat = true
	var lines []string
	for _, m := range r.Messages {
		lines = append(lines, string(m.Content))
	}
	r.text = strings.Join(lines, "\n")
	return &r, nil
}

const unlimited = 1 << 30 // the context ends it

func (r *request) limit() int {
	for _, n := range []*int{r.MaxNew, r.MaxTokens} {
		if n != nil {
			return *n
		}
	}
	return unlimited
}

func (r *request) temperature() float64 {
	if r.Temperature == nil {
		return 1
	}
	return *r.Temperature
}
