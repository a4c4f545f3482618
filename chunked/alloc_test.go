//go:build !race

package chunked

import (
	"strings"
	"testing"
)

func TestAllocs(t *testing.T) {
	buf := make([]byte, 0, 4096)
	token := []byte("data: a token\n\n")
	trailers := []Field{{"X-Sum", "1"}, {"Server-Timing", "ttft;dur=12"}}
	body, err := AppendTrailers(AppendChunk(AppendChunk(nil, token), token), trailers...)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	d := Decoder{Trailer: func(name, value []byte) { seen += len(name) + len(value) }}
	for _, tt := range []struct {
		name string
		f    func()
	}{
		{"AppendChunk", func() { buf = AppendChunk(buf[:0], token) }},
		{"AppendSize", func() { buf = AppendSize(buf[:0], 65536) }},
		{"AppendEnd", func() { buf = AppendEnd(buf[:0]) }},
		{"AppendTrailers", func() { buf, _ = AppendTrailers(buf[:0], trailers...) }},
		{"Decoder, at once", func() { feed(t, &d, body, len(body)) }},
		{"Decoder, byte by byte", func() { feed(t, &d, body, 1) }},
	} {
		if got := testing.AllocsPerRun(100, tt.f); got != 0 {
			t.Errorf("%s: got %v allocations, want 0", tt.name, got)
		}
	}
	if seen == 0 {
		t.Error("no trailer seen")
	}
}

// A Decoder that nobody asks for trailers keeps none of their bytes.
func TestNoTrailerBuffer(t *testing.T) {
	d := new(Decoder)
	feed(t, d, []byte("0\r\nA: "+strings.Repeat("x", 1000)+"\r\n\r\n"), 1)
	if cap(d.held) != 0 {
		t.Errorf("got a buffer of %d bytes, want none", cap(d.held))
	}
}
