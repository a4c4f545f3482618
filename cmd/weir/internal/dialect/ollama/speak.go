package ollama

import (
	"strconv"

	"weir/cmd/weir/internal/dialect"
)

// speaker speaks in lines. A call is one object on one line, so its arguments
// wait until they are whole.
type speaker struct {
	stamp dialect.Stamp
	chat  bool
	call  *dialect.Call // that is waiting
}

// NewSpeaker returns the speaker of a chat.
func NewSpeaker(h dialect.Head) dialect.Speaker {
	return &speaker{stamp: dialect.Stamp{Model: h.Model, Time: h.Created}, chat: true}
}

// NewGenerator returns the speaker of a response to generate, which has no
// calls.
func NewGenerator(h dialect.Head) dialect.Speaker {
	return &speaker{stamp: dialect.Stamp{Model: h.Model, Time: h.Created}}
}

// AppendStart implements dialect.Speaker.
func (s *speaker) AppendStart(dst []byte) []byte { return dst }

// AppendThinking implements dialect.Speaker.
func (s *speaker) AppendThinking(dst []byte, text string) []byte {
	return s.appendPart(dst, dialect.Part{Thinking: text})
}

// AppendText implements dialect.Speaker.
func (s *speaker) AppendText(dst []byte, text string) []byte {
	return s.appendPart(dst, dialect.Part{Text: text})
}

// AppendCall implements dialect.Speaker.
func (s *speaker) AppendCall(dst []byte, c dialect.Call) []byte {
	dst = s.flush(dst)
	s.call = &dialect.Call{ID: c.ID, Name: c.Name}
	return dst
}

// AppendArguments implements dialect.Speaker.
func (s *speaker) AppendArguments(dst []byte, text string) []byte {
	s.call.Arguments += text
	return dst
}

// flush appends the call that is waiting.
func (s *speaker) flush(dst []byte) []byte {
	if s.call == nil {
		return dst
	}
	p := dialect.Part{Call: s.call}
	s.call = nil
	return s.appendPart(dst, p)
}

// appendPart appends a line that is not the last.
func (s *speaker) appendPart(dst []byte, p dialect.Part) []byte {
	dst = s.appendMessage(s.flush(dst), []dialect.Part{p})
	return append(dst, ",\"done\":false}\n"...)
}

// appendMessage appends a line up to done.
func (s *speaker) appendMessage(dst []byte, parts []dialect.Part) []byte {
	var text, thinking, calls []byte
	for _, p := range parts {
		text, thinking = append(text, p.Text...), append(thinking, p.Thinking...)
		if p.Call != nil && s.chat {
			if calls != nil {
				calls = append(calls, ',')
			}
			calls = appendCall(calls, p.Call)
		}
	}
	dst = appendHead(dst, s.stamp)
	if s.chat {
		dst = append(dst, `,"message":{"role":"assistant","content":`...)
	} else {
		dst = append(dst, `,"response":`...)
	}
	dst = dialect.AppendString(dst, string(text))
	if len(thinking) > 0 {
		dst = dialect.AppendString(append(dst, `,"thinking":`...), string(thinking))
	}
	if len(calls) > 0 {
		dst = append(append(append(dst, `,"tool_calls":[`...), calls...), ']')
	}
	if s.chat {
		dst = append(dst, '}')
	}
	return dst
}

func appendCall(dst []byte, c *dialect.Call) []byte {
	dst = dialect.AppendString(append(dst, `{"id":`...), c.ID)
	dst = dialect.AppendString(append(dst, `,"function":{"name":`...), c.Name)
	arguments := c.Arguments
	if arguments == "" {
		arguments = "{}"
	}
	return append(append(append(dst, `,"arguments":`...), arguments...), "}}"...)
}

// AppendEnd implements dialect.Speaker.
func (s *speaker) AppendEnd(dst []byte, stop dialect.Stop, u dialect.Usage) []byte {
	return append(s.AppendWhole(s.flush(dst), nil, stop, u), '\n')
}

// AppendWhole implements dialect.Speaker: a stream's last line, with all parts.
func (s *speaker) AppendWhole(dst []byte, parts []dialect.Part, stop dialect.Stop, u dialect.Usage) []byte {
	dst = append(s.appendMessage(dst, parts), `,"done":true,"done_reason":"`...)
	if stop == dialect.Cut {
		dst = append(dst, "length"...)
	} else {
		dst = append(dst, "stop"...)
	}
	dst = strconv.AppendInt(append(dst, `","total_duration":`...), int64(u.Took), 10)
	dst = strconv.AppendInt(append(dst, `,"load_duration":0,"prompt_eval_count":`...), int64(u.Input), 10)
	dst = strconv.AppendInt(append(dst, `,"prompt_eval_duration":0,"eval_count":`...), int64(u.Output), 10)
	dst = strconv.AppendInt(append(dst, `,"eval_duration":`...), int64(u.Took), 10)
	return append(dst, '}')
}
