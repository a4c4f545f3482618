package sse

import (
	"bytes"
	"strings"
	"testing"
)

const token = `{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":" word"}}]}`

func perEvent(b *testing.B, events int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(events), "ns/event")
}

func BenchmarkAppendEvent(b *testing.B) {
	for _, bb := range []struct {
		name  string
		event Event
	}{
		{"word", Event{Data: []byte(" word")}},
		{"token", Event{Data: []byte(token)}},
		{"name, id, token", Event{Name: "delta", ID: "1234", Data: []byte(token)}},
		{"64 lines", Event{Data: []byte(strings.Repeat("a line of some program text\n", 64))}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, 0, 4096)
			for b.Loop() {
				buf, _ = AppendEvent(buf[:0], &bb.event)
			}
			perEvent(b, 1)
		})
	}
}

// benchStream is 64 events of a token each, and the sizes of the pieces that it arrives in.
func benchStream(breaks string) ([]byte, []struct {
	name string
	size int
}) {
	one := "data: " + token + breaks + breaks
	return bytes.Repeat([]byte(one), 64), []struct {
		name string
		size int
	}{{"an event a piece", len(one)}, {"4 KiB pieces", 4096}, {"40 B pieces", 40}}
}

func BenchmarkDecoder(b *testing.B) {
	stream, pieces := benchStream("\n")
	for _, bb := range pieces {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(stream)))
			d := new(Decoder)
			for b.Loop() {
				if decodeAll(d, stream, bb.size) != 64 {
					b.Fatal("not 64 events")
				}
			}
			perEvent(b, 64)
		})
	}
}

func BenchmarkFramer(b *testing.B) {
	for _, breaks := range []string{"\n", "\r\n"} {
		stream, pieces := benchStream(breaks)
		for _, bb := range pieces {
			name := map[string]string{"\n": "LF", "\r\n": "CRLF"}[breaks]
			b.Run(name+", "+bb.name, func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(stream)))
				f := new(Framer)
				for b.Loop() {
					if frameAll(f, stream, bb.size) != 64 {
						b.Fatal("not 64 events")
					}
				}
				perEvent(b, 64)
			})
		}
	}
}

// decodeAll counts the events of stream, which arrives in pieces of size bytes.
func decodeAll(d *Decoder, stream []byte, size int) (events int) {
	for len(stream) > 0 {
		piece := stream[:min(size, len(stream))]
		stream = stream[len(piece):]
		for {
			m, n, err := d.Next(piece)
			if err != nil || m == nil {
				break
			}
			events++
			piece = piece[n:]
		}
	}
	return events
}

// frameAll is decodeAll for a Framer; events that carry nothing do not count.
func frameAll(f *Framer, stream []byte, size int) (events int) {
	for len(stream) > 0 {
		piece := stream[:min(size, len(stream))]
		stream = stream[len(piece):]
		for len(piece) > 0 {
			n, complete := f.Next(piece)
			if complete && f.HasData() {
				events++
			}
			piece = piece[n:]
		}
	}
	return events
}
