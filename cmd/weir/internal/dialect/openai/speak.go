package openai

import (
	"strconv"
	"strings"

	"weir/cmd/weir/internal/dialect"
)

// speaker speaks in chat chunks.
type speaker struct {
	*Chunks
	head  dialect.Head
	calls int
}

// NewSpeaker returns the speaker of a chat completion.
func NewSpeaker(h dialect.Head) dialect.Speaker {
	return &speaker{Chunks: NewChunks(answerOf("chatcmpl-", h), h.Usage), head: h}
}

func answerOf(prefix string, h dialect.Head) Answer {
	return Answer{ID: prefix + h.ID, Model: h.Model, Created: h.Created.Unix()}
}

// AppendStart implements dialect.Speaker.
func (s *speaker) AppendStart(dst []byte) []byte { return s.AppendRole(dst) }

// AppendThinking implements dialect.Speaker, by the name that most engines use.
func (s *speaker) AppendThinking(dst []byte, text string) []byte {
	dst = dialect.AppendString(s.appendDelta(dst, `{"reasoning_content":`), text)
	return s.endDelta(append(dst, '}'))
}

// AppendText implements dialect.Speaker.
func (s *speaker) AppendText(dst []byte, text string) []byte { return s.AppendContent(dst, text) }

// AppendCall implements dialect.Speaker.
func (s *speaker) AppendCall(dst []byte, c dialect.Call) []byte {
	s.calls++
	dst = s.appendCallHead(dst)
	dst = dialect.AppendString(append(dst, `,"id":`...), c.ID)
	dst = dialect.AppendString(append(dst, `,"type":"function","function":{"name":`...), c.Name)
	return s.endDelta(append(dst, `,"arguments":""}}]}`...))
}

// AppendArguments implements dialect.Speaker.
func (s *speaker) AppendArguments(dst []byte, text string) []byte {
	dst = append(s.appendCallHead(dst), `,"function":{"arguments":`...)
	return s.endDelta(append(dialect.AppendString(dst, text), `}}]}`...))
}

func (s *speaker) appendCallHead(dst []byte) []byte {
	return strconv.AppendInt(s.appendDelta(dst, `{"tool_calls":[{"index":`), int64(s.calls-1), 10)
}

func (s *speaker) appendDelta(dst []byte, delta string) []byte {
	return append(append(append(dst, s.Chunks.head...), choiceHead...), delta...)
}

func (s *speaker) endDelta(dst []byte) []byte {
	return append(append(append(dst, choiceFinish...), "null"...), s.tail...)
}

// AppendEnd implements dialect.Speaker.
func (s *speaker) AppendEnd(dst []byte, stop dialect.Stop, u dialect.Usage) []byte {
	dst = s.AppendFinish(dst, finishOf(stop, s.calls > 0))
	if s.head.Usage {
		dst = s.AppendUsage(dst, usageOf(u))
	}
	return AppendDone(dst)
}

func finishOf(stop dialect.Stop, calls bool) string {
	switch {
	case stop == dialect.Cut:
		return FinishLength
	case calls:
		return FinishCalls
	}
	return FinishStop
}

func usageOf(u dialect.Usage) Usage { return Usage{Prompt: u.Input, Completion: u.Output} }

// AppendWhole implements dialect.Speaker.
func (s *speaker) AppendWhole(dst []byte, parts []dialect.Part, stop dialect.Stop, u dialect.Usage) []byte {
	_, _, calls := join(parts)
	return appendWhole(dst, answerOf("chatcmpl-", s.head), parts, finishOf(stop, len(calls) > 0), usageOf(u))
}

func appendCalls(dst []byte, calls []*dialect.Call) []byte {
	for i, c := range calls {
		if i == 0 {
			dst = append(dst, `,"tool_calls":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = dialect.AppendString(append(dst, `{"id":`...), c.ID)
		dst = dialect.AppendString(append(dst, `,"type":"function","function":{"name":`...), c.Name)
		dst = dialect.AppendString(append(dst, `,"arguments":`...), c.Arguments)
		dst = append(dst, "}}"...)
	}
	if len(calls) > 0 {
		dst = append(dst, ']')
	}
	return dst
}

// join returns the texts of the parts, and the calls.
func join(parts []dialect.Part) (text, thinking string, calls []*dialect.Call) {
	var texts, thoughts strings.Builder
	for _, p := range parts {
		texts.WriteString(p.Text)
		thoughts.WriteString(p.Thinking)
		if p.Call != nil {
			calls = append(calls, p.Call)
		}
	}
	return texts.String(), thoughts.String(), calls
}

// completer speaks in chunks of completions, which have nothing but text.
type completer struct {
	head  string // up to the text
	whole string
	usage bool
}

// NewCompleter returns the speaker of a completion.
func NewCompleter(h dialect.Head) dialect.Speaker {
	head := string(answerOf("cmpl-", h).appendHead(nil, "text_completion")) + `,"choices":[`
	return &completer{head: "data: " + head, whole: head, usage: h.Usage}
}

// AppendStart implements dialect.Speaker: a completion begins with its text.
func (c *completer) AppendStart(dst []byte) []byte { return dst }

// AppendThinking implements dialect.Speaker.
func (c *completer) AppendThinking(dst []byte, _ string) []byte { return dst }

// AppendCall implements dialect.Speaker.
func (c *completer) AppendCall(dst []byte, _ dialect.Call) []byte { return dst }

// AppendArguments implements dialect.Speaker.
func (c *completer) AppendArguments(dst []byte, _ string) []byte { return dst }

// AppendText implements dialect.Speaker.
func (c *completer) AppendText(dst []byte, text string) []byte {
	return append(appendChoice(append(dst, c.head...), text, ""), "]}\n\n"...)
}

func appendChoice(dst []byte, text, finish string) []byte {
	dst = dialect.AppendString(append(dst, `{"index":0,"text":`...), text)
	dst = dialect.AppendNullable(append(dst, `,"logprobs":null,"finish_reason":`...), finish)
	return append(dst, '}')
}

// AppendEnd implements dialect.Speaker.
func (c *completer) AppendEnd(dst []byte, s dialect.Stop, u dialect.Usage) []byte {
	dst = append(appendChoice(append(dst, c.head...), "", finishOf(s, false)), "]}\n\n"...)
	if c.usage {
		dst = append(append(dst, c.head...), `],"usage":`...)
		dst = append(usageOf(u).append(dst), "}\n\n"...)
	}
	return AppendDone(dst)
}

// AppendWhole implements dialect.Speaker.
func (c *completer) AppendWhole(dst []byte, parts []dialect.Part, s dialect.Stop, u dialect.Usage) []byte {
	text, _, _ := join(parts)
	dst = appendChoice(append(dst, c.whole...), text, finishOf(s, false))
	return append(usageOf(u).append(append(dst, `],"usage":`...)), '}')
}
