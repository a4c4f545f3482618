package dialect

import "testing"

func TestEvents(t *testing.T) {
	for kind, want := range map[string]Framing{
		"text/event-stream": SSE, "Text/Event-Stream; charset=utf-8": SSE,
		"application/x-ndjson": Lines, "application/jsonl;x": Lines,
		"application/json": 99, "text/event-streamX": 99, "": 99,
	} {
		for _, framing := range []Framing{SSE, Lines} {
			if got := (&Endpoint{Framing: framing}).Events([]byte(kind)); got != (framing == want) {
				t.Errorf("%q: got %v for framing %d", kind, got, framing)
			}
		}
	}
}
