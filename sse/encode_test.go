package sse

import (
	"errors"
	"strings"
	"testing"
	"time"
)

var encodings = []struct {
	name  string
	event Event
	want  string
}{
	{"E1", Event{Data: []byte("hello")}, "data: hello\n\n"},
	{"E2", Event{Data: []byte{}}, "data: \n\n"},
	{"E3", Event{Name: "reload", Data: []byte{}}, "event: reload\ndata: \n\n"},
	{"E3 nil data", Event{Name: "reload"}, "event: reload\ndata: \n\n"},
	{"E4", Event{Name: "msg", ID: "42", Data: []byte("hello")}, "event: msg\nid: 42\ndata: hello\n\n"},
	{"E5", Event{Name: "e", ID: "2", Retry: 500 * time.Millisecond, Data: []byte("test")},
		"event: e\nid: 2\nretry: 500\ndata: test\n\n"},
	{"E6", Event{Data: []byte(" word")}, "data:  word\n\n"},
	{"E7", Event{Data: []byte("\n")}, "data: \ndata: \n\n"},
	{"E8", Event{Data: []byte("a\n")}, "data: a\ndata: \n\n"},
	{"E9", Event{Data: []byte("line one\revent: steal")}, "data: line one\ndata: event: steal\n\n"},
	{"E10", Event{Data: []byte("a\rb\nc\r\nd")}, "data: a\ndata: b\ndata: c\ndata: d\n\n"},
	{"E10 CR at the end", Event{Data: []byte("a\r")}, "data: a\ndata: \n\n"},
	{"E10 LF CR", Event{Data: []byte("a\n\rb")}, "data: a\ndata: \ndata: b\n\n"},
	{"E11", Event{Data: []byte("\n\n\n")}, "data: \ndata: \ndata: \ndata: \n\n"},
	{"E12 with data", Event{Comment: "why", Data: []byte("x")}, ": why\ndata: x\n\n"},
	{"E12 alone", Event{Comment: "a\r\nb"}, ": a\n: b\n\n"},
	{"E13", Event{Retry: 5 * time.Second}, "retry: 5000\n\n"},
	{"E13 rounded down", Event{Retry: 1999 * time.Microsecond}, "retry: 1\n\n"},
	{"E13 at once", Event{Retry: RetryNow}, "retry: 0\n\n"},
	{"E15", Event{ID: "7"}, "id: 7\n\n"},
	{"nothing", Event{}, ""},
	{"NUL in data", Event{Data: []byte("a\x00b")}, "data: a\x00b\n\n"},
	{"not UTF-8", Event{Data: []byte("\xff\xc3")}, "data: \xff\xc3\n\n"},
	{"spaces kept in fields", Event{Name: " n ", ID: " i "}, "event:  n \nid:  i \ndata: \n\n"},
}

func TestAppendEvent(t *testing.T) {
	for _, tt := range encodings {
		t.Run(tt.name, func(t *testing.T) {
			got, err := AppendEvent([]byte("before"), &tt.event)
			if err != nil || string(got) != "before"+tt.want {
				t.Errorf("got %q, %v, want %q", got, err, "before"+tt.want)
			}
		})
	}
}

// E14, and the negative retry of E13: refused, nothing written.
func TestAppendEventRefuses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		event Event
		want  error
	}{
		{"E14 id CR", Event{ID: "a\r", Data: []byte("x")}, ErrID},
		{"E14 id LF", Event{ID: "a\ndata: y", Data: []byte("x")}, ErrID},
		{"E14 id NUL", Event{ID: "\x00", Data: []byte("x")}, ErrID},
		{"E14 event CR", Event{Name: "\ra", Data: []byte("x")}, ErrName},
		{"E14 event LF", Event{Name: "a\n", Data: []byte("x")}, ErrName},
		{"E14 event NUL", Event{Name: "a\x00b", Data: []byte("x")}, ErrName},
		{"E13 negative", Event{Retry: -time.Second, Data: []byte("x")}, ErrRetry},
		{"E13 a number without a unit", Event{Retry: 3000, Data: []byte("x")}, ErrRetry},
		{"E13 just below a millisecond", Event{Retry: time.Millisecond - 1, Data: []byte("x")}, ErrRetry},
		{"E13 negative, under a millisecond", Event{Retry: -1, Data: []byte("x")}, ErrRetry},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := AppendEvent([]byte("before"), &tt.event)
			if !errors.Is(err, tt.want) || string(got) != "before" {
				t.Errorf("got %q, %v, want before, %v", got, err, tt.want)
			}
		})
	}
}

func TestAppendComment(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"E12", "keepalive", ": keepalive\n\n"},
		{"E12 empty", "", ":\n\n"},
		{"E12 several lines", "a\nb\rc\r\nd", ": a\n: b\n: c\n: d\n\n"},
		{"E12 empty lines", "\n\na", ":\n:\n: a\n\n"},
		{"E12 no way out", "x\n\ndata: steal", ": x\n:\n: data: steal\n\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := AppendComment([]byte("before"), tt.text); string(got) != "before"+tt.want {
				t.Errorf("got %q, want %q", got, "before"+tt.want)
			}
		})
	}
}

// Every window of lineEnd, with the byte it looks for on either side of each edge.
func TestLineEnd(t *testing.T) {
	for _, n := range []int{0, 1, 255, 256, 257, 256 + 1023, 256 + 1024, 256 + 1025, 6000} {
		text := strings.Repeat("x", n)
		for _, tt := range []struct {
			tail string
			want int
		}{{"", -1}, {"\n", n}, {"\r", n}, {"\r\n", n}, {"\n\r", n}, {"x\r", n + 1}} {
			if got := lineEnd([]byte(text + tt.tail)); got != tt.want {
				t.Errorf("%d bytes and %q: got %d, want %d", n, tt.tail, got, tt.want)
			}
		}
	}
}

func TestConstructors(t *testing.T) {
	event, err := JSON(map[string]string{"a": "b\nc"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(event.Data), `{"a":"b\nc"}`; got != want {
		t.Errorf("JSON: got %s, want %s", got, want)
	}
	if _, err := JSON(make(chan int)); err == nil {
		t.Error("JSON of a channel: got no error")
	}
	if got := Data("").Data; got == nil { // E2
		t.Error("Data of nothing: got nil, want empty data")
	}
}
