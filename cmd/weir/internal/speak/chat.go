package speak

import (
	"strconv"

	"weir/cmd/weir/internal/dialect"
)

// chat writes the events of POST /v1/chat/completions. What all of them begin
// and end with is made once, so that a token costs two copies and no
// allocation.
type chat struct {
	head  string // up to the place of the choices
	tail  string // from behind the finish reason
	usage bool
	calls int
}

func newChat(h Head, o Options) Stream {
	c := &chat{
		head:  string(append(appendHead([]byte("data: "), h, "chat.completion.chunk"), `,"choices":[`...)),
		tail:  "}]}\n\n",
		usage: o.Usage,
	}
	if o.Usage { // null in every chunk until the last
		c.tail = "}],\"usage\":null}\n\n"
	}
	return c
}

// appendHead appends a response object up to and with its fingerprint.
func appendHead(dst []byte, h Head, object string) []byte {
	dst = quote(append(dst, `{"id":`...), h.ID)
	dst = quote(append(dst, `,"object":`...), object)
	dst = strconv.AppendInt(append(dst, `,"created":`...), h.Created.Unix(), 10)
	dst = quote(append(dst, `,"model":`...), h.Model)
	return append(dst, `,"system_fingerprint":null`...)
}

// quote appends s as a JSON string on one line.
func quote(dst []byte, s string) []byte { return dialect.AppendString(dst, s) }

const (
	choiceHead   = `{"index":0,"delta":`
	choiceFinish = `,"logprobs":null,"finish_reason":`
)

func (c *chat) appendDelta(dst []byte, delta string) []byte {
	dst = append(append(dst, c.head...), choiceHead...)
	return c.appendNull(append(dst, delta...))
}

// appendNull ends a chunk that does not finish its choice.
func (c *chat) appendNull(dst []byte) []byte {
	return append(append(dst, choiceFinish+"null"...), c.tail...)
}

func (c *chat) AppendBegin(dst []byte) []byte {
	return c.appendDelta(dst, `{"role":"assistant","content":"","refusal":null}`)
}

func (c *chat) AppendText(dst []byte, text string) []byte {
	dst = append(append(dst, c.head...), choiceHead+`{"content":`...)
	return c.appendNull(append(quote(dst, text), '}'))
}

func (c *chat) AppendThought(dst []byte, text string) []byte {
	dst = append(append(dst, c.head...), choiceHead+`{"reasoning_content":`...)
	return c.appendNull(append(quote(dst, text), '}'))
}

func (c *chat) AppendCall(dst []byte, call Call) []byte {
	at := strconv.Itoa(c.calls)
	c.calls++
	dst = append(append(append(dst, c.head...), choiceHead+`{"tool_calls":[{"index":`...), at...)
	dst = quote(append(dst, `,"id":`...), call.ID)
	dst = quote(append(dst, `,"type":"function","function":{"name":`...), call.Name)
	dst = c.appendNull(append(dst, `,"arguments":""}}]}`...))
	for _, text := range pieces(call.Arguments) {
		dst = append(append(append(dst, c.head...), choiceHead+`{"tool_calls":[{"index":`...), at...)
		dst = quote(append(dst, `,"function":{"arguments":`...), text)
		dst = c.appendNull(append(dst, `}}]}`...))
	}
	return dst
}

func (c *chat) AppendEnd(dst []byte, why Finish, u Usage) []byte {
	dst = append(append(dst, c.head...), choiceHead+"{}"+choiceFinish...)
	dst = append(quote(dst, string(why)), c.tail...)
	if c.usage {
		dst = append(append(dst, c.head...), `],"usage":`...)
		dst = append(u.append(dst), "}\n\n"...)
	}
	return append(dst, "data: [DONE]\n\n"...)
}

func (u Usage) append(dst []byte) []byte {
	dst = strconv.AppendInt(append(dst, `{"prompt_tokens":`...), int64(u.Prompt), 10)
	dst = strconv.AppendInt(append(dst, `,"completion_tokens":`...), int64(u.Completion), 10)
	dst = strconv.AppendInt(append(dst, `,"total_tokens":`...), int64(u.Prompt+u.Completion), 10)
	return append(dst, '}')
}

func appendCompletion(dst []byte, h Head, t Turn) []byte {
	dst = appendHead(dst, h, "chat.completion")
	dst = append(dst, `,"choices":[{"index":0,"message":{"role":"assistant","content":`...)
	if t.Text == "" && len(t.Calls) > 0 {
		dst = append(dst, "null"...)
	} else {
		dst = quote(dst, t.Text)
	}
	dst = append(dst, `,"refusal":null,"annotations":[]`...)
	if t.Thought != "" {
		dst = quote(append(dst, `,"reasoning_content":`...), t.Thought)
	}
	for i, c := range t.Calls {
		dst = append(dst, []string{`,"tool_calls":[`, ","}[min(i, 1)]...)
		dst = quote(append(dst, `{"id":`...), c.ID)
		dst = quote(append(dst, `,"type":"function","function":{"name":`...), c.Name)
		dst = quote(append(dst, `,"arguments":`...), c.Arguments)
		dst = append(dst, "}}"...)
	}
	if len(t.Calls) > 0 {
		dst = append(dst, ']')
	}
	dst = quote(append(dst, `},"logprobs":null,"finish_reason":`...), string(t.Finish))
	dst = append(dst, `}],"usage":`...)
	return append(t.Usage.append(dst), '}')
}

// legacy writes the events of POST /v1/completions, which have a text and no
// tools.
type legacy struct {
	head  string
	usage bool
}

func newLegacy(h Head, o Options) Stream {
	return &legacy{string(append(appendHead([]byte("data: "), h, "text_completion"), `,"choices":[`...)), o.Usage}
}

func (l *legacy) appendChoice(dst []byte, text, finish string) []byte {
	dst = quote(append(append(dst, l.head...), `{"index":0,"text":`...), text)
	dst = append(append(dst, choiceFinish...), finish...)
	if l.usage {
		return append(dst, "}],\"usage\":null}\n\n"...)
	}
	return append(dst, "}]}\n\n"...)
}

func (l *legacy) AppendBegin(dst []byte) []byte                { return dst }
func (l *legacy) AppendThought(dst []byte, text string) []byte { return dst }
func (l *legacy) AppendCall(dst []byte, _ Call) []byte         { return dst }
func (l *legacy) AppendText(dst []byte, text string) []byte    { return l.appendChoice(dst, text, "null") }

func (l *legacy) AppendEnd(dst []byte, why Finish, u Usage) []byte {
	dst = l.appendChoice(dst, "", `"`+string(why)+`"`)
	if l.usage {
		dst = append(append(dst, l.head...), `],"usage":`...)
		dst = append(u.append(dst), "}\n\n"...)
	}
	return append(dst, "data: [DONE]\n\n"...)
}

func appendLegacy(dst []byte, h Head, t Turn) []byte {
	dst = appendHead(dst, h, "text_completion")
	dst = quote(append(dst, `,"choices":[{"index":0,"text":`...), t.Text)
	dst = quote(append(dst, choiceFinish...), string(t.Finish))
	dst = append(dst, `}],"usage":`...)
	return append(t.Usage.append(dst), '}')
}

func (c *chat) AppendError(dst []byte, e Error) []byte   { return e.append(dst) }
func (l *legacy) AppendError(dst []byte, e Error) []byte { return e.append(dst) }

// append appends the error as an event of OpenAI's.
func (e Error) append(dst []byte) []byte {
	dst = quote(append(dst, `data: {"error":{"message":`...), e.Message)
	dst = quote(append(dst, `,"type":`...), e.Type)
	return append(quote(append(dst, `,"param":null,"code":`...), e.Code), "}"+endEvent...)
}
