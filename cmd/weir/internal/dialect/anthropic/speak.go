package anthropic

import (
	"strconv"

	"weir/cmd/weir/internal/dialect"
)

// speaker speaks in the events of messages. Blocks do not overlap.
type speaker struct {
	head  dialect.Head
	index int    // of the block that is open, or would be next
	open  string // its type; "" = none
	calls bool
}

// NewSpeaker returns the speaker of a message.
func NewSpeaker(h dialect.Head) dialect.Speaker { return &speaker{head: h} }

const (
	textBlock     = "text"
	thinkingBlock = "thinking"
	callBlock     = "tool_use"
)

// appendEvent appends an event up to the members that are its own.
func appendEvent(dst []byte, kind string) []byte {
	dst = append(append(append(dst, "event: "...), kind...), "\ndata: {\"type\":\""...)
	return append(append(dst, kind...), '"')
}

// AppendStart implements dialect.Speaker. How many tokens came in is in the end.
func (s *speaker) AppendStart(dst []byte) []byte {
	dst = append(appendEvent(dst, "message_start"), `,"message":`...)
	dst = append(s.appendHead(dst), `,"content":[],"stop_reason":null,"stop_sequence":null,"usage":`...)
	return append(appendUsage(dst, dialect.Usage{}), "}}\n\n"...)
}

// appendHead appends a message up to its content.
func (s *speaker) appendHead(dst []byte) []byte {
	dst = dialect.AppendString(append(dst, `{"id":`...), "msg_"+s.head.ID)
	return dialect.AppendString(append(dst, `,"type":"message","role":"assistant","model":`...), s.head.Model)
}

// appendUsage appends a usage: cached tokens are not in the input here.
func appendUsage(dst []byte, u dialect.Usage) []byte {
	dst = strconv.AppendInt(append(dst, `{"input_tokens":`...), int64(max(0, u.Input-u.Cached)), 10)
	dst = strconv.AppendInt(append(dst, `,"cache_creation_input_tokens":0,"cache_read_input_tokens":`...), int64(u.Cached), 10)
	dst = strconv.AppendInt(append(dst, `,"output_tokens":`...), int64(u.Output), 10)
	return append(dst, '}')
}

// begin opens a block of that type, if none is open.
func (s *speaker) begin(dst []byte, kind string, c dialect.Call) []byte {
	if s.open == kind && kind != callBlock {
		return dst
	}
	dst = s.end(dst)
	s.open = kind
	dst = append(s.appendIndexed(dst, "content_block_start"), `,"content_block":`...)
	switch kind {
	case textBlock:
		dst = append(dst, `{"type":"text","text":""}`...)
	case thinkingBlock:
		dst = append(dst, `{"type":"thinking","thinking":"","signature":""}`...)
	case callBlock:
		s.calls = true
		c.Arguments = "{}"
		dst = appendCall(dst, c)
	}
	return append(dst, "}\n\n"...)
}

func appendCall(dst []byte, c dialect.Call) []byte {
	dst = dialect.AppendString(append(dst, `{"type":"tool_use","id":`...), c.ID)
	dst = dialect.AppendString(append(dst, `,"name":`...), c.Name)
	return append(append(append(dst, `,"input":`...), c.Arguments...), '}')
}

func (s *speaker) appendIndexed(dst []byte, kind string) []byte {
	return strconv.AppendInt(append(appendEvent(dst, kind), `,"index":`...), int64(s.index), 10)
}

// end closes the block that is open.
func (s *speaker) end(dst []byte) []byte {
	if s.open == "" {
		return dst
	}
	dst = append(s.appendIndexed(dst, "content_block_stop"), "}\n\n"...)
	s.open = ""
	s.index++
	return dst
}

func (s *speaker) appendDelta(dst []byte, delta, text string) []byte {
	dst = append(append(s.appendIndexed(dst, "content_block_delta"), `,"delta":{"type":`...), delta...)
	return append(dialect.AppendString(dst, text), "}}\n\n"...)
}

// AppendThinking implements dialect.Speaker. It has no signature, which cannot
// be made up.
func (s *speaker) AppendThinking(dst []byte, text string) []byte {
	dst = s.begin(dst, thinkingBlock, dialect.Call{})
	return s.appendDelta(dst, `"thinking_delta","thinking":`, text)
}

// AppendText implements dialect.Speaker.
func (s *speaker) AppendText(dst []byte, text string) []byte {
	dst = s.begin(dst, textBlock, dialect.Call{})
	return s.appendDelta(dst, `"text_delta","text":`, text)
}

// AppendCall implements dialect.Speaker.
func (s *speaker) AppendCall(dst []byte, c dialect.Call) []byte { return s.begin(dst, callBlock, c) }

// AppendArguments implements dialect.Speaker.
func (s *speaker) AppendArguments(dst []byte, text string) []byte {
	return s.appendDelta(dst, `"input_json_delta","partial_json":`, text)
}

// AppendEnd implements dialect.Speaker.
func (s *speaker) AppendEnd(dst []byte, stop dialect.Stop, u dialect.Usage) []byte {
	if s.open == "" && s.index == 0 { // SDKs fail on a message without content
		dst = s.begin(dst, textBlock, dialect.Call{})
	}
	dst = append(appendEvent(s.end(dst), "message_delta"), `,"delta":{"stop_reason":"`...)
	dst = append(append(dst, reasonOf(stop, s.calls)...), `","stop_sequence":null},"usage":`...)
	dst = append(appendUsage(dst, u), "}\n\n"...)
	return append(appendEvent(dst, "message_stop"), "}\n\n"...)
}

func reasonOf(stop dialect.Stop, calls bool) string {
	switch {
	case stop == dialect.Cut:
		return "max_tokens"
	case calls:
		return "tool_use"
	}
	return "end_turn"
}

// AppendWhole implements dialect.Speaker.
func (s *speaker) AppendWhole(dst []byte, parts []dialect.Part, stop dialect.Stop, u dialect.Usage) []byte {
	dst = append(s.appendHead(dst), `,"content":[`...)
	calls := false
	for i, p := range parts {
		if i > 0 {
			dst = append(dst, ',')
		}
		switch {
		case p.Call != nil:
			calls = true
			dst = appendCall(dst, *p.Call)
		case p.Thinking != "":
			dst = dialect.AppendString(append(dst, `{"type":"thinking","thinking":`...), p.Thinking)
			dst = append(dst, `,"signature":""}`...)
		default:
			dst = append(dialect.AppendString(append(dst, `{"type":"text","text":`...), p.Text), '}')
		}
	}
	dst = append(append(append(dst, `],"stop_reason":"`...), reasonOf(stop, calls)...), `","stop_sequence":null,"usage":`...)
	return append(appendUsage(dst, u), '}')
}
