package responses

import (
	"bytes"

	"weir/cmd/weir/internal/dialect"
)

// judge judges the events of a response, and notes what an event that continues
// them must say.
type judge struct {
	// The event.
	kind      kind
	substance bool
	number    int64 // its sequence number; -1 = it has none

	// The response.
	begun   bool // an event had substance
	opened  bool // an event had the response, as created does
	next    int64
	id      []byte
	model   []byte
	created int64
}

// kind is what an event is.
type kind uint8

const (
	unknown kind = iota
	aside        // created, queued, in_progress, keepalive
	piece        // a delta, or the beginning of an item or a part of one
	end          // completed, incomplete
	failed       // failed
	failure      // error
)

func kindOf(name []byte) kind {
	switch string(name) {
	case "response.created", "response.queued", "response.in_progress", "keepalive", "ping":
		return aside
	case "response.output_item.added", "response.content_part.added", "response.reasoning_summary_part.added":
		return piece
	case "response.completed", "response.incomplete":
		return end
	case "response.failed":
		return failed
	case "error":
		return failure
	}
	if bytes.HasSuffix(name, []byte(".delta")) {
		return piece
	}
	return unknown
}

// What the members of an event mean.
const (
	isType dialect.Slot = iota + 1
	isNumber
	isError
	isSubstance
	isItem
	isID
	isModel
	isCreated
)

var event = dialect.Node{In: []dialect.Node{
	{Name: "type", Slot: isType},
	{Name: "sequence_number", Slot: isNumber},
	{Name: "delta", Slot: isSubstance, Free: true},
	{Name: "part", In: []dialect.Node{{Name: "type"}, {Name: "*", Slot: isSubstance}}},
	{Name: "item", In: []dialect.Node{{Name: "type", Slot: isItem}, {Name: "content", Slot: isSubstance}, {Name: "summary", Slot: isSubstance}}},
	{Name: "response", In: []dialect.Node{{Name: "id", Slot: isID}, {Name: "model", Slot: isModel}, {Name: "created_at", Slot: isCreated}}},
	{Name: "error", Slot: isError},
}}

// Reset implements dialect.Judge.
func (j *judge) Reset() { *j = judge{number: -1, id: j.id[:0], model: j.model[:0]} }

// Members implements dialect.Judge.
func (j *judge) Members() *dialect.Node { return &event }

// Member implements dialect.Judge.
func (j *judge) Member(of dialect.Slot, v dialect.Value) (enough bool) {
	switch of {
	case isType:
		j.kind = kindOf(v.Text)
	case isNumber:
		if n, ok := v.Int(); ok {
			j.number = n
		}
	case isSubstance:
		j.substance = j.substance || !v.Empty
	case isItem: // messages and thoughts begin empty, calls have a name
		j.substance = j.substance || !v.Is("message") && !v.Is("reasoning")
	case isError:
		if j.kind == unknown && !v.Empty {
			j.kind = failure
		}
	case isID:
		j.id, j.opened = append(j.id[:0], v.Text...), true
	case isModel:
		j.model = append(j.model[:0], v.Text...)
	case isCreated:
		v.Text, _, _ = bytes.Cut(v.Text, []byte(".")) // engines in Python send fractions
		j.created, _ = v.Int()                        // else it is not known
	}
	return j.begun && j.kind == piece && j.number >= 0
}

// Event implements dialect.Judge. The type of an event is also its name.
func (j *judge) Event(e dialect.Event) dialect.Verdict {
	kind, substance := j.kind, j.substance
	if e.Object {
		j.next = max(j.next, j.number+1)
	}
	j.kind, j.substance, j.number = unknown, false, -1
	switch {
	case !e.Object:
		kind = unknown
	case kind == unknown:
		kind = kindOf(e.Name)
	}
	switch kind {
	case aside:
		return 0
	case piece:
		if j.begun = j.begun || substance; j.begun {
			return dialect.Substance
		}
		return 0
	case end:
		return dialect.End
	case failed:
		return dialect.End | dialect.Failed
	case failure:
		return dialect.Failed
	}
	if string(e.Text) == "[DONE]" {
		return dialect.Alien
	}
	j.begun = true
	return dialect.Substance
}

// Finished implements dialect.Judge.
func (j *judge) Finished() bool { return false }

// AppendFault implements dialect.Judge: response.failed, since Codex ignores
// the event error. If the client has not been sent the response's beginning,
// that comes first.
func (j *judge) AppendFault(dst []byte, f *dialect.Fault, s dialect.Stamp) []byte {
	r, next := Response{ID: string(j.id), Model: string(j.model), Created: j.created}, j.next
	if !j.opened {
		r = Response{ID: newID(), Model: s.Model, Created: s.Time.Unix(), Status: "in_progress"}
		dst = r.appendEvent(dst, "response.created", next)
		next++
	}
	r.Status, r.Code, r.Message = "failed", codeOf(f), f.Message
	return r.appendEvent(dst, "response.failed", next)
}

// AppendKeepAlive implements dialect.Judge: a comment will do.
func (j *judge) AppendKeepAlive(dst []byte, _ dialect.Stamp) []byte { return dst }
