package speak

import (
	"strconv"
	"strings"

	"weir/cmd/weir/internal/dialect/responses"
)

// response writes the events of POST /v1/responses. Each item of its output is
// opened, filled, and repeated whole when it is closed; the last event repeats
// them all.
type response struct {
	Head
	seq   int
	index int // of the open item, or of the next one
	open  block
	said  []byte // in the open item
	items []byte // those that are complete, as JSON
}

func newResponse(h Head, _ Options) Stream { return &response{Head: h} }

// event appends an event up to its own members.
func (r *response) event(dst []byte, name string) []byte {
	dst = append(event(dst, name), `,"sequence_number":`...)
	dst = strconv.AppendInt(dst, int64(r.seq), 10)
	r.seq++
	return dst
}

func (r *response) AppendBegin(dst []byte) []byte {
	for _, name := range []string{"response.created", "response.in_progress"} {
		dst = r.appendWith(dst, name, r.object("in_progress", nil))
	}
	return dst
}

// appendWith appends an event with the whole response.
func (r *response) appendWith(dst []byte, name string, object *responses.Response) []byte {
	dst = append(r.event(dst, name), `,"response":`...)
	return append(object.Append(dst), endEvent...)
}

// itemID names an item: what is behind the underscore of the response's own
// name, and the item's place.
func (h Head) itemID(prefix string, index int) string {
	_, id, _ := strings.Cut(h.ID, "_")
	return prefix + id + strconv.Itoa(index)
}

// item is a kind of item: in events of its parts, these come first.
type item struct {
	prefix string // of its id
	part   string // the member that numbers its part; "" = it has none
}

var kinds = [...]item{
	text:     {"msg_", "content_index"},
	thinking: {"rs_", "summary_index"},
	tool:     {"fc_", ""},
}

func (r *response) id() string { return r.itemID(kinds[r.open].prefix, r.index) }

// about appends an event about a part of the open item.
func (r *response) about(dst []byte, name string) []byte {
	dst = quote(append(r.event(dst, name), `,"item_id":`...), r.id())
	dst = r.at(dst)
	if part := kinds[r.open].part; part != "" {
		dst = append(append(append(dst, `,"`...), part...), `":0`...)
	}
	return dst
}

func (r *response) at(dst []byte) []byte {
	return strconv.AppendInt(append(dst, `,"output_index":`...), int64(r.index), 10)
}

// turn makes b the open item.
func (r *response) turn(dst []byte, b block, c Call) []byte {
	if r.open == b && b != tool {
		return dst
	}
	dst = r.close(dst, Call{})
	r.open = b
	dst = append(r.at(r.event(dst, "response.output_item.added")), `,"item":`...)
	dst = append(appendItem(dst, b, r.id(), "in_progress", "", c), endEvent...)
	switch b {
	case text:
		dst = append(r.about(dst, "response.content_part.added"), `,"part":`...)
		dst = append(appendTextPart(dst, ""), endEvent...)
	case thinking:
		dst = append(r.about(dst, "response.reasoning_summary_part.added"), `,"part":`...)
		dst = append(appendSummaryPart(dst, ""), endEvent...)
	}
	return dst
}

func appendTextPart(dst []byte, s string) []byte {
	dst = quote(append(dst, `{"type":"output_text","annotations":[],"logprobs":[],"text":`...), s)
	return append(dst, '}')
}

func appendSummaryPart(dst []byte, s string) []byte {
	return append(quote(append(dst, `{"type":"summary_text","text":`...), s), '}')
}

// appendItem appends an item; without a text, one that has just begun.
func appendItem(dst []byte, b block, id, status, s string, c Call) []byte {
	dst = quote(append(dst, `{"id":`...), id)
	begun := status == "in_progress"
	switch b {
	case thinking:
		dst = append(dst, `,"type":"reasoning","summary":[`...)
		if !begun {
			dst = appendSummaryPart(dst, s)
		}
		return append(dst, "]}"...)
	case tool:
		dst = quote(append(dst, `,"type":"function_call","status":`...), status)
		dst = quote(append(dst, `,"call_id":`...), c.ID)
		dst = quote(append(dst, `,"name":`...), c.Name)
		if begun {
			c.Arguments = ""
		}
		return append(quote(append(dst, `,"arguments":`...), c.Arguments), '}')
	}
	dst = quote(append(dst, `,"type":"message","status":`...), status)
	dst = append(dst, `,"role":"assistant","content":[`...)
	if !begun {
		dst = appendTextPart(dst, s)
	}
	return append(dst, "]}"...)
}

// close ends the open item, which is c if it is a call.
func (r *response) close(dst []byte, c Call) []byte {
	if r.open == none {
		return dst
	}
	said := string(r.said)
	switch r.open {
	case text:
		dst = quote(append(r.about(dst, "response.output_text.done"), `,"logprobs":[],"text":`...), said)
		dst = append(r.about(append(dst, endEvent...), "response.content_part.done"), `,"part":`...)
		dst = append(appendTextPart(dst, said), endEvent...)
	case thinking:
		dst = quote(append(r.about(dst, "response.reasoning_summary_text.done"), `,"text":`...), said)
		dst = append(r.about(append(dst, endEvent...), "response.reasoning_summary_part.done"), `,"part":`...)
		dst = append(appendSummaryPart(dst, said), endEvent...)
	case tool:
		dst = quote(append(r.about(dst, "response.function_call_arguments.done"), `,"name":`...), c.Name)
		dst = append(quote(append(dst, `,"arguments":`...), c.Arguments), endEvent...)
	}
	if r.index > 0 {
		r.items = append(r.items, ',')
	}
	begin := len(r.items)
	r.items = appendItem(r.items, r.open, r.id(), "completed", said, c)
	dst = append(r.at(r.event(dst, "response.output_item.done")), `,"item":`...)
	dst = append(append(dst, r.items[begin:]...), endEvent...)
	r.open, r.said = none, r.said[:0]
	r.index++
	return dst
}

func (r *response) AppendThought(dst []byte, s string) []byte {
	dst = r.about(r.turn(dst, thinking, Call{}), "response.reasoning_summary_text.delta")
	r.said = append(r.said, s...)
	return append(quote(append(dst, `,"delta":`...), s), endEvent...)
}

func (r *response) AppendText(dst []byte, s string) []byte {
	dst = r.about(r.turn(dst, text, Call{}), "response.output_text.delta")
	r.said = append(r.said, s...)
	return append(quote(append(dst, `,"logprobs":[],"delta":`...), s), endEvent...)
}

func (r *response) AppendCall(dst []byte, c Call) []byte {
	dst = r.turn(dst, tool, c)
	for _, p := range pieces(c.Arguments) {
		dst = append(r.about(dst, "response.function_call_arguments.delta"), `,"delta":`...)
		dst = append(quote(dst, p), endEvent...)
	}
	return r.close(dst, c)
}

func (r *response) AppendEnd(dst []byte, why Finish, u Usage) []byte {
	dst = r.close(dst, Call{})
	return r.appendWith(dst, "response."+statusOf(why), r.ended(why, r.items, u))
}

// AppendError appends a failed response, which keeps the items that are
// complete.
func (r *response) AppendError(dst []byte, e Error) []byte {
	failed := r.object("failed", r.items)
	failed.Code, failed.Message = e.Code, e.Message
	return r.appendWith(dst, "response.failed", failed)
}

func statusOf(why Finish) string {
	if why == Length {
		return "incomplete"
	}
	return "completed"
}

// object is the response as events and whole responses have it.
func (h Head) object(status string, items []byte) *responses.Response {
	r := &responses.Response{ID: h.ID, Model: h.Model, Created: h.Created.Unix(), Status: status, Output: items}
	if status == "incomplete" {
		r.Incomplete = "max_output_tokens"
	}
	return r
}

// ended is object for a response that is complete.
func (h Head) ended(why Finish, items []byte, u Usage) *responses.Response {
	r := h.object(statusOf(why), items)
	r.Usage = &responses.Usage{Input: u.Prompt, Output: u.Completion}
	return r
}

func appendWholeResponse(dst []byte, h Head, t Turn) []byte {
	var items []byte
	index := 0
	add := func(b block, s string, c Call) {
		if index > 0 {
			items = append(items, ',')
		}
		items = appendItem(items, b, h.itemID(kinds[b].prefix, index), "completed", s, c)
		index++
	}
	if t.Thought != "" {
		add(thinking, t.Thought, Call{})
	}
	if t.Text != "" || len(t.Calls) == 0 {
		add(text, t.Text, Call{})
	}
	for _, c := range t.Calls {
		add(tool, "", c)
	}
	return h.ended(t.Finish, items, t.Usage).Append(dst)
}
