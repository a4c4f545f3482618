package openai

import (
	"testing"

	"weir/cmd/weir/internal/dialect"
)

// What an event of a stream costs that only passes: one with a token, as vLLM sends it.
func BenchmarkReader(b *testing.B) {
	event := []byte(`data: {"id":"chatcmpl-0123456789","object":"chat.completion.chunk","created":1700000000,"model":"weir-demo","system_fingerprint":null,"choices":[{"index":0,"delta":{"content":" world"},"logprobs":null,"finish_reason":null}]}` + "\n\n")
	var r dialect.Reader
	r.Reset(chat)
	b.SetBytes(int64(len(event)))
	b.ReportAllocs()
	for b.Loop() {
		if n, v := r.Next(event); n != len(event) || !v.Has(dialect.Substance) {
			b.Fatal(n, v)
		}
	}
}
