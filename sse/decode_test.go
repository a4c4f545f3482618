package sse

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// result is all that a stream comes to. Events are written as Name|ID|Data, the ID "-" where there is none,
// with |Retry behind it where there is one.
type result struct {
	events []string
	lastID string
	retry  time.Duration
	err    error // of Next or Close
}

func (r result) String() string {
	return fmt.Sprintf("%q, last id %q, retry %v, error %v", r.events, r.lastID, r.retry, r.err)
}

func (r result) equal(o result) bool { return r.String() == o.String() }

// decode feeds the pieces to d, each followed by poison that must not be read.
func decode(t *testing.T, d *Decoder, pieces ...string) (r result) {
	t.Helper()
	for _, piece := range pieces {
		src := []byte(piece + "\n\n")[:len(piece)]
		for {
			m, n, err := d.Next(src)
			if n > len(src) || m == nil && err == nil && n != len(src) {
				t.Fatalf("Next consumed %d of %d bytes", n, len(src))
			}
			for i := range n { // what is consumed is the caller's again
				src[i] = 'X'
			}
			src = src[n:]
			if m == nil {
				break
			}
			if m.Data == nil {
				t.Fatal("Data is nil")
			}
			id := "-"
			if m.ID != nil {
				id = string(m.ID)
			}
			text := fmt.Sprintf("%s|%s|%s", m.Name, id, m.Data)
			if m.Retry != 0 {
				text += "|" + m.Retry.String()
			}
			r.events = append(r.events, text)
		}
	}
	r.err, r.lastID, r.retry = d.Close(), d.LastEventID(), d.Retry()
	return r
}

// atEveryCut checks that stream comes to want at once, in single bytes, cut at every byte, and, when it
// is short, at every pair of cuts.
func atEveryCut(t *testing.T, limits Decoder, stream string, want result) {
	t.Helper()
	check := func(how string, pieces ...string) {
		t.Helper()
		d := limits
		if got := decode(t, &d, pieces...); !got.equal(want) {
			t.Fatalf("%s: got %v, want %v", how, got, want)
		}
	}
	check("at once", stream)
	check("byte by byte", strings.Split(stream, "")...)
	for i := range len(stream) {
		check(fmt.Sprintf("cut at %d", i), stream[:i], stream[i:])
		for j := i; j < len(stream) && len(stream) < 48; j++ {
			check(fmt.Sprintf("cut at %d and %d", i, j), stream[:i], stream[i:j], stream[j:])
		}
	}
}

type ev = []string

// streams is what the decoder must make of a stream; the oracle is asked about each as well.
var streams = []struct {
	name, stream string
	want         result
}{
	{"empty", "", result{}},
	{"LF", "data: a\n\ndata: b\n\n", result{events: ev{"|-|a", "|-|b"}}},
	{"CRLF", "data: a\r\n\r\ndata: b\r\n\r\n", result{events: ev{"|-|a", "|-|b"}}},
	{"CR", "data: a\r\rdata: b\r\r", result{events: ev{"|-|a", "|-|b"}}},
	{"mixed", "data: a\rdata: b\r\ndata: c\n\r\ndata: d\n\r", result{events: ev{"|-|a\nb\nc", "|-|d"}}},
	{"CRLF is one break", "data: a\r\n\ndata: b\r\n\n", result{events: ev{"|-|a", "|-|b"}}},
	{"CR CRLF", "data: a\r\r\ndata: b\n\n", result{events: ev{"|-|a", "|-|b"}}},
	{"BOM", "\xef\xbb\xbfdata: a\n\n", result{events: ev{"|-|a"}}},
	{"BOM once", "\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n", result{events: ev{"|-|b"}}},
	{"BOM only first", "data: a\n\n\xef\xbb\xbfdata: b\n\n", result{events: ev{"|-|a"}}},
	{"BOM alone", "\xef\xbb\xbf\n\n", result{}},
	{"half a BOM", "\xef\xbbdata: a\n\ndata: b\n\n", result{events: ev{"|-|b"}}},
	{"one space dropped", "data:a\n\ndata: b\n\ndata:  c\n\ndata:\td\n\n", result{events: ev{"|-|a", "|-|b", "|-| c", "|-|\td"}}},
	{"no colon", "data\n\ndata\ndata\n\n", result{events: ev{"|-|", "|-|\n"}}},
	{"E2 empty data", "data:\n\ndata: \n\n", result{events: ev{"|-|", "|-|"}}},
	{"colons in the value", "data: a: b:\n\n", result{events: ev{"|-|a: b:"}}},
	{"unknown fields", "foo: x\nDATA: y\ndata : z\n data: u\ndata: a\nfoo\n\n", result{events: ev{"|-|a"}}},
	{"comments", ": c\n:\n:data: x\ndata: a\n: c\ndata: b\n\n: ping\n\n", result{events: ev{"|-|a\nb"}}},
	{"joined by LF", "data: a\ndata:\ndata: b\n\n", result{events: ev{"|-|a\n\nb"}}},
	{"blank lines", "\n\n\ndata: a\n\n\n\n", result{events: ev{"|-|a"}}},
	{"E3", "event: reload\ndata: \n\n", result{events: ev{"reload|-|"}}},
	{"E4", "event: msg\nid: 42\ndata: hello\n\n", result{events: ev{"msg|42|hello"}, lastID: "42"}},
	{"E5", "event: e\nid: 2\nretry: 500\ndata: test\n\n",
		result{events: ev{"e|2|test|500ms"}, lastID: "2", retry: 500 * time.Millisecond}},
	{"name does not last", "event: e\ndata: a\n\ndata: b\n\n", result{events: ev{"e|-|a", "|-|b"}}},
	{"last name wins", "event: e\nevent: f\ndata: a\n\nevent: e\nevent\ndata: b\n\n", result{events: ev{"f|-|a", "|-|b"}}},
	{"no data, not dispatched", "event: e\n\ndata: a\n\n", result{events: ev{"|-|a"}}},
	{"E15 id without data counts", "id: 1\n\ndata: a\n\n", result{events: ev{"|-|a"}, lastID: "1"}},
	{"id lasts", "id: 1\ndata: a\n\ndata: b\n\n", result{events: ev{"|1|a", "|-|b"}, lastID: "1"}},
	{"id cleared", "id: 1\ndata: a\n\nid\ndata: b\n\n", result{events: ev{"|1|a", "||b"}}},
	{"id with NUL", "id: 1\n\nid: a\x00b\ndata: a\n\n", result{events: ev{"|-|a"}, lastID: "1"}},
	{"retry alone", "retry: 5000\n\n", result{retry: 5 * time.Second}},
	{"retry of 0", "retry: 0\ndata: a\n\n", result{events: ev{"|-|a|1ns"}, retry: RetryNow}},
	{"retry not of digits", "retry: 1\nretry: 5s\nretry:\nretry: -1\nretry: +1\nretry: 1.5\nretry:  2\nretry: ٣\n\n",
		result{retry: time.Millisecond}},
	{"retry not lasting", "retry: 7\ndata: a\n\ndata: b\n\n",
		result{events: ev{"|-|a|7ms", "|-|b"}, retry: 7 * time.Millisecond}},
	{"UTF-8", "data: zażółć €😀\nid: ü\n\n", result{events: ev{"|ü|zażółć €😀"}, lastID: "ü"}},
	{"not UTF-8", "data: a\xffb\n\n", result{events: ev{"|-|a\xffb"}}},
	{"NUL in data", "data: a\x00b\n\n", result{events: ev{"|-|a\x00b"}}},
	{"OpenAI", "data: {\"choices\":[]}\n\ndata: [DONE]\n\n", result{events: ev{"|-|{\"choices\":[]}", "|-|[DONE]"}}},
	{"truncated in a line", "data: a\n\ndata: b", result{events: ev{"|-|a"}, err: ErrTruncated}},
	{"truncated after a line", "data: a\n\ndata: b\n", result{events: ev{"|-|a"}, err: ErrTruncated}},
	{"truncated after CR", "data: b\r", result{err: ErrTruncated}},
	{"truncated id does not count", "id: 1\ndata: a\n\nid: 2\n", result{events: ev{"|1|a"}, lastID: "1", err: ErrTruncated}},
	{"truncated name", "event: a\n", result{err: ErrTruncated}},
	{"truncated comment", "data: a\n\n: pi", result{events: ev{"|-|a"}, err: ErrTruncated}},
	{"a whole comment line is whole", "data: a\n\n: ping\n", result{events: ev{"|-|a"}}},
}

func TestDecoder(t *testing.T) {
	for _, tt := range streams {
		t.Run(tt.name, func(t *testing.T) { atEveryCut(t, Decoder{}, tt.stream, tt.want) })
	}
}

// A client gives back what went in, but for the kind of line breaks.
func TestRoundTrip(t *testing.T) {
	for _, tt := range encodings {
		if tt.event.Data == nil && tt.event.Name == "" {
			continue
		}
		want := tt.event
		want.Data = []byte(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(want.Data)))
		got := slices.Collect(messages(t, tt.want))
		if len(got) != 1 || got[0].Name != want.Name || got[0].ID != want.ID || string(got[0].Data) != string(want.Data) ||
			got[0].Retry != want.Retry.Truncate(time.Millisecond) {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, want)
		}
	}
}

func TestLongLines(t *testing.T) {
	for _, tt := range []struct {
		name, stream string
		want         result
	}{
		{"at the limit", "data: 7890\n\n", result{events: ev{"|-|7890"}}},
		{"one over", "data: 78901\n\n", result{err: &TooLongError{"line", 10}}},
		{"one over, no end", "data: 78901", result{err: &TooLongError{"line", 10}}},
		{"a comment", "data: a\n\n: 3456789012\n\n", result{events: ev{"|-|a"}, err: &TooLongError{"line", 10}}},
		{"event at the limit", "data: 123\ndata: 567\n\n", result{events: ev{"|-|123\n567"}}},
		{"event one over", "data: 123\ndata: 5678\n\n", result{err: &TooLongError{"event", 7}}},
		{"event of line breaks", strings.Repeat("data\n", 8) + "\n", result{events: ev{"|-|" + strings.Repeat("\n", 7)}}},
		{"event of line breaks, one over", strings.Repeat("data\n", 9) + "\n", result{err: &TooLongError{"event", 7}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			atEveryCut(t, Decoder{MaxLine: 10, MaxEvent: 7}, tt.stream, tt.want)
		})
	}
}

func TestDefaultLimits(t *testing.T) {
	line := "data: " + strings.Repeat("x", DefaultMaxLine-len("data: "))
	if got := decode(t, new(Decoder), line+"\n\n"); got.err != nil || len(got.events) != 1 {
		t.Errorf("line at the limit: got %d events, %v", len(got.events), got.err)
	}
	var long *TooLongError
	d := new(Decoder)
	if got := decode(t, d, line+"x\n\n"); !errors.As(got.err, &long) || *long != (TooLongError{"line", DefaultMaxLine}) {
		t.Errorf("line over the limit: got %v", got.err)
	}
	if _, n, err := d.Next([]byte("data: a\n\n")); n != 0 || err != error(long) {
		t.Errorf("Next after an error: got %d, %v, want 0 and the same error", n, err)
	}
	if got := decode(t, new(Decoder), strings.Repeat(line+"\n", 9)); !errors.As(got.err, &long) || long.What != "event" {
		t.Errorf("event over the limit: got %v", got.err)
	}
}

func TestReset(t *testing.T) {
	d := new(Decoder)
	decode(t, d, "\xef\xbb\xbfid: 1\nretry: 7\n\nevent: x\nid: 2\ndata: a\nda")
	d.Reset()
	if got, want := decode(t, d, "\xef\xbb\xbfdata: b\n\n"), (result{events: ev{"|-|b"}}); !got.equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A retry that overflows is the longest wait, not a negative one.
func TestHugeRetry(t *testing.T) {
	d := new(Decoder)
	decode(t, d, "retry: 99999999999999999999999999\n\n")
	if got := d.Retry(); got < 100*365*24*time.Hour {
		t.Errorf("got %v, want the longest", got)
	}
}

// Time is linear in the bytes whatever breaks the lines. Here no LF ends a search early: looking for one to
// the end of src for each line would take minutes.
func TestManyShortLines(t *testing.T) {
	src := []byte(strings.Repeat(":\r", 1<<21) + "data: a\r\r")
	m, n, err := new(Decoder).Next(src)
	if m == nil || n != len(src) || err != nil {
		t.Errorf("got %v, %d, %v, want a message and %d", m, n, err, len(src))
	}
}
