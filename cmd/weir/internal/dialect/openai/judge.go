package openai

import "weir/cmd/weir/internal/dialect"

// judge judges the chunks of chat and of completions. Other events of the
// dialect's servers have no choices; of them it knows errors and [DONE].
type judge struct {
	chat bool // a response without an end mark is complete by its choices, and not with its body

	// The event.
	failed    bool // it has an error
	choices   bool // it is a chunk
	substance bool

	// The choice.
	index    int64
	finished bool

	// The response.
	seen, done set // its choices, and those with a finish reason
}

// What the members of a chunk mean.
const (
	isError dialect.Slot = iota + 1
	isObject
	isChoices
	isIndex
	isFinish
	isSubstance
)

var chunk = dialect.Node{In: []dialect.Node{
	{Name: "object", Slot: isObject},
	{Name: "error", Slot: isError},
	{Name: "choices", Slot: isChoices, In: []dialect.Node{
		{Name: "index", Slot: isIndex},
		{Name: "finish_reason", Slot: isFinish},
		{Name: "text", Slot: isSubstance, Free: true},
		{Name: "message", Slot: isSubstance},
		{Name: "delta", In: []dialect.Node{{Name: "role"}, {Name: "*", Slot: isSubstance, Free: true}}},
	}},
}}

// Reset implements dialect.Judge.
func (j *judge) Reset() { *j = judge{chat: j.chat} }

// Members implements dialect.Judge.
func (j *judge) Members() *dialect.Node { return &chunk }

// Member implements dialect.Judge.
func (j *judge) Member(of dialect.Slot, v dialect.Value) (enough bool) {
	switch of {
	case isObject:
		j.failed = j.failed || v.Is("error")
	case isError:
		j.failed = j.failed || !v.Empty
	case isIndex:
		var ok bool
		if j.index, ok = v.Int(); !ok && !v.Empty {
			j.index = largest
		}
	case isFinish:
		j.finished = v.Kind == dialect.String && !v.Empty
	case isSubstance:
		j.substance = j.substance || !v.Empty
	case isChoices:
		j.choices = true
		if v.Kind == dialect.Element {
			j.choice()
		}
	}
	return false
}

// choice ends a choice.
func (j *judge) choice() {
	j.seen.add(j.index)
	if j.finished {
		j.done.add(j.index)
		j.substance = true
	}
	j.index, j.finished = 0, false
}

// Event implements dialect.Judge.
func (j *judge) Event(e dialect.Event) dialect.Verdict {
	failed, known, substance := j.failed, j.choices, j.substance
	j.failed, j.choices, j.substance = false, false, false
	j.index, j.finished = 0, false
	switch {
	case string(e.Text) == Done:
		return dialect.End
	case e.Object && failed:
		return dialect.Failed
	case substance || !known:
		return dialect.Substance
	}
	return 0
}

// Finished implements dialect.Judge.
func (j *judge) Finished() bool {
	return !j.chat || j.seen != set{} && j.seen == j.done && !j.seen.beyond
}

// AppendFault implements dialect.Judge.
func (j *judge) AppendFault(dst []byte, f *dialect.Fault, _ dialect.Stamp) []byte {
	return AppendFault(dst, f)
}

// AppendFault appends an error as an event, for a stream whose head was sent.
// No [DONE] follows it: a response that failed must not look complete.
func AppendFault(dst []byte, f *dialect.Fault) []byte {
	return append(Dialect.AppendError(append(dst, "data: "...), f), "\n\n"...)
}

// AppendKeepAlive implements dialect.Judge: a comment will do.
func (j *judge) AppendKeepAlive(dst []byte, _ dialect.Stamp) []byte { return dst }

// set is a set of small numbers.
type set struct {
	low, high uint64
	beyond    bool // it has larger ones
}

// largest is the smallest number beyond those that a set tells apart. OpenAI
// allows as many choices.
const largest = 128

func (s *set) add(n int64) {
	switch {
	case n < 64:
		s.low |= 1 << n
	case n < largest:
		s.high |= 1 << (n - 64)
	default:
		s.beyond = true
	}
}
