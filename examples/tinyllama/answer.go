package tinyllama

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// An answer writes the model's output in the form of OpenAI's API: chat
// completions or plain ones, as a stream of events or as one JSON object.
//
//	data: {"id":…,"choices":[{"index":0,"delta":{"content":" big"},"finish_reason":null}]}
//
// JSON never has a line break in it, so that an event is one line.
type answer struct {
	chat, stream, usage bool

	head  []byte // `{"id":…,"choices":[`, the same in all events of a response
	text  []byte // for one object: the text so far
	begun bool   // with the text
	ended bool
}

const (
	event    = "data: "
	endEvent = "\n\n"
)

// newAnswer returns the answer to req by the model of that name. The id
// distinguishes answers.
func newAnswer(req *request, model string, id uint64, now time.Time) answer {
	prefix, object := "cmpl-", "text_completion"
	switch {
	case req.chat && req.Stream:
		prefix, object = "chatcmpl-", "chat.completion.chunk"
	case req.chat:
		prefix, object = "chatcmpl-", "chat.completion"
	}
	head := append([]byte(`{"id":"`), prefix...)
	head = strconv.AppendUint(head, id, 36)
	head = append(append(append(head, `","object":"`...), object...), `","created":`...)
	head = append(strconv.AppendInt(head, now.Unix(), 10), `,"model":`...)
	head = append(appendString(head, []byte(model)), `,"choices":[`...)
	return answer{chat: req.chat, stream: req.Stream, usage: req.StreamOptions.IncludeUsage, head: head}
}

func (a *answer) contentType() string {
	if a.stream {
		return "text/event-stream"
	}
	return "application/json"
}

// complete reports whether appendEnd was called.
func (a *answer) complete() bool { return a.ended }

// appendText appends what is to be sent for the next piece of the text:
// nothing, if the response is one object.
func (a *answer) appendText(dst, piece []byte) []byte {
	if !a.stream {
		a.text = append(a.text, piece...)
		return dst
	}
	dst = append(append(append(dst, event...), a.head...), `{"index":0,`...)
	switch {
	case !a.chat:
		dst = append(appendString(append(dst, `"text":`...), piece), ',')
	case !a.begun:
		dst = append(appendString(append(dst, `"delta":{"role":"assistant","content":`...), piece), `},`...)
	default:
		dst = append(appendString(append(dst, `"delta":{"content":`...), piece), `},`...)
	}
	a.begun = true
	return append(append(dst, `"finish_reason":null}]}`...), endEvent...)
}

// appendEnd appends the rest: why it ended ("stop" or "length") and how many
// tokens there were.
func (a *answer) appendEnd(dst []byte, reason string, prompt, made int) []byte {
	a.ended = true
	if a.stream {
		dst = append(dst, event...)
	}
	dst = append(append(dst, a.head...), `{"index":0,`...)
	switch {
	case a.stream && a.chat:
		dst = append(dst, `"delta":{},`...)
	case a.chat:
		dst = append(appendString(append(dst, `"message":{"role":"assistant","content":`...), a.text), `},`...)
	default:
		dst = append(appendString(append(dst, `"text":`...), a.text), ',')
	}
	dst = append(append(append(dst, `"finish_reason":"`...), reason...), `"}]`...)
	if !a.stream {
		return append(appendUsage(dst, prompt, made), '}')
	}
	dst = append(append(dst, '}'), endEvent...)
	if a.usage {
		dst = append(append(append(dst, event...), a.head...), ']')
		dst = append(append(appendUsage(dst, prompt, made), '}'), endEvent...)
	}
	return append(dst, event+"[DONE]"+endEvent...)
}

func appendUsage(dst []byte, prompt, made int) []byte {
	dst = strconv.AppendInt(append(dst, `,"usage":{"prompt_tokens":`...), int64(prompt), 10)
	dst = strconv.AppendInt(append(dst, `,"completion_tokens":`...), int64(made), 10)
	dst = strconv.AppendInt(append(dst, `,"total_tokens":`...), int64(prompt+made), 10)
	return append(dst, '}')
}

// appendString appends s as a JSON string (RFC 8259, section 7). Bytes that are
// not UTF-8 become U+FFFD.
func appendString(dst, s []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, `\n`...)
		case r < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&0xf])
		default:
			dst = utf8.AppendRune(dst, r)
		}
		s = s[n:]
	}
	return append(dst, '"')
}
