package mock

import (
	"io"
	"strings"
	"testing"
)

// BenchmarkEvents is what an event costs the mock and a client that reads it.
func BenchmarkEvents(b *testing.B) {
	s := Start(b, Config{})
	c := connect(b, s)
	r := chat{body: `{"model":"m","stream":true}`, fields: []string{"x-mock-tokens: 1000000000"}}
	if _, err := io.WriteString(c, r.String()); err != nil {
		b.Fatal(err)
	}
	event := int64(len(chunks(StreamEvents(Body{Model: "m", Tokens: 1})[1])))
	b.ReportAllocs()
	b.SetBytes(event)
	b.ResetTimer()
	if _, err := io.CopyN(io.Discard, c, int64(b.N)*event); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkDeparture is the time from a client's close to its record.
func BenchmarkDeparture(b *testing.B) {
	s := Start(b, Config{})
	r := chat{body: streamBody, keep: true, fields: []string{"x-mock-fault: stall-after=1"}}
	for n := 1; b.Loop(); n++ {
		b.StopTimer()
		c := connect(b, s)
		if _, err := io.Copy(c, strings.NewReader(r.String())); err != nil {
			b.Fatal(err)
		}
		if err := s.WaitEvents(b.Context(), n); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		c.Close()
		if err := s.Wait(b.Context(), func(c Counts) bool { return c.Left == n }); err != nil {
			b.Fatal(err)
		}
	}
}
