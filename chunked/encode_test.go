package chunked

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
)

func TestAppendChunk(t *testing.T) {
	for _, tt := range []struct{ name, data, want string }{
		{"C1 empty writes nothing", "", ""},
		{"one digit", "hi", "2\r\nhi\r\n"},
		{"two digits", strings.Repeat("x", 26), "1a\r\n" + strings.Repeat("x", 26) + "\r\n"},
		{"data with CRLF", "a\r\n0\r\n\r\n", "8\r\na\r\n0\r\n\r\n\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := AppendChunk([]byte("before"), []byte(tt.data)); string(got) != "before"+tt.want {
				t.Errorf("got %q, want %q", got, "before"+tt.want)
			}
		})
	}
}

// C1: send empty, send hi, close.
func TestC1Body(t *testing.T) {
	b := AppendChunk(nil, nil)
	b = AppendChunk(b, []byte("hi"))
	if got, want := string(AppendEnd(b)), "2\r\nhi\r\n0\r\n\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAppendSize(t *testing.T) {
	for _, n := range []int{1, 9, 10, 15, 16, 17, 255, 256, 4095, 4096, 65535, 1 << 20, math.MaxInt32, math.MaxInt} {
		want := strconv.FormatInt(int64(n), 16) + "\r\n"
		if got := string(AppendSize(nil, n)); got != want {
			t.Errorf("AppendSize(%d): got %q, want %q", n, got, want)
		}
	}
	for _, n := range []int{0, -1, math.MinInt} { // C1: never a last chunk by accident
		if got := AppendSize(nil, n); len(got) != 0 {
			t.Errorf("AppendSize(%d): got %q, want nothing", n, got)
		}
	}
}

func TestC2AppendTrailers(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fields []Field
		want   string // empty: refused
	}{
		{"none", nil, "0\r\n\r\n"},
		{"one", []Field{{"X-Sum", "1"}}, "0\r\nX-Sum: 1\r\n\r\n"},
		{"two", []Field{{"A", "1"}, {"b", ""}}, "0\r\nA: 1\r\nb: \r\n\r\n"},
		{"obs-text and TAB", []Field{{"A", "\xe9\tx"}}, "0\r\nA: \xe9\tx\r\n\r\n"},
		{"CR in value", []Field{{"A", "1"}, {"B", "x\ry"}}, ""},
		{"LF in value", []Field{{"A", "x\nEvil: 1"}}, ""},
		{"NUL in value", []Field{{"A", "x\x00"}}, ""},
		{"DEL in value", []Field{{"A", "x\x7f"}}, ""},
		{"CR in name", []Field{{"A\r", "x"}}, ""},
		{"LF in name", []Field{{"A\nB", "x"}}, ""},
		{"NUL in name", []Field{{"A\x00", "x"}}, ""},
		{"colon in name", []Field{{"A:", "x"}}, ""},
		{"blank in name", []Field{{"A ", "x"}}, ""},
		{"empty name", []Field{{"", "x"}}, ""},
		{"framing", []Field{{"Content-Length", "5"}}, ""},
		{"framing, other case", []Field{{"tRANSFER-eNCODING", "chunked"}}, ""},
		{"routing", []Field{{"Host", "evil"}}, ""},
		{"forwarding", []Field{{"X-Forwarded-For", "::1"}}, ""},
		{"authentication", []Field{{"Set-Cookie", "a=b"}}, ""},
		{"control", []Field{{"If-Match", "*"}}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := AppendTrailers([]byte("before"), tt.fields...)
			if refused := tt.want == ""; errors.Is(err, ErrTrailer) != refused {
				t.Errorf("got error %v, want refused: %v", err, refused)
			}
			if string(got) != "before"+tt.want {
				t.Errorf("got %q, want %q", got, "before"+tt.want)
			}
		})
	}
}

// What AppendTrailers lets through must come out of a Decoder as it went in.
func TestTrailersRoundTrip(t *testing.T) {
	body, err := AppendTrailers(AppendChunk(nil, []byte("x")), Field{"X-A", "1, 2"}, Field{"x-b", ""})
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	d := Decoder{Trailer: func(name, value []byte) { got.WriteString(string(name) + "=" + string(value) + ";") }}
	for len(body) > 0 {
		_, n, err := d.Next(body)
		if err != nil {
			t.Fatal(err)
		}
		body = body[n:]
	}
	if want := "X-A=1, 2;x-b=;"; got.String() != want || !d.Done() {
		t.Errorf("got %q, done %v, want %q, done", got.String(), d.Done(), want)
	}
}
