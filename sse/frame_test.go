package sse

import (
	"fmt"
	"strings"
	"testing"
)

// frame tells what a Framer makes of the pieces: where each event ends, counted from the start of the
// stream, then d for data or - for none, ! for the marker, and the longest line. "open" ends a stream that
// ends within an event.
func frame(t *testing.T, f *Framer, pieces ...string) string {
	t.Helper()
	var out strings.Builder
	at := 0
	for _, piece := range pieces {
		src := []byte(piece + "\n\n")[:len(piece)]
		for len(src) > 0 {
			n, complete := f.Next(src)
			if n <= 0 || n > len(src) || !complete && n != len(src) {
				t.Fatalf("Next took %d of %d bytes, complete %v", n, len(src), complete)
			}
			for i := range n {
				src[i] = 'X'
			}
			src = src[n:]
			if at += n; !complete {
				continue
			}
			if f.Open() {
				t.Fatal("open though complete")
			}
			kind := "-"
			if f.HasData() {
				kind = "d"
			}
			if string(f.ShortData()) == "[DONE]" {
				kind += "!"
			}
			fmt.Fprintf(&out, "%d%s%d ", at, kind, f.Longest())
		}
	}
	if f.Open() {
		out.WriteString("open")
	}
	return strings.TrimSpace(out.String())
}

func TestFramer(t *testing.T) {
	for _, tt := range []struct{ name, stream, want string }{
		{"empty", "", ""},
		{"LF", "data: a\n\ndata: b\n\n", "9d7 18d7"},
		{"CRLF", "data: a\r\n\r\ndata: b\r\n\r\n", "11d7 22d7"},
		{"mixed", "data: a\r\n\ndata: b\n\r\n", "10d7 20d7"},
		{"several lines", "event: x\ndata: a\ndata: bcd\n\n", "28d9"},
		{"no colon", "data\n\n", "6d4"},
		{"no space", "data:a\n\n", "8d6"},
		{"other fields alone", "id: 1\n\nevent: data\n\ndatax: y\n\ndat\n\n data: a\n\n", "7-5 20-11 30-8 35-3 45-8"},
		{"comment alone", ": data: x\n\n:\n\n", "11-9 14-1"},
		{"blank lines", "\n\ndata: a\n\n\n", "1-0 2-0 11d7 12-0"},
		{"BOM", "\xef\xbb\xbfdata: [DONE]\n\n", "17d!15"},
		{"BOM only first", "data\n\n\xef\xbb\xbfdata\n\n", "6d4 15-7"},
		{"BOM and blank", "\xef\xbb\xbf\ndata\n\n", "4-3 10d4"},
		{"marker", "data: [DONE]\n\ndata:[DONE]\n\n", "14d!12 27d!11"},
		{"marker with other fields", ": c\ndata: [DONE]\nid: 1\n\n", "24d!12"},
		{"not the marker", "data:  [DONE]\n\ndata: [DONE] \n\ndata: [DONE\n\ndata [DONE]\n\n", "15d13 30d13 43d11 56-11"},
		{"not the marker: two lines", "data: [DONE]\ndata: x\n\ndata: x\ndata: [DONE]\n\n", "22d12 44d12"},
		{"marker does not last", "data: [DONE]\n\ndata: x\n\n", "14d!12 23d7"},
		{"within a line", "data: a\n\ndata", "9d7 open"},
		{"within an event", "data: a\n\ndata: b\n", "9d7 open"},
		{"long line", "data: " + strings.Repeat("x", 600) + "\n\n", "608d606"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			check := func(how string, pieces ...string) {
				t.Helper()
				if got := frame(t, new(Framer), pieces...); got != tt.want {
					t.Fatalf("%s: got %q, want %q", how, got, tt.want)
				}
			}
			check("at once", tt.stream)
			if strings.Contains(tt.stream, "\r\n") { // where an event ends then depends on the cut: see below
				return
			}
			check("byte by byte", strings.Split(tt.stream, "")...)
			for i := range len(tt.stream) {
				check(fmt.Sprintf("cut at %d", i), tt.stream[:i], tt.stream[i:])
			}
		})
	}
}

// An event is complete at its CR; an LF that comes later goes with what follows and opens nothing.
func TestFramerCutCRLF(t *testing.T) {
	const stream = "data: a\r\n\r\ndata: b\r\n\r\n"
	for i := range len(stream) {
		want := "11d7 22d7"
		switch i {
		case 10:
			want = "10d7 22d7"
		case 21:
			want = "11d7 21d7"
		}
		if got := frame(t, new(Framer), stream[:i], stream[i:]); got != want {
			t.Errorf("cut at %d: got %q, want %q", i, got, want)
		}
	}
	if got, want := frame(t, new(Framer), strings.Split(stream, "")...), "10d7 21d7"; got != want {
		t.Errorf("byte by byte: got %q, want %q", got, want)
	}
	if got, want := frame(t, new(Framer), "data: a\r", "\rdata: b\n", "\r", "\n\n"), "9d7 18d7 20-0"; got != want {
		t.Errorf("CR CR, and CRLF then LF: got %q, want %q", got, want)
	}
}

// compareFramer checks a Framer against a Decoder on the same pieces: the events with data end at the same
// bytes, and the marker is that of the data.
func compareFramer(t *testing.T, pieces ...string) {
	t.Helper()
	var framed, decoded []string
	f, d := new(Framer), new(Decoder)
	at := 0
	for _, piece := range pieces {
		for p := []byte(piece); len(p) > 0; {
			n, complete := f.Next(p)
			if complete && f.HasData() {
				framed = append(framed, fmt.Sprint(at+len(piece)-len(p)+n, string(f.ShortData()) == "[DONE]"))
			}
			p = p[n:]
		}
		for p := []byte(piece); len(p) > 0; {
			m, n, err := d.Next(p)
			if err != nil {
				return
			}
			if m != nil {
				decoded = append(decoded, fmt.Sprint(at+len(piece)-len(p)+n, string(m.Data) == "[DONE]"))
			}
			p = p[n:]
		}
		at += len(piece)
	}
	if got, want := fmt.Sprint(framed), fmt.Sprint(decoded); got != want {
		t.Fatalf("%q: Framer %s, Decoder %s", pieces, got, want)
	}
}

func TestFramerAgreesWithDecoder(t *testing.T) {
	for _, tt := range streams {
		for i := range len(tt.stream) {
			compareFramer(t, tt.stream[:i], tt.stream[i:])
		}
		compareFramer(t, strings.Split(tt.stream, "")...)
	}
}

// ShortData is what a client is given, if it is short, however the stream is cut.
func TestShortData(t *testing.T) {
	for event, want := range map[string]string{
		"data: 12345678\n\n":                        "12345678",
		"data:12345678\nevent: e\n\n":               "12345678",
		"data:  [DONE]\n\n":                         " [DONE]",
		"data:\n\n":                                 "",
		"data\n\n":                                  "",
		"\xef\xbb\xbfdata: 12345678\n\n":            "12345678",
		"\xef\xbb\xbfdata: 123456789\n\n":           "nil",
		"data: 123456789\n\n":                       "nil",
		"data: 1\ndata: 2\n\n":                      "nil",
		": 1\n\n":                                   "nil",
		"data: " + strings.Repeat("x", 99) + "\n\n": "nil",
	} {
		for cut := range len(event) {
			var f Framer
			f.Next([]byte(event[:cut]))
			if _, complete := f.Next([]byte(event[cut:])); !complete {
				t.Fatalf("%q: it is not complete", event)
			}
			got := "nil"
			if data := f.ShortData(); data != nil {
				got = string(data)
			}
			if got != want {
				t.Errorf("%q cut at %d: got %q, want %q", event, cut, got, want)
			}
		}
	}
}
