package hub

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"weir/sse"
)

// An Event is what is published to a topic.
type Event struct {
	// ID is the event's place in its topic, opaque to all but the Hub, which
	// sets it.
	ID string
	// Name is the type of the event, "" for a message. It is the event field of
	// server-sent events and of lines of JSON.
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

// entry is an event as a Log keeps it. It does not change, but for the frames,
// each of which is made once, when the first subscriber needs it.
type entry struct {
	Event
	at     Position
	kept   time.Time // since when
	made   int64     // bytes of frames; guarded by the Log's lock
	gone   bool      // from the Log; likewise
	frames [formats]struct {
		once  sync.Once
		bytes []byte
	}
}

// entrySize is about what an entry takes without its data.
const entrySize = 224

// frame returns the event in a format. made is how much memory that has taken
// now.
func (e *entry) frame(f Format) (frame []byte, made int) {
	of := &e.frames[f]
	of.once.Do(func() {
		of.bytes = appendEvent(nil, f, &e.Event)
		made = cap(of.bytes)
	})
	return of.bytes, made
}

// appendEvent appends an event that check has passed.
func appendEvent(dst []byte, f Format, e *Event) []byte {
	if f == NDJSON {
		dst = append(appendText(append(dst, `{"id":`...), e.ID), ',')
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

// appendGap appends what tells a subscriber that events are missing before id.
func appendGap(dst []byte, f Format, id string) []byte {
	if f == NDJSON {
		return append(appendText(append(dst, `{"gap":`...), id), "}\n"...)
	}
	dst, _ = sse.AppendEvent(dst, &sse.Event{Name: "gap", Data: []byte(id)})
	return dst
}

// appendPlace appends what has a subscriber know where it is before the first
// event: an EventSource dispatches nothing, and comes back with the id.
func appendPlace(dst []byte, f Format, id string) []byte {
	if f == NDJSON {
		return dst
	}
	dst, _ = sse.AppendEvent(dst, &sse.Event{ID: id})
	return dst
}
