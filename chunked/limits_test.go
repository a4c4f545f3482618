package chunked

import (
	"fmt"
	"strings"
	"testing"
)

// Each limit holds exactly at its value and is refused one over it (H16's rule, for bodies), cut anywhere.
func TestLimits(t *testing.T) {
	ext := func(n int) string { return "1;" + strings.Repeat("e", n-2) + "\r\nx\r\n0\r\n\r\n" }
	fields := func(n int) string { return "0\r\n" + strings.Repeat("A: 1\r\n", n) + "\r\n" }
	for _, tt := range []struct {
		name   string
		limits Decoder
		at     string
		over   string
		want   string
	}{
		{"size line, default", Decoder{}, ext(256), ext(257),
			"chunked: chunk size line over the limit at byte 256"},
		{"size line", Decoder{MaxLine: 10}, ext(10), ext(11),
			"chunked: chunk size line over the limit at byte 10"},
		{"size line of digits", Decoder{MaxLine: 3}, "001\r\nx\r\n0\r\n\r\n", "0001\r\nx\r\n0\r\n\r\n",
			"chunked: chunk size line over the limit at byte 3"},
		{"trailer fields, default", Decoder{}, fields(100), fields(101),
			"chunked: too many trailer fields at byte 603"},
		{"trailer fields", Decoder{MaxTrailers: 2}, fields(2), fields(3),
			"chunked: too many trailer fields at byte 15"},
		{"trailer bytes", Decoder{MaxTrailer: 12}, "0\r\nA: 3456789\r\n\r\n", "0\r\nA: 34567890\r\n\r\n",
			"chunked: trailer section over the limit at byte 15"},
		{"body", Decoder{MaxBody: 5}, "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n",
			"chunked: body over the limit at byte 10"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := tt.limits
			good := decode(t, &d, tt.at)
			if !good.done {
				t.Fatalf("at the limit: got %+v, want done", good)
			}
			atEveryCut(t, tt.limits, tt.at, good)
			d = tt.limits
			bad := decode(t, &d, tt.over)
			if bad.err != tt.want {
				t.Fatalf("over the limit: got %+v, want %q", bad, tt.want)
			}
			atEveryCut(t, tt.limits, tt.over, bad)
		})
	}
}

func TestDefaultTrailerBytes(t *testing.T) {
	for _, tt := range []struct {
		size int
		done bool
	}{{DefaultMaxTrailer, true}, {DefaultMaxTrailer + 1, false}} {
		body := "0\r\nA: " + strings.Repeat("x", tt.size-len("A: \r\n")) + "\r\n\r\n"
		if got := decode(t, new(Decoder), body); got.done != tt.done {
			t.Errorf("%d bytes: got done %v, error %q, want done %v", tt.size, got.done, got.err, tt.done)
		}
	}
}

func TestStatus(t *testing.T) {
	for _, tt := range []struct {
		body string
		want int
	}{
		{"x", 400},
		{"9\r\n", 413},
		{"0\r\nA: 12345678\r\n", 431},
		{"0\r\nA:1\r\nB:2\r\n", 431},
	} {
		d := Decoder{MaxBody: 8, MaxTrailer: 12, MaxTrailers: 1}
		err := drain(&d, tt.body)
		if e, ok := err.(*Error); !ok || e.Status != tt.want {
			t.Errorf("%q: got %v, want status %d", tt.body, err, tt.want)
		}
	}
}

// X86: framing over 16 times the data and 4 KiB is refused, although each line is within its limit.
func TestOverhead(t *testing.T) {
	chunk := "1;" + strings.Repeat("e", 98) + "\r\nx\r\n" // 104 bytes of framing, 1 of data
	got := decode(t, new(Decoder), strings.Repeat(chunk, 1000))
	// The k-th size line ends with 104k-2 bytes of framing and k-1 of data: over 4096+16(k-1)+15 at k = 47.
	want := outcome{data: strings.Repeat("x", 46), err: fmt.Sprintf("chunked: %s at byte %d",
		faults[overhead].reason, 46*len(chunk)+101)}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	paid := "10000\r\n" + strings.Repeat("x", 1<<16) + "\r\n"
	if got := decode(t, new(Decoder), paid+strings.Repeat(chunk, 1000)); got.err != "" {
		t.Errorf("after 64 KiB of data: got %v, want no error", got.err)
	}
}

// X89: a million one-byte chunks are within the rule and leave nothing behind.
func TestOneByteChunks(t *testing.T) {
	d := new(Decoder)
	src := []byte(strings.Repeat("1\r\nx\r\n", 1000))
	total := 0
	for range 1000 {
		for p := src; len(p) > 0; {
			data, n, err := d.Next(p)
			if err != nil {
				t.Fatal(err)
			}
			total += len(data)
			p = p[n:]
		}
	}
	if total != 1e6 || cap(d.held) != 0 {
		t.Errorf("got %d bytes and a buffer of %d, want 1000000 and none", total, cap(d.held))
	}
}
