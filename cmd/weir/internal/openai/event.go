package openai

import (
	"bytes"
	"encoding/json"
)

// Done is the data of the event that ends a good stream, and no other.
const Done = "[DONE]"

// largestError is the size up to which an event is looked at.
const largestError = 64 << 10

// IsErrorEvent reports whether an event, given in two pieces, is an error: JSON
// data with a top-level error that is not null.
func IsErrorEvent(head, tail []byte) bool {
	if len(head)+len(tail) > largestError {
		return false
	}
	whole := append(append(make([]byte, 0, len(head)+len(tail)), head...), tail...)
	if !bytes.Contains(whole, []byte(`"error"`)) {
		return false
	}
	var event struct{ Error json.RawMessage }
	data := dataOf(whole)
	return json.Unmarshal(data, &event) == nil && len(event.Error) > 0 && string(event.Error) != "null"
}

// dataOf returns the data of an event, its lines joined.
func dataOf(event []byte) (data []byte) {
	event = bytes.ReplaceAll(event, []byte("\r"), []byte("\n"))
	for line := range bytes.SplitSeq(event, []byte("\n")) {
		if value, ok := bytes.CutPrefix(line, []byte("data:")); ok {
			data = append(append(data, bytes.TrimPrefix(value, []byte(" "))...), '\n')
		}
	}
	return data
}
