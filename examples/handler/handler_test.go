package handler

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/plugin"
)

// call is a request, of which the handlers ask for no more than this.
type call struct {
	plugin.Call
	body, interval string
}

func (c call) Body() []byte        { return []byte(c.body) }
func (c call) Query(string) string { return c.interval }

// head keeps the head of an answer.
type head struct {
	status int
	kind   string
}

func (h *head) SetStatus(code int) { h.status = code }

func (h *head) SetHeader(name, value string) error {
	if name != "Content-Type" {
		return errors.New("not expected: " + name)
	}
	h.kind = value
	return nil
}

// sink keeps what is sent. When leave is closed, the client has left.
type sink struct {
	plugin.Sink
	head
	chunks []string
	leave  chan struct{}
}

var errLeft = errors.New("the client has left")

func (s *sink) SetStatus(code int)                 { s.head.SetStatus(code) }
func (s *sink) SetHeader(name, value string) error { return s.head.SetHeader(name, value) }
func (s *sink) Done() <-chan struct{}              { return s.leave }

func (s *sink) Cause() error {
	select {
	case <-s.leave:
		return errLeft
	default:
		return nil
	}
}

func (s *sink) Send(p []byte) error {
	if err := s.Cause(); err != nil {
		return err
	}
	s.chunks = append(s.chunks, string(p))
	return nil
}

// reply keeps what is written.
type reply struct {
	head
	bytes.Buffer
}

func stream(t *testing.T) func(plugin.Call, plugin.Sink) error {
	t.Helper()
	h, ok := plugin.Lookup("text/chunks")
	if !ok || h.Stream == nil {
		t.Fatal("text/chunks is not registered as a stream handler")
	}
	return h.Stream
}

// The events are OpenAI's, and their contents together the text.
func TestChunks(t *testing.T) {
	for _, text := range []string{"one", "one two", " one\n two  ", " \n", "日本 語", "a \"quoted\" </b>\tword"} {
		s := &sink{leave: make(chan struct{})}
		if err := stream(t)(call{body: text}, s); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if s.status != 0 || s.kind != "text/event-stream" {
			t.Errorf("%q: got status %d and type %q", text, s.status, s.kind)
		}
		if got := content(t, s.chunks); got != text {
			t.Errorf("got the content %q, want %q", got, text)
		}
	}
}

// content checks the form of the events and puts their contents together.
func content(t *testing.T, events []string) string {
	t.Helper()
	all := strings.Split(strings.TrimSuffix(strings.Join(events, ""), "\n\n"), "\n\n")
	if last := all[len(all)-1]; last != "data: [DONE]" {
		t.Errorf("got the last event %q, want data: [DONE]", last)
	}
	all = all[:len(all)-1]
	var text strings.Builder
	for i, event := range all {
		var c chunk
		if err := json.Unmarshal([]byte(strings.TrimPrefix(event, "data: ")), &c); err != nil {
			t.Fatalf("%q: %v", event, err)
		}
		one := c.Choices[0]
		if c.Object != "chat.completion.chunk" || (one.Delta.Role == "assistant") != (i == 0) || (one.FinishReason != nil) != (i == len(all)-1) {
			t.Errorf("event %d of %d: got %s", i, len(all), event)
		}
		text.WriteString(one.Delta.Content)
	}
	return text.String()
}

// A word is an event of its own, and the interval is between two of them.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{leave: make(chan struct{})}
		start := time.Now()
		if err := stream(t)(call{body: "one two three", interval: "20ms"}, s); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 60*time.Millisecond || len(s.chunks) != 4 {
			t.Errorf("got %d events in %v, want 4 in 60ms", len(s.chunks), took)
		}
	})
}

// A client that leaves between two words ends the handler at once.
func TestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{leave: make(chan struct{})}
		start := time.Now()
		time.AfterFunc(time.Second, func() { close(s.leave) })
		if err := stream(t)(call{body: "one two", interval: "10s"}, s); !errors.Is(err, errLeft) {
			t.Errorf("got %v, want why the stream ended", err)
		}
		if took := time.Since(start); took != time.Second || len(s.chunks) != 1 {
			t.Errorf("got %d events and the end after %v, want 1 and 1s", len(s.chunks), took)
		}
	})
}

func TestRefused(t *testing.T) {
	tests := []struct{ name, body, interval, want string }{
		{"nothing", "", "", "the body is empty: want a text\n"},
		{"no text", "\xff", "", "the body is not UTF-8\n"},
		{"interval of what", "a", "20", "interval: want a duration from 0s to 10s\n"},
		{"interval below zero", "a", "-1s", "interval: want a duration from 0s to 10s\n"},
		{"interval of days", "a", "48h", "interval: want a duration from 0s to 10s\n"},
	}
	for _, tt := range tests {
		s := &sink{leave: make(chan struct{})}
		if err := stream(t)(call{body: tt.body, interval: tt.interval}, s); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if s.status != 400 || !slices.Equal(s.chunks, []string{tt.want}) {
			t.Errorf("%s: got %d %q, want 400 %q", tt.name, s.status, s.chunks, tt.want)
		}
	}
}

func TestCount(t *testing.T) {
	h, ok := plugin.Lookup("text/count")
	if !ok || h.Unary == nil {
		t.Fatal("text/count is not registered as a unary handler")
	}
	tests := []struct {
		body   string
		status int
		want   string
	}{
		{"one", 0, `{"lines":1,"words":1,"characters":3,"bytes":3}`},
		{"日本 語\n\n x\n", 0, `{"lines":3,"words":3,"characters":9,"bytes":15}`},
		{"\n", 0, `{"lines":1,"words":0,"characters":1,"bytes":1}`},
		{"", 400, "the body is empty: want a text"},
		{"a\x80", 400, "the body is not UTF-8"},
	}
	for _, tt := range tests {
		var r reply
		if err := h.Unary(call{body: tt.body}, &r); err != nil {
			t.Errorf("%q: %v", tt.body, err)
		}
		if r.status != tt.status || r.String() != tt.want+"\n" {
			t.Errorf("%q: got %d %q, want %d %q", tt.body, r.status, r.String(), tt.status, tt.want)
		}
	}
}
