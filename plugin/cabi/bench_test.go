//go:build cgo && unix

package cabi

import (
	"flag"
	"os"
	"strconv"
	"testing"
	"time"

	"weir/plugin"
)

// discard is a Reply and a Sink that costs nothing.
type discard struct{ plugin.Sink }

func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) Send([]byte) error           { return nil }

// A call of a C handler: to C, and back for its answer. The first is without an answer, so the difference is one
// crossing from C to Go.
func BenchmarkUnary(b *testing.B) {
	for _, name := range []string{"unary/nothing", "unary/tiny"} {
		h := find(b, name)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := h.Unary(call{}, discard{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Tokens from C, a thousand a call: one crossing each, and the handle's look-up.
func BenchmarkSend(b *testing.B) {
	h := find(b, "stream/repeat")
	b.ReportAllocs()
	for b.Loop() {
		if err := h.Stream(call{body: "1000"}, discard{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/crossing")
}

var million = flag.Bool("million", false, "run TestMillion: a million calls and a million tokens, for a sanitizer")

// TestMillion is what asan.sh runs.
func TestMillion(t *testing.T) {
	if !*million {
		t.Skip("without -million: asan.sh runs it")
	}
	const n = 1_000_000
	unary := find(t, "unary/tiny")
	start := time.Now()
	for range n {
		var r reply
		if err := unary.Unary(call{}, &r); err != nil || r.body.String() != "ok" {
			t.Fatalf("got %q, %v, want ok", r.body.String(), err)
		}
	}
	t.Logf("%d unary calls: %v each", n, time.Since(start)/n)
	for _, name := range []string{"stream/repeat", "thread/detached"} {
		s, start := newSink(), time.Now()
		if err := find(t, name).Stream(call{body: strconv.Itoa(n)}, s); err != nil {
			t.Fatal(err)
		}
		if s.detached {
			<-s.Done()
		}
		if text, _ := s.sent(); len(text) != 4*n {
			t.Errorf("%s: got %d bytes, want %d", name, len(text), 4*n)
		}
		t.Logf("%s: %d tokens: %v each", name, n, time.Since(start)/n)
	}
	wantNoneAlive(t)
}

// TestSanitizerSees makes the fault that WEIR_CABI_FAULT names, so that asan.sh knows that its silence means something.
func TestSanitizerSees(t *testing.T) {
	fault := os.Getenv("WEIR_CABI_FAULT")
	if fault == "" {
		t.Skip("WEIR_CABI_FAULT is not set: asan.sh runs it")
	}
	h := find(t, "faulty/"+fault)
	if err := h.Unary(call{body: "seven"}, new(reply)); err != nil {
		t.Fatal(err)
	}
}
