package chunked

import (
	"bytes"
	"fmt"
	"testing"
)

// feed resets d and gives it body in pieces of size bytes.
func feed(tb testing.TB, d *Decoder, body []byte, size int) {
	d.Reset()
	for len(body) > 0 {
		piece := body[:min(size, len(body))]
		body = body[len(piece):]
		for len(piece) > 0 {
			_, n, err := d.Next(piece)
			if err != nil {
				tb.Fatal(err)
			}
			piece = piece[n:]
		}
	}
	if !d.Done() {
		tb.Fatal("not done")
	}
}

func BenchmarkAppendChunk(b *testing.B) {
	for _, size := range []int{16, 64, 1024} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			b.ReportAllocs()
			data, buf := make([]byte, size), make([]byte, 0, 2048)
			for b.Loop() {
				buf = AppendChunk(buf[:0], data)
			}
		})
	}
}

func BenchmarkDecoder(b *testing.B) {
	const chunks = 64
	for _, bb := range []struct {
		name        string
		size, piece int
	}{
		{"64B chunks, 4 KiB pieces", 64, 4096},
		{"64B chunks, a piece each", 64, 64 + 6},
		{"64B chunks, 7 B pieces", 64, 7},
		{"4KiB chunks, 16 KiB pieces", 4096, 16384},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			body := AppendEnd(bytes.Repeat(AppendChunk(nil, make([]byte, bb.size)), chunks))
			b.SetBytes(int64(len(body)))
			d := new(Decoder)
			for b.Loop() {
				feed(b, d, body, bb.piece)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/chunks, "ns/chunk")
		})
	}
}
