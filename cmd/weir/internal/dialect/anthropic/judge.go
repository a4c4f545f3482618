package anthropic

import "weir/cmd/weir/internal/dialect"

// judge judges the events of messages.
type judge struct {
	kind      kind // of the event
	substance bool // of the event
	begun     bool // an event had substance
}

// kind is what an event is.
type kind uint8

const (
	unknown kind = iota
	aside        // message_start, ping, content_block_stop
	block        // content_block_start, content_block_delta
	finish       // message_delta
	stop         // message_stop
	failure      // error
)

func kindOf(name []byte) kind {
	switch string(name) {
	case "content_block_delta", "content_block_start":
		return block
	case "message_start", "ping", "content_block_stop":
		return aside
	case "message_delta":
		return finish
	case "message_stop":
		return stop
	case "error":
		return failure
	}
	return unknown
}

// What the members of an event mean.
const (
	isType dialect.Slot = iota + 1
	isError
	isSubstance
)

// content is a block, or what is added to one: it is empty if nothing beside
// its type has a value.
var content = []dialect.Node{{Name: "type"}, {Name: "*", Slot: isSubstance, Free: true}}

var event = dialect.Node{In: []dialect.Node{
	{Name: "type", Slot: isType},
	{Name: "delta", In: content},
	{Name: "content_block", In: content},
	{Name: "error", Slot: isError},
}}

// Reset implements dialect.Judge.
func (j *judge) Reset() { *j = judge{} }

// Members implements dialect.Judge.
func (j *judge) Members() *dialect.Node { return &event }

// Member implements dialect.Judge.
func (j *judge) Member(of dialect.Slot, v dialect.Value) (enough bool) {
	switch of {
	case isType:
		j.kind = kindOf(v.Text)
		return j.kind == block && j.begun
	case isSubstance:
		j.substance = j.substance || !v.Empty
	case isError:
		if j.kind == unknown && !v.Empty {
			j.kind = failure
		}
	}
	return false
}

// Event implements dialect.Judge. SDKs go by the event's name, which is its
// type.
func (j *judge) Event(e dialect.Event) dialect.Verdict {
	kind, substance := j.kind, j.substance
	j.kind, j.substance = unknown, false
	switch {
	case string(e.Text) == "[DONE]":
		return dialect.Alien
	case !e.Object:
		kind = unknown
	case kind == unknown:
		kind = kindOf(e.Name)
	}
	switch kind {
	case aside:
		return 0
	case block:
		if j.begun = j.begun || substance; j.begun {
			return dialect.Substance
		}
		return 0
	case stop:
		return dialect.End
	case failure:
		return dialect.Failed
	}
	j.begun = true
	return dialect.Substance
}

// Finished implements dialect.Judge.
func (j *judge) Finished() bool { return false }

// AppendFault implements dialect.Judge. No message_stop follows it.
func (j *judge) AppendFault(dst []byte, f *dialect.Fault, _ dialect.Stamp) []byte {
	return append(Dialect.AppendError(append(dst, "event: error\ndata: "...), f), "\n\n"...)
}

// AppendKeepAlive implements dialect.Judge. It is legal ahead of message_start.
func (j *judge) AppendKeepAlive(dst []byte, _ dialect.Stamp) []byte {
	return append(dst, "event: ping\ndata: {\"type\": \"ping\"}\n\n"...)
}
