package frame

import (
	"slices"
	"strings"
	"testing"
)

const stream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\ntransfer-encoding: Chunked\r\n\r\n" +
	"7\r\ndata: a\r\n2\r\n\n\n\r\n" + // one event over two chunks
	"A;ext=1\r\ndata: bc\n\n\r\n" +
	"e\r\ndata: [DONE]\n\n\r\n0\r\nTrailer: x\r\n\r\n"

// readEvents feeds the pieces and returns the data of all events.
func readEvents(t *testing.T, pieces ...string) []string {
	t.Helper()
	var r Response
	var e Events
	var got []string
	for _, piece := range pieces {
		err := r.Feed([]byte(piece), func(body []byte) {
			if err := e.Feed(body, func(data []byte) { got = append(got, string(data)) }); err != nil {
				t.Fatal(err)
			}
		})
		if err != nil {
			t.Fatalf("feeding %q: %v", piece, err)
		}
	}
	if !r.Done() || r.Status != 200 {
		t.Errorf("got done %v, status %d; want true, 200", r.Done(), r.Status)
	}
	return got
}

func TestStreamCutAtEveryByte(t *testing.T) {
	want := []string{"a", "bc", "[DONE]"}
	for cut := range len(stream) {
		if got := readEvents(t, stream[:cut], stream[cut:]); !slices.Equal(got, want) {
			t.Errorf("cut at %d: got %q, want %q", cut, got, want)
		}
	}
	if got := readEvents(t, strings.Split(stream, "")...); !slices.Equal(got, want) {
		t.Errorf("byte by byte: got %q, want %q", got, want)
	}
}

func TestResponseBodies(t *testing.T) {
	tests := []struct {
		name, in, want string
		closed         bool // the server closes after in
		fails          bool
	}{
		{"fixed", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", false, false},
		{"fixed and empty", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "", false, false},
		{"until close", "HTTP/1.0 200 OK\r\n\r\nhello", "hello", true, false},
		{"fixed, cut", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", "hel", true, true},
		{"chunked, cut", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "hello", true, true},
		{"closed in the head", "HTTP/1.1 200 OK\r\n", "", true, true},
		{"excess", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab", "a", false, true},
		{"bad status line", "nonsense\r\n\r\n", "", false, true},
		{"bad chunk size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "", false, true},
		{"empty chunk size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", "", false, true},
		{"chunk longer than its size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", "a", false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r Response
			var got []byte
			err := r.Feed([]byte(tt.in), func(p []byte) { got = append(got, p...) })
			if err == nil && tt.closed {
				err = r.Close()
			}
			if (err != nil) != tt.fails {
				t.Errorf("got error %v, want failure %v", err, tt.fails)
			}
			if string(got) != tt.want {
				t.Errorf("got body %q, want %q", got, tt.want)
			}
			if !tt.fails && !r.Done() {
				t.Error("got an unfinished response, want a finished one")
			}
		})
	}
}

func TestResetReadsTheNextResponse(t *testing.T) {
	var r Response
	for _, status := range []int{200, 404} {
		head := map[int]string{200: "200 OK", 404: "404 Not Found"}[status]
		if err := r.Feed([]byte("HTTP/1.1 "+head+"\r\nContent-Length: 1\r\n\r\nx"), func([]byte) {}); err != nil {
			t.Fatal(err)
		}
		if r.Status != status || !r.Done() {
			t.Errorf("got status %d, done %v; want %d, true", r.Status, r.Done(), status)
		}
		r.Reset()
	}
}

func TestEvents(t *testing.T) {
	tests := []struct {
		name, in string
		want     []string
	}{
		{"LF", "data: a\n\ndata: b\n\n", []string{"a", "b"}},
		{"CRLF", "data: a\r\n\r\n", []string{"a"}},
		{"no space", "data:a\n\n", []string{"a"}},
		{"other fields and comments", ": beat\n\nid: 1\ndata: a\n\n", []string{"a"}},
		{"padding stays", "data: a  \n\n", []string{"a  "}},
		{"unfinished", "data: a\n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var e Events
			var got []string
			if err := e.Feed([]byte(tt.in), func(p []byte) { got = append(got, string(p)) }); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestParseStamp(t *testing.T) {
	tests := []struct {
		in   string
		want int64
		ok   bool
	}{
		{"t=1700000000123456789", 1700000000123456789, true},
		{"t=1700000000123456789   ", 1700000000123456789, true},
		{"t=5xxxx", 5, true},
		{`{"t":1700000000123456789,"id":"1"}`, 1700000000123456789, true},
		{`{"t":}`, 0, false},
		{"xxxxxxxx", 0, false},
		{"t=", 0, false},
		{"t=x", 0, false},
		{"[DONE]", 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			if got, ok := ParseStamp([]byte(tt.in)); got != tt.want || ok != tt.ok {
				t.Errorf("got %d, %v; want %d, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestParseNumber(t *testing.T) {
	tests := []struct {
		in   string
		want int64
		ok   bool
	}{
		{`{"t":1700000000123456789,"i":42,"id":"1"}`, 42, true},
		{`{"t":1,"i":0}`, 0, true},
		{`{"t":1,"i":}`, 0, false},
		{`{"t":1,"id":"1"}`, 0, false},
		{`{"t":,"i":1}`, 0, false},
		{"t=1", 0, false},
		{"", 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			if got, ok := ParseNumber([]byte(tt.in)); got != tt.want || ok != tt.ok {
				t.Errorf("got %d, %v; want %d, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestLongLinesAreRefused(t *testing.T) {
	long := []byte(strings.Repeat("x", maxKept+1))
	var e Events
	if err := e.Feed(long, func([]byte) {}); err != errLong {
		t.Errorf("events: got %v, want %v", err, errLong)
	}
	var r Response
	if err := r.Feed(long, func([]byte) {}); err != errLong {
		t.Errorf("response: got %v, want %v", err, errLong)
	}
}

func BenchmarkFrame(b *testing.B) {
	chunk := []byte("48\r\ndata: t=1700000000123456789" + strings.Repeat(" ", 43) + "\n\n\r\n")
	var r Response
	var e Events
	if err := r.Feed([]byte(stream[:strings.Index(stream, "7\r\n")]), nil); err != nil {
		b.Fatal(err)
	}
	frames := 0
	event := func(data []byte) {
		if _, ok := ParseStamp(data); ok {
			frames++
		}
	}
	body := func(p []byte) { _ = e.Feed(p, event) }
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Feed(chunk, body); err != nil {
			b.Fatal(err)
		}
	}
	if frames == 0 {
		b.Fatal("got no frames")
	}
}
