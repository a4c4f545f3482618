package openai

import (
	"encoding/json"
	"fmt"
	"strings"

	"weir/cmd/weir/internal/dialect"
)

// Content is the content of a message: a string, or an array of parts, of which
// a text model uses the text.
type Content struct {
	Text    string         // the string, or the texts of all parts, one after another
	present bool           // neither absent nor null
	wrong   *dialect.Fault // what is wrong with it, its Param relative to the content
}

// UnmarshalJSON accepts every kind of value and remembers what is wrong with
// it: only the message knows its own place in the request.
func (c *Content) UnmarshalJSON(data []byte) error {
	*c = Content{present: data[0] != 'n'}
	switch data[0] {
	case 'n':
	case '"':
		return json.Unmarshal(data, &c.Text)
	case '[':
		c.parts(data)
	default:
		c.wrong = invalidType("", "a string or an array of content parts", kind(data))
	}
	return nil
}

// parts reads an array of parts.
func (c *Content) parts(data []byte) {
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil {
		c.wrong = decodeError(err)
		return
	}
	var b strings.Builder
	for i, raw := range list {
		text, wrong := part(raw)
		if wrong != nil {
			c.wrong = wrong.Under(fmt.Sprintf("[%d]", i))
			return
		}
		b.WriteString(text)
	}
	c.Text = b.String()
}

func part(data []byte) (text string, wrong *dialect.Fault) {
	var p struct {
		Type    string  `json:"type"`
		Text    *string `json:"text"`
		Refusal *string `json:"refusal"`
	}
	if json.Unmarshal(data, &p) != nil {
		return "", invalidType("", "a content part", kind(data))
	}
	switch {
	case p.Type == "text" && p.Text != nil:
		return *p.Text, nil
	case p.Type == "refusal" && p.Refusal != nil:
		return *p.Refusal, nil
	case p.Type == "":
		return "", dialect.Missing(".type")
	case p.Type == "text" || p.Type == "refusal":
		return "", dialect.Missing("." + p.Type)
	}
	return "", dialect.Invalid(".type", "invalid_value", "Invalid value for '.type': got '%s', but this model takes text only.", p.Type)
}

// check returns what is wrong with the content at the place param.
func (c *Content) check(param string) *dialect.Fault {
	if c.wrong == nil {
		return nil
	}
	return c.wrong.Under(param)
}
