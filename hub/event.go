package hub

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"weir/sse"
)

// An Event is what is published to a topic.
type Event struct {
	// ID is the event's place in its topic, opaque to all but the Hub, which
	// sets it.
	ID string
	// Name is the type of the event, "" for a message. It is the event field of
	// server-sent events and of lines of JSON. "gap" is the Hub's own.
	Name string
	// Data is text, if subscribers are to get what was published: in lines of
	// JSON what is not UTF-8 is replaced, and browsers do that with events.
	Data []byte
}

// check returns why e cannot be published.
func (e *Event) check(limit int) error {
	if n := len(e.Name) + len(e.Data); n > limit {
		return fmt.Errorf("%w: %d bytes, want at most %d", ErrTooLarge, n, limit)
	}
	if e.Name == gapName {
		return fmt.Errorf("%w: its name is %q, which is the hub's own", ErrEvent, gapName)
	}
	return e.checkName()
}

func (e *Event) checkName() error {
	if strings.ContainsAny(e.Name, "\r\n\x00") {
		return fmt.Errorf("%w: its name has a line break or a NUL", ErrEvent)
	}
	return nil
}

// A Format is how subscribers get events.
type Format uint8

const (
	// SSE is server-sent events: id, event and data.
	SSE Format = iota
	// NDJSON is lines of JSON, {"id":"…","data":"…"}, and "event" in between
	// for an event that has a name.
	NDJSON

	formats = 2
)

// contentTypes are the formats' media types.
var contentTypes = [formats]string{SSE: "text/event-stream", NDJSON: "application/x-ndjson"}

// entry is an event as a Log keeps it, in the formats in which somebody wanted
// it when it came. It does not change.
type entry struct {
	Event
	at     Position
	kept   time.Time // since when
	frames [formats][]byte
}

// entrySize is about what an entry takes without its data: in the list, by
// itself, and for the sizes in which memory is allocated.
const entrySize = 192

// size is how much memory the entry takes.
func (e *entry) size() int {
	n := entrySize + len(e.ID) + len(e.Name) + len(e.Data)
	for _, frame := range e.frames {
		n += cap(frame)
	}
	return n
}

// frameRoom is about what a frame has beside id, name and data.
const frameRoom = 32

// length is about how long the entry is in a format.
func (e *entry) length(f Format) int {
	if frame := e.frames[f]; frame != nil {
		return len(frame)
	}
	return frameRoom + len(e.ID) + len(e.Name) + len(e.Data)
}

// encode is for who makes the entry.
func (e *entry) encode(f Format) {
	e.frames[f] = appendEvent(make([]byte, 0, e.length(f)), f, &e.Event)
}

// appendTo appends the entry in a format. If it has that, and dst is empty and
// has no room for it, what is returned is its own, to be read alone.
func (e *entry) appendTo(dst []byte, f Format) []byte {
	switch frame := e.frames[f]; {
	case frame == nil: // nobody wanted it so when it came
		return appendEvent(dst, f, &e.Event)
	case len(dst) == 0 && len(frame) > cap(dst):
		return frame[:len(frame):len(frame)]
	default:
		return append(dst, frame...)
	}
}

// appendEvent appends an event that check has passed.
func appendEvent(dst []byte, f Format, e *Event) []byte {
	if f == NDJSON {
		dst = append(append(append(dst, `{"id":"`...), e.ID...), `",`...)
		if e.Name != "" {
			dst = append(appendText(append(dst, `"event":`...), e.Name), ',')
		}
		return append(appendText(append(dst, `"data":`...), string(e.Data)), "}\n"...)
	}
	data := e.Data
	if data == nil {
		data = []byte{} // it is dispatched
	}
	dst, _ = sse.AppendEvent(dst, &sse.Event{ID: e.ID, Name: e.Name, Data: data})
	return dst
}

// appendText appends a string of JSON.
func appendText(dst []byte, s string) []byte {
	text := bytes.NewBuffer(dst)
	enc := json.NewEncoder(text)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string can be
	return bytes.TrimSuffix(text.Bytes(), []byte("\n"))
}

// appendGap appends what tells a subscriber that events are missing before the
// one with the id first. Who comes back with the id before misses no more.
func appendGap(dst []byte, f Format, before, first string) []byte {
	if f == NDJSON {
		return fmt.Appendf(dst, "{\"id\":\"%s\",\"gap\":\"%s\"}\n", before, first)
	}
	dst, _ = sse.AppendEvent(dst, &sse.Event{ID: before, Name: gapName, Data: []byte(first)})
	return dst
}

// gapName is the name of an event that stands for those that are missing.
const gapName = "gap"

// appendPlace appends what has a subscriber of SSE know where it is before the
// first event: an EventSource dispatches nothing, and comes back with the id.
func appendPlace(dst []byte, id string) []byte {
	dst, _ = sse.AppendEvent(dst, &sse.Event{ID: id})
	return dst
}
