package sse

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"time"
)

// Defaults of the Decoder's limits, in bytes.
const (
	DefaultMaxLine  = 1 << 20
	DefaultMaxEvent = 8 << 20
)

// ErrTruncated means that a stream ended within an event: that event is not
// dispatched.
var ErrTruncated = errors.New("sse: stream ended within an event")

// TooLongError reports a line or an event over the [Decoder]'s limit. The
// stream cannot be read further.
type TooLongError struct {
	What  string // "line" or "event"
	Limit int    // bytes
}

// Error returns what was too long, and the limit.
func (e *TooLongError) Error() string {
	return "sse: " + e.What + " over the limit of " + strconv.Itoa(e.Limit) + " bytes"
}

// A Message is a decoded event. Its bytes belong to the [Decoder] and are valid
// until its next method call.
type Message struct {
	ID    []byte        // of this event; nil = none; empty = it clears the last event id
	Name  []byte        // the event's type; empty = "message"
	Data  []byte        // the data lines, joined by LF; never nil
	Retry time.Duration // as in Event: 0 = none, RetryNow = `retry: 0`
}

// A Decoder reads events from a stream that arrives in pieces cut anywhere. The
// zero value is ready to use; set the exported fields before the first call of
// Next. Lines end in LF, CR or CRLF, in any mixture; one byte order mark at the
// start, comments, unknown fields, ids with NUL and retries that are not all
// digits are skipped. It buffers at most one event, and keeps the buffers for
// the next. A Decoder is not safe for concurrent use.
type Decoder struct {
	MaxLine  int // bytes of one line, comments too; 0 = DefaultMaxLine; breach: *TooLongError
	MaxEvent int // bytes of the data of one event; 0 = DefaultMaxEvent; breach: *TooLongError

	begun  bool   // the first line has ended
	skipLF bool   // the last line ended in CR at the end of a piece: an LF belongs to it
	line   []byte // a line, as far as earlier calls had it
	err    error

	// The event being read.
	dispatched bool // by the last Next: clear it first
	hasData    bool
	hasID      bool
	hasName    bool
	data       []byte
	id         []byte
	name       []byte
	wait       time.Duration

	// The stream's; they outlive the event.
	lastID []byte
	retry  time.Duration
	msg    Message
}

// Next consumes the first n bytes of src, up to the end of the first event in
// it that a client would dispatch, and returns that event. Call it again with
// src[n:]. A nil message means that all of src is consumed and more is needed.
// An error is a *[TooLongError], and every later call returns it again.
//
// An event that ends in CR is complete there; an LF that follows is the other
// half of a CRLF and counts with the bytes after.
func (d *Decoder) Next(src []byte) (m *Message, n int, err error) {
	if d.err != nil {
		return nil, 0, d.err
	}
	if d.dispatched {
		d.clear()
	}
	if d.skipLF && len(src) > 0 {
		d.skipLF = false
		if src[0] == '\n' {
			n = 1
		}
	}
	for n < len(src) {
		end := lineEnd(src[n:])
		if end < 0 {
			d.err = d.hold(src[n:])
			return nil, len(src), d.err
		}
		line := src[n : n+end]
		n += end
		br := lineBreak(src[n:])
		d.skipLF = src[n] == '\r' && n+1 == len(src)
		n += br
		if m, d.err = d.take(line); m != nil || d.err != nil {
			return m, n, d.err
		}
	}
	return nil, n, nil
}

// Close returns how the stream ended, at the end of its bytes: [ErrTruncated]
// within an event or a line, the error of Next if there was one, else nil.
// Comments, and a retry, are complete without a blank line.
func (d *Decoder) Close() error {
	switch {
	case d.err != nil:
		return d.err
	case d.dispatched:
		return nil
	case len(d.line) > 0 || d.hasData || d.hasID || d.hasName:
		return ErrTruncated
	}
	return nil
}

// LastEventID is the id to send as Last-Event-ID when the stream is opened
// again: that of the last event with an id, whether or not it had data.
func (d *Decoder) LastEventID() string { return string(d.lastID) }

// Retry is the wait before the stream is opened again, as the stream last set
// it; 0 = it never did, [RetryNow] = at once.
func (d *Decoder) Retry() time.Duration { return d.retry }

// Reset makes d ready for another stream and forgets the last event id and
// retry. It keeps limits, and buffers that are not large.
func (d *Decoder) Reset() {
	*d = Decoder{
		MaxLine: d.MaxLine, MaxEvent: d.MaxEvent,
		line: reuse(d.line), data: reuse(d.data), id: reuse(d.id), name: reuse(d.name), lastID: reuse(d.lastID),
	}
}

// reuse empties b for another stream, or drops it if keeping it would pin too
// much memory.
func reuse(b []byte) []byte {
	const most = 64 << 10
	if cap(b) > most {
		return nil
	}
	return b[:0]
}

// hold keeps the beginning of a line.
func (d *Decoder) hold(piece []byte) error {
	if limit := orDefault(d.MaxLine, DefaultMaxLine); len(piece) > limit-len(d.line) {
		return &TooLongError{"line", limit}
	}
	d.line = append(d.line, piece...)
	return nil
}

// take processes the line that ends with end; its earlier part is in d.line.
func (d *Decoder) take(end []byte) (*Message, error) {
	line := end
	if len(d.line) > 0 {
		if err := d.hold(end); err != nil {
			return nil, err
		}
		line = d.line
		d.line = d.line[:0]
	} else if limit := orDefault(d.MaxLine, DefaultMaxLine); len(line) > limit {
		return nil, &TooLongError{"line", limit}
	}
	if !d.begun {
		d.begun = true
		line = withoutBOM(line)
	}
	if len(line) == 0 {
		return d.dispatch(), nil
	}
	return nil, d.field(line)
}

// field processes a line that is not blank.
func (d *Decoder) field(line []byte) error {
	name, value := cutField(line)
	switch string(name) {
	case "data":
		return d.addData(value)
	case "event":
		d.hasName = true
		d.name = append(d.name[:0], value...)
	case "id":
		if bytes.IndexByte(value, 0) < 0 {
			d.hasID = true
			d.id = append(d.id[:0], value...)
		}
	case "retry":
		if wait := parseRetry(value); wait != 0 {
			d.wait, d.retry = wait, wait
		}
	}
	return nil
}

func (d *Decoder) addData(value []byte) error {
	if d.hasData {
		d.data = append(d.data, '\n')
	}
	d.hasData = true
	if limit := orDefault(d.MaxEvent, DefaultMaxEvent); len(value) > limit-len(d.data) {
		return &TooLongError{"event", limit}
	}
	d.data = append(d.data, value...)
	return nil
}

// dispatch ends the event. Without data there is nothing to return, but its id
// counts.
func (d *Decoder) dispatch() *Message {
	if d.hasID {
		d.lastID = append(d.lastID[:0], d.id...)
	}
	if !d.hasData {
		d.clear()
		return nil
	}
	d.dispatched = true
	d.msg = Message{Name: d.name, Data: orEmpty(d.data), Retry: d.wait}
	if d.hasID {
		d.msg.ID = orEmpty(d.id)
	}
	return &d.msg
}

func (d *Decoder) clear() {
	d.dispatched, d.hasData, d.hasID, d.hasName = false, false, false, false
	d.data, d.id, d.name, d.wait = d.data[:0], d.id[:0], d.name[:0], 0
}

// parseRetry reads a retry of ASCII digits, in milliseconds; 0 = it is not one.
// A retry beyond the longest Duration becomes that.
func parseRetry(value []byte) time.Duration {
	const most = int64(math.MaxInt64 / time.Millisecond)
	ms := int64(0)
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0
		}
		if ms = ms*10 + int64(c-'0'); ms > most {
			ms = most
		}
	}
	switch {
	case len(value) == 0:
		return 0
	case ms == 0:
		return RetryNow
	}
	return time.Duration(ms) * time.Millisecond
}

func orDefault(limit, otherwise int) int {
	if limit > 0 {
		return limit
	}
	return otherwise
}

func orEmpty(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
