package speak

import "strconv"

// message writes the events of POST /v1/messages. Its content is a list of
// blocks, of which one is open at a time: clients read them by their order.
type message struct {
	Head
	prompt int
	index  int   // of the open block, or of the next one
	open   block // none between two
}

type block uint8

const (
	none block = iota
	thinking
	text
	tool
)

// signature is what a thinking block ends with: to Anthropic's own models a
// proof, to clients a text that they send back.
const signature = "d2Vpcg=="

func newMessage(h Head, o Options) Stream { return &message{Head: h, prompt: o.Prompt} }

func event(dst []byte, name string) []byte {
	dst = append(append(dst, "event: "...), name...)
	return append(append(append(dst, "\ndata: {\"type\":\""...), name...), '"')
}

const endEvent = "}\n\n"

func (m *message) AppendBegin(dst []byte) []byte {
	dst = append(event(dst, "message_start"), `,"message":`...)
	dst = appendMessageHead(dst, m.Head)
	dst = append(dst, `"content":[],"stop_reason":null,"stop_sequence":null,"usage":`...)
	dst = appendMessageUsage(dst, Usage{Prompt: m.prompt})
	return append(dst, "}"+endEvent...)
}

func appendMessageHead(dst []byte, h Head) []byte {
	dst = quote(append(dst, `{"id":`...), h.ID)
	dst = quote(append(dst, `,"type":"message","role":"assistant","model":`...), h.Model)
	return append(dst, ',')
}

func appendMessageUsage(dst []byte, u Usage) []byte {
	dst = strconv.AppendInt(append(dst, `{"input_tokens":`...), int64(u.Prompt), 10)
	dst = append(dst, `,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":`...)
	return append(strconv.AppendInt(dst, int64(u.Completion), 10), '}')
}

// turn makes b the open block; content is what a new one begins with.
func (m *message) turn(dst []byte, b block, content string) []byte {
	if m.open == b && b != tool {
		return dst
	}
	dst = m.close(dst)
	m.open = b
	dst = m.at(event(dst, "content_block_start"))
	dst = append(append(dst, `,"content_block":`...), content...)
	return append(dst, endEvent...)
}

func (m *message) at(dst []byte) []byte {
	return strconv.AppendInt(append(dst, `,"index":`...), int64(m.index), 10)
}

func (m *message) close(dst []byte) []byte {
	if m.open == none {
		return dst
	}
	if m.open == thinking {
		dst = m.delta(dst, `{"type":"signature_delta","signature":`, signature)
	}
	dst = append(m.at(event(dst, "content_block_stop")), endEvent...)
	m.open = none
	m.index++
	return dst
}

func (m *message) delta(dst []byte, kind, value string) []byte {
	dst = m.at(event(dst, "content_block_delta"))
	dst = append(append(dst, `,"delta":`...), kind...)
	return append(quote(dst, value), "}"+endEvent...)
}

func (m *message) AppendThought(dst []byte, s string) []byte {
	dst = m.turn(dst, thinking, `{"type":"thinking","thinking":"","signature":""}`)
	return m.delta(dst, `{"type":"thinking_delta","thinking":`, s)
}

func (m *message) AppendText(dst []byte, s string) []byte {
	dst = m.turn(dst, text, `{"type":"text","text":""}`)
	return m.delta(dst, `{"type":"text_delta","text":`, s)
}

func (m *message) AppendCall(dst []byte, c Call) []byte {
	head := quote([]byte(`{"type":"tool_use","id":`), c.ID)
	head = append(quote(append(head, `,"name":`...), c.Name), `,"input":{}}`...)
	dst = m.turn(dst, tool, string(head))
	for _, p := range pieces(c.Arguments) {
		dst = m.delta(dst, `{"type":"input_json_delta","partial_json":`, p)
	}
	return m.close(dst)
}

func (m *message) AppendEnd(dst []byte, why Finish, u Usage) []byte {
	if m.index == 0 && m.open == none { // some clients fail without any content
		dst = m.turn(dst, text, `{"type":"text","text":""}`)
	}
	dst = m.close(dst)
	dst = append(event(dst, "message_delta"), `,"delta":{"stop_reason":"`...)
	dst = append(append(dst, stopReason(why)...), `","stop_sequence":null},"usage":`...)
	dst = append(appendMessageUsage(dst, u), endEvent...)
	return append(event(dst, "message_stop"), endEvent...)
}

func stopReason(why Finish) string {
	switch why {
	case Length:
		return "max_tokens"
	case Calls:
		return "tool_use"
	}
	return "end_turn"
}

func appendMessage(dst []byte, h Head, t Turn) []byte {
	dst = append(appendMessageHead(dst, h), `"content":[`...)
	begin := len(dst)
	add := func(kind string) {
		if len(dst) > begin {
			dst = append(dst, ',')
		}
		dst = append(dst, kind...)
	}
	if t.Thought != "" {
		add(`{"type":"thinking","thinking":`)
		dst = append(quote(dst, t.Thought), `,"signature":"`+signature+`"}`...)
	}
	if t.Text != "" || len(t.Calls) == 0 {
		add(`{"type":"text","text":`)
		dst = append(quote(dst, t.Text), '}')
	}
	for _, c := range t.Calls {
		add(`{"type":"tool_use","id":`)
		dst = quote(append(quote(dst, c.ID), `,"name":`...), c.Name)
		dst = append(append(append(dst, `,"input":`...), c.Arguments...), '}')
	}
	dst = append(append(dst, `],"stop_reason":"`...), stopReason(t.Finish)...)
	dst = append(dst, `","stop_sequence":null,"usage":`...)
	return append(appendMessageUsage(dst, t.Usage), '}')
}

func (m *message) AppendError(dst []byte, e Error) []byte {
	dst = quote(append(event(dst, "error"), `,"error":{"type":`...), e.Type)
	return append(quote(append(dst, `,"message":`...), e.Message), "}"+endEvent...)
}
