// Package wire is what topics and events look like in NATS: tokens of subjects, and
// messages. It sees bytes alone.
package wire

import (
	"encoding/binary"
	"errors"
	"iter"
	"strings"
)

// A batch is what one message of the stream carries: the events of one topic that
// were published within a few milliseconds, one after the other.
//
//	uvarint length, name of the event's type; uvarint length, data
//
// The end of the message ends the batch. The header Weir-Batch says which version
// of this format it is; a message without it, published by something else, is one
// event, and its payload the data.

const (
	VersionHeader = "Weir-Batch"
	Version       = "1"

	MaxEvents = 4096 // in one batch
)

// ErrBatch is the error of a message that is not a batch.
var ErrBatch = errors.New("natsbroker: message is not a batch of events")

// SizeOf returns how many bytes an event takes in a batch, at most.
func SizeOf(name string, data []byte) int { return 2*binary.MaxVarintLen32 + len(name) + len(data) }

// AppendEvent appends an event to a batch.
func AppendEvent(dst []byte, name string, data []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(name)))
	dst = append(dst, name...)
	dst = binary.AppendUvarint(dst, uint64(len(data)))
	return append(dst, data...)
}

// Events yields the names and data of a batch's events, which point into it, or an
// error once, at its end.
func Events(batch []byte) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for n := 0; len(batch) > 0 || n == 0; n++ {
			var e Event
			var ok1, ok2 bool
			e.Name, batch, ok1 = cut(batch)
			e.Data, batch, ok2 = cut(batch)
			if !ok1 || !ok2 || n == MaxEvents || !IsName(string(e.Name)) {
				yield(Event{}, ErrBatch)
				return
			}
			e.Last = len(batch) == 0
			if !yield(e, nil) {
				return
			}
		}
	}
}

// An Event is one event in a batch.
type Event struct {
	Name, Data []byte
	Last       bool // of the batch
}

// IsName reports whether a name can be that of an event's type.
func IsName(name string) bool { return !strings.ContainsAny(name, "\r\n\x00") }

// cut takes one length and the bytes that it counts from the front of src.
func cut(src []byte) (bytes, rest []byte, ok bool) {
	size, n := binary.Uvarint(src)
	if n <= 0 || size > uint64(len(src)-n) {
		return nil, nil, false
	}
	end := n + int(size)
	return src[n:end:end], src[end:], true
}
