package openai

import (
	"bytes"
	"testing"

	"weir/cmd/weir/internal/dialect"
)

// What an event of a stream costs that only passes: one with a token, as vLLM sends it.
func BenchmarkReader(b *testing.B) {
	for name, again := range map[string]bool{"again": true, "other": false} {
		b.Run(name, func(b *testing.B) { benchmarkReader(b, again) })
	}
}

func benchmarkReader(b *testing.B, again bool) {
	event := []byte(`data: {"id":"chatcmpl-0123456789","object":"chat.completion.chunk","created":1700000000,"model":"weir-demo","system_fingerprint":null,"choices":[{"index":0,"delta":{"content":" world"},"logprobs":null,"finish_reason":null}]}` + "\n\n")
	var r dialect.Reader
	r.Reset(chat)
	created := bytes.Index(event, []byte("1700000000"))
	b.SetBytes(int64(len(event)))
	b.ReportAllocs()
	for b.Loop() {
		if !again {
			event[created] ^= 1
		}
		if n, v := r.Next(event); n != len(event) || !v.Has(dialect.Substance) {
			b.Fatal(n, v)
		}
	}
}
