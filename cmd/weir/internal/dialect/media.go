package dialect

import (
	"bytes"

	"weir/http1"
)

// Events reports whether a response with that Content-Type is a stream of the
// endpoint's events.
func (e *Endpoint) Events(contentType []byte) bool {
	if e.Framing == SSE {
		return http1.IsMediaType(contentType, "text/event-stream")
	}
	for _, kind := range [...]string{"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"} {
		if http1.IsMediaType(contentType, kind) {
			return true
		}
	}
	return false
}

// MayBeEvents reports whether a response with that Content-Type may be a stream
// of the endpoint's events all the same: its first bytes show it (G15, Sniff).
func (e *Endpoint) MayBeEvents(contentType []byte) bool {
	return e.Framing == SSE && e.Judge != nil && http1.IsMediaType(contentType, "application/json")
}

// Sniff reports whether a body that begins with b is an event stream, whatever
// its Content-Type is (G15). known is false if it needs more bytes.
func Sniff(b []byte) (events, known bool) {
	for _, mark := range [...]string{bom, "\r", "\n"} {
		for len(b) > 0 && len(mark) > 0 && bytes.HasPrefix(b, []byte(mark)) {
			b = b[len(mark):]
		}
	}
	for _, field := range [...]string{"data:", "event:", "id:", "retry:", ":"} {
		switch n := min(len(b), len(field)); {
		case string(b[:n]) != field[:n]:
		case n < len(field):
			return false, false
		default:
			return true, true
		}
	}
	return false, len(b) > 0 && !bytes.HasPrefix([]byte(bom), b)
}
