// Package sse encodes and decodes the text/event-stream format (WHATWG HTML,
// section 9.2), over bytes: except in Read it does no I/O, it starts no
// goroutine, and it allocates per event only in Read and the constructors.
//
//   - [AppendEvent] and [AppendComment] write events. A client gets back
//     exactly the data that went in, except that CR and CRLF arrive as LF: the
//     format has no way to carry them.
//   - [Read] reads events from an io.Reader; [Decoder] does the same for bytes
//     that are pushed into it.
//   - [Framer] finds the ends of events in bytes that are to be passed on
//     unchanged.
//
// One event on the wire; the blank line dispatches it:
//
//	: comment
//	event: name
//	id: 42
//	retry: 500
//	data: first line
//	data: second line
//
// Data is bytes on both sides and never cut within an event, so that a
// character of several bytes survives any split of the stream. Bytes that are
// not UTF-8 pass unchanged; a browser shows U+FFFD for them. A producer whose
// pieces may end within a character must join it before it sends, not after.
package sse

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// RetryNow is the Retry of an event that makes the client reconnect at once,
// `retry: 0`.
const RetryNow time.Duration = 1

// An Event is one event to send, or one that [Read] received. The zero value
// encodes to no bytes.
type Event struct {
	// ID becomes the client's last event id, which it sends as Last-Event-ID
	// when it reconnects; empty = no id line. CR, LF and NUL are refused. From
	// Read, ID is the stream's last event id as of this event.
	ID string

	// Name is the event's type; empty = no event line, and the client
	// dispatches "message". An event with a Name always gets a data line, if an
	// empty one: clients discard an event that has none. CR, LF and NUL are
	// refused.
	Name string

	// Data is what the client gets. nil = no data line; empty = an empty one,
	// which dispatches an empty event and so is not a keep-alive (use a
	// comment). CR, LF and CRLF start a new data line each.
	Data []byte

	// Retry is the client's wait before it reconnects, in whole milliseconds,
	// rounded down; 0 = no retry line; RetryNow = at once. Negative is refused,
	// and so is less than a millisecond: a plain number is nanoseconds, and
	// 3000 would be sent as 0.
	Retry time.Duration

	// Comment precedes the rest; clients skip it. Empty = none. CR, LF and CRLF
	// start a new comment line each.
	Comment string
}

// Errors of [AppendEvent].
var (
	ErrName  = errors.New("sse: event name contains CR, LF or NUL")
	ErrID    = errors.New("sse: event id contains CR, LF or NUL")
	ErrRetry = errors.New("sse: retry is negative or below a millisecond; want a time.Duration such as 3*time.Second, or RetryNow")
)

// Data returns an event with data s. An empty s is an empty message, not
// nothing.
func Data(s string) *Event { return &Event{Data: append([]byte{}, s...)} }

// JSON returns an event whose data is v as JSON, always on one line.
func JSON(v any) (*Event, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("sse: %w", err)
	}
	return &Event{Data: data}, nil
}
