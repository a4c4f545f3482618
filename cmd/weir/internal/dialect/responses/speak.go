package responses

import (
	"strconv"

	"weir/cmd/weir/internal/dialect"
)

// speaker speaks in the events of a response. The end of an item repeats all of
// it, and the end of the response all items, so that they are kept.
type speaker struct {
	Response
	id     string // of the head: items have ids made of it
	next   int64  // sequence number
	index  int    // of the item that is open, or would be next
	open   itemKind
	call   dialect.Call
	text   []byte // of the item that is open
	output []byte // items that are complete
}

type itemKind uint8

const (
	noItem itemKind = iota
	message
	thought
	call
)

// NewSpeaker returns the speaker of a response.
func NewSpeaker(h dialect.Head) dialect.Speaker {
	return &speaker{Response: Response{ID: "resp_" + h.ID, Model: h.Model, Created: h.Created.Unix()}, id: h.ID}
}

// event appends an event up to the members that are its own.
func (s *speaker) event(dst []byte, kind string) []byte {
	s.next++
	return appendEvent(dst, kind, s.next-1)
}

// whole appends an event with the whole response.
func (s *speaker) whole(dst []byte, kind string, status Status, u *Usage) []byte {
	dst = append(s.event(dst, kind), `"response":`...)
	return append(s.append(dst, status, s.output, u, nil), "}\n\n"...)
}

// AppendStart implements dialect.Speaker.
func (s *speaker) AppendStart(dst []byte) []byte {
	dst = s.whole(dst, "response.created", InProgress, nil)
	return s.whole(dst, "response.in_progress", InProgress, nil)
}

// placed appends an event up to the place that it is about.
func (s *speaker) placed(dst []byte, kind string) []byte {
	dst = dialect.AppendString(append(s.event(dst, kind), `"item_id":`...), s.itemID())
	dst = strconv.AppendInt(append(dst, `,"output_index":`...), int64(s.index), 10)
	switch s.open {
	case message:
		dst = append(dst, `,"content_index":0`...)
	case thought:
		dst = append(dst, `,"summary_index":0`...)
	}
	return append(dst, ',')
}

func (s *speaker) itemID() string {
	return [...]string{"", "msg_", "rs_", "fc_"}[s.open] + s.id + "_" + strconv.Itoa(s.index)
}

// item appends the item that is open, as far as it has come.
func (s *speaker) item(dst []byte, status Status) []byte {
	dst = dialect.AppendString(append(dst, `{"id":`...), s.itemID())
	complete := status != InProgress
	switch s.open {
	case message:
		dst = append(append(append(dst, `,"type":"message","status":"`...), status...), `","role":"assistant","content":[`...)
		if complete {
			dst = s.part(dst)
		}
		return append(dst, "]}"...)
	case thought:
		dst = append(dst, `,"type":"reasoning","summary":[`...)
		if complete {
			dst = s.part(dst)
		}
		return append(dst, "]}"...)
	}
	dst = append(append(append(dst, `,"type":"function_call","status":"`...), status...), `","call_id":`...)
	dst = dialect.AppendString(dst, s.call.ID)
	dst = dialect.AppendString(append(dst, `,"name":`...), s.call.Name)
	return append(dialect.AppendString(append(dst, `,"arguments":`...), string(s.text)), '}')
}

// part appends the part of the item that is open.
func (s *speaker) part(dst []byte) []byte {
	if s.open == thought {
		return append(dialect.AppendString(append(dst, `{"type":"summary_text","text":`...), string(s.text)), '}')
	}
	dst = append(dst, `{"type":"output_text","annotations":[],"logprobs":[],"text":`...)
	return append(dialect.AppendString(dst, string(s.text)), '}')
}

// names are what the events of an item are called; "" = it has none.
var names = [...]struct{ added, delta, done, partDone string }{
	message: {"response.content_part.added", "response.output_text.delta", "response.output_text.done", "response.content_part.done"},
	thought: {"response.reasoning_summary_part.added", "response.reasoning_summary_text.delta", "response.reasoning_summary_text.done", "response.reasoning_summary_part.done"},
	call:    {"", "response.function_call_arguments.delta", "response.function_call_arguments.done", ""},
}

// begin opens an item.
func (s *speaker) begin(dst []byte, kind itemKind) []byte {
	dst = s.end(dst)
	s.open, s.text = kind, s.text[:0]
	dst = strconv.AppendInt(append(s.event(dst, "response.output_item.added"), `"output_index":`...), int64(s.index), 10)
	dst = append(s.item(append(dst, `,"item":`...), InProgress), "}\n\n"...)
	if added := names[kind].added; added != "" {
		dst = append(s.part(append(s.placed(dst, added), `"part":`...)), "}\n\n"...)
	}
	return dst
}

// end closes the item that is open.
func (s *speaker) end(dst []byte) []byte {
	if s.open == noItem {
		return dst
	}
	dst = s.placed(dst, names[s.open].done)
	if s.open == call {
		dst = append(dst, `"arguments":`...)
	} else {
		dst = append(dst, `"text":`...)
	}
	dst = dialect.AppendString(dst, string(s.text))
	if s.open == message {
		dst = append(dst, `,"logprobs":[]`...)
	}
	dst = append(dst, "}\n\n"...)
	if done := names[s.open].partDone; done != "" {
		dst = append(s.part(append(s.placed(dst, done), `"part":`...)), "}\n\n"...)
	}
	dst = strconv.AppendInt(append(s.event(dst, "response.output_item.done"), `"output_index":`...), int64(s.index), 10)
	dst = append(s.item(append(dst, `,"item":`...), Completed), "}\n\n"...)
	s.collect()
	return dst
}

// collect moves the item that is open to the output.
func (s *speaker) collect() {
	if s.index > 0 {
		s.output = append(s.output, ',')
	}
	s.output = s.item(s.output, Completed)
	s.open = noItem
	s.index++
}

// delta appends a piece to the item of that kind.
func (s *speaker) delta(dst []byte, kind itemKind, text string) []byte {
	if s.open != kind {
		dst = s.begin(dst, kind)
	}
	s.text = append(s.text, text...)
	dst = dialect.AppendString(append(s.placed(dst, names[kind].delta), `"delta":`...), text)
	if kind == message {
		dst = append(dst, `,"logprobs":[]`...)
	}
	return append(dst, "}\n\n"...)
}

// AppendThinking implements dialect.Speaker, as a summary: Codex shows those.
func (s *speaker) AppendThinking(dst []byte, text string) []byte { return s.delta(dst, thought, text) }

// AppendText implements dialect.Speaker.
func (s *speaker) AppendText(dst []byte, text string) []byte { return s.delta(dst, message, text) }

// AppendCall implements dialect.Speaker.
func (s *speaker) AppendCall(dst []byte, c dialect.Call) []byte {
	dst = s.end(dst)
	s.call = c
	return s.begin(dst, call)
}

// AppendArguments implements dialect.Speaker.
func (s *speaker) AppendArguments(dst []byte, text string) []byte { return s.delta(dst, call, text) }

// AppendEnd implements dialect.Speaker.
func (s *speaker) AppendEnd(dst []byte, stop dialect.Stop, u dialect.Usage) []byte {
	dst = s.end(dst)
	if stop == dialect.Cut {
		return s.whole(dst, "response.incomplete", Incomplete, usageOf(u))
	}
	return s.whole(dst, "response.completed", Completed, usageOf(u))
}

func usageOf(u dialect.Usage) *Usage {
	return &Usage{Input: u.Input, Cached: u.Cached, Output: u.Output, Reasoning: u.Thinking}
}

// AppendWhole implements dialect.Speaker.
func (s *speaker) AppendWhole(dst []byte, parts []dialect.Part, stop dialect.Stop, u dialect.Usage) []byte {
	for _, p := range parts {
		switch {
		case p.Call != nil:
			s.open, s.call, s.text = call, *p.Call, append(s.text[:0], p.Call.Arguments...)
		case p.Thinking != "":
			s.open, s.text = thought, append(s.text[:0], p.Thinking...)
		default:
			s.open, s.text = message, append(s.text[:0], p.Text...)
		}
		s.collect()
	}
	status := Completed
	if stop == dialect.Cut {
		status = Incomplete
	}
	return s.append(dst, status, s.output, usageOf(u), nil)
}
