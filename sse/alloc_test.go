//go:build !race

package sse

import (
	"strings"
	"testing"
	"time"
)

func TestAllocs(t *testing.T) {
	buf := make([]byte, 0, 4096)
	full := &Event{Name: "e", ID: "12", Retry: time.Second, Comment: "c\nd", Data: []byte("one\ntwo\r\nthree")}
	word := &Event{Data: []byte(token)}
	bad := &Event{ID: "a\n"}
	comment := strings.Repeat("long comment ", 10) + "\nsecond line"
	stream := []byte(strings.Repeat("event: e\r\nid: 12\r\nretry: 5\r\ndata: "+token+"\r\ndata: more\r\n\r\n", 4))
	d, f := new(Decoder), new(Framer)
	for _, tt := range []struct {
		name string
		f    func()
	}{
		{"AppendEvent", func() { buf, _ = AppendEvent(buf[:0], word) }},
		{"AppendEvent, every field", func() { buf, _ = AppendEvent(buf[:0], full) }},
		{"AppendEvent, refused", func() { buf, _ = AppendEvent(buf[:0], bad) }},
		{"AppendComment", func() { buf = AppendComment(buf[:0], comment) }},
		{"Decoder, at once", func() { decodeAll(d, stream, len(stream)) }},
		{"Decoder, 7 byte pieces", func() { decodeAll(d, stream, 7) }},
		{"Framer, at once", func() { frameAll(f, stream, len(stream)) }},
		{"Framer, 7 byte pieces", func() { frameAll(f, stream, 7) }},
	} {
		tt.f() // grows the buffers
		if got := testing.AllocsPerRun(100, tt.f); got != 0 {
			t.Errorf("%s: got %v allocations, want 0", tt.name, got)
		}
	}
}
