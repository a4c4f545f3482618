package dialect

import "weir/http1"

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
