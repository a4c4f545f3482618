package hub

import (
	"bytes"
	"encoding/json"
	"testing"

	"weir/sse"
)

// T9. A gap says in each format with which event the rest begins, and has the id to come back with.
func TestGapInEachFormat(t *testing.T) {
	const before, first = "epoch-7.4294967295", "epoch-9"
	var line struct{ ID, Gap string }
	if err := json.Unmarshal(appendGap(nil, NDJSON, before, first), &line); err != nil || line.ID != before || line.Gap != first {
		t.Errorf("NDJSON: got %+v, %v", line, err)
	}
	n := 0
	for e, err := range sse.Read(bytes.NewReader(appendGap(nil, SSE, before, first))) {
		if n++; err != nil || e.ID != before || e.Name != "gap" || string(e.Data) != first {
			t.Errorf("SSE: got %+v, %v", e, err)
		}
	}
	if n != 1 {
		t.Errorf("got %d events, want one", n)
	}
}
