package ollama

import (
	"time"

	"weir/cmd/weir/internal/dialect"
)

// judge judges the lines of chat and of generate.
type judge struct {
	chat      bool
	substance bool // of the line
	failed    bool
	done      bool
}

// What the members of a line mean.
const (
	isDone dialect.Slot = iota + 1
	isError
	isSubstance
)

var line = dialect.Node{In: []dialect.Node{
	{Name: "message", In: []dialect.Node{{Name: "role"}, {Name: "*", Slot: isSubstance, Free: true}}},
	{Name: "response", Slot: isSubstance, Free: true},
	{Name: "thinking", Slot: isSubstance, Free: true},
	{Name: "done", Slot: isDone},
	{Name: "error", Slot: isError},
}}

// Reset implements dialect.Judge.
func (j *judge) Reset() { *j = judge{chat: j.chat} }

// Members implements dialect.Judge.
func (j *judge) Members() *dialect.Node { return &line }

// Member implements dialect.Judge.
func (j *judge) Member(of dialect.Slot, v dialect.Value) (enough bool) {
	switch of {
	case isDone:
		j.done = v.Kind == dialect.Bool && !v.Empty
	case isError:
		j.failed = j.failed || !v.Empty
	case isSubstance:
		j.substance = j.substance || !v.Empty
	}
	return false
}

// Event implements dialect.Judge.
func (j *judge) Event(e dialect.Event) dialect.Verdict {
	line := *j
	j.Reset()
	switch {
	case !e.Object:
		return dialect.Substance
	case line.failed:
		return dialect.Failed
	case line.done && line.substance:
		return dialect.Substance | dialect.End
	case line.done:
		return dialect.End
	case line.substance:
		return dialect.Substance
	}
	return 0
}

// Finished implements dialect.Judge.
func (j *judge) Finished() bool { return false }

// AppendFault implements dialect.Judge. No line with done follows it.
func (j *judge) AppendFault(dst []byte, f *dialect.Fault, _ dialect.Stamp) []byte {
	return append(Dialect.AppendError(dst, f), '\n')
}

// AppendKeepAlive implements dialect.Judge. There are no comments, and an empty
// line breaks clients in Python.
func (j *judge) AppendKeepAlive(dst []byte, s dialect.Stamp) []byte {
	dst = appendHead(dst, s)
	if j.chat {
		dst = append(dst, `,"message":{"role":"assistant","content":""}`...)
	} else {
		dst = append(dst, `,"response":""`...)
	}
	return append(dst, ",\"done\":false}\n"...)
}

// appendHead appends what every line begins with.
func appendHead(dst []byte, s dialect.Stamp) []byte {
	dst = dialect.AppendString(append(dst, `{"model":`...), s.Model)
	dst = append(dst, `,"created_at":"`...)
	dst = s.Time.UTC().AppendFormat(dst, time.RFC3339Nano)
	return append(dst, '"')
}
