package mock

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"weir/sse"
)

// TestStreamBody: an SSE reader takes it, and finds in it what was meant.
func TestStreamBody(t *testing.T) {
	for _, tc := range []struct {
		name string
		body Body
		want string // content, then what follows it
	}{
		{"plain", Body{Tokens: 3}, "token 0 token 1 token 2 |stop|[DONE]"},
		{"none", Body{}, "|stop|[DONE]"},
		{"usage", Body{Tokens: 2, Usage: true}, "token 0 token 1 |stop|7+2|[DONE]"},
		{"no done", Body{Tokens: 1, NoDone: true}, "token 0 |stop"},
		{"crlf", Body{Tokens: 1, CRLF: true}, "token 0 |stop|[DONE]"},
		{"wide", Body{Tokens: 2, Wide: true}, "é語🙂 0 é語🙂 1 |stop|[DONE]"},
		{"size", Body{Tokens: 2, Size: 10}, "token 0 xxtoken 1 xx|stop|[DONE]"},
		{"error first", Body{Tokens: 3, ErrorAt: 1}, "|The mock was set to fail.|[DONE]"},
		{"error within", Body{Tokens: 3, ErrorAt: 3, NoDone: true}, "token 0 |The mock was set to fail."},
		{"error beyond the end", Body{Tokens: 1, ErrorAt: 99}, "token 0 |stop|[DONE]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.body.Model = "m"
			whole := StreamBody(tc.body)
			if got := understood(t, whole); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if got := bytes.Join(StreamEvents(tc.body), nil); !bytes.Equal(got, whole) {
				t.Errorf("events: got %q, want %q", got, whole)
			}
		})
	}
}

// understood is the content of a stream, and behind bars what else it says.
func understood(t *testing.T, stream []byte) string {
	t.Helper()
	var content, rest strings.Builder
	for ev, err := range sse.Read(bytes.NewReader(stream)) {
		if err != nil {
			t.Fatal(err)
		}
		if string(ev.Data) == "[DONE]" {
			rest.WriteString("|[DONE]")
			continue
		}
		var c struct {
			Model   string
			Choices []struct {
				Delta  struct{ Content string }
				Finish string `json:"finish_reason"`
			}
			Usage *struct {
				Prompt     int `json:"prompt_tokens"`
				Completion int `json:"completion_tokens"`
			}
			Error *struct{ Message string }
		}
		if err := json.Unmarshal(ev.Data, &c); err != nil {
			t.Fatalf("%q: %v", ev.Data, err)
		}
		for _, choice := range c.Choices {
			content.WriteString(choice.Delta.Content)
			if choice.Finish != "" {
				rest.WriteString("|" + choice.Finish)
			}
		}
		switch {
		case c.Error != nil:
			rest.WriteString("|" + c.Error.Message)
		case c.Usage != nil:
			fmt.Fprintf(&rest, "|%d+%d", c.Usage.Prompt, c.Usage.Completion)
		case c.Model != "m":
			t.Errorf("got model %q, want m", c.Model)
		}
	}
	return content.String() + rest.String()
}

func TestLongLine(t *testing.T) {
	for _, crlf := range []bool{false, true} {
		events := StreamEvents(Body{Model: "m", Tokens: 2, LongLine: 2 << 20, CRLF: crlf, Usage: true})
		if got := len(bytes.TrimRight(events[1], "\r\n")); got != 2<<20 {
			t.Errorf("crlf %v: got a line of %d bytes, want %d", crlf, got, 2<<20)
		}
		if got := len(events[2]); got > 1000 {
			t.Errorf("crlf %v: got %d bytes in the event after it, want an ordinary one", crlf, got)
		}
	}
}

func TestUnaryBody(t *testing.T) {
	for _, tc := range []struct {
		body Body
		want string
	}{
		{Body{Tokens: 2}, "token 0 token 1 "},
		{Body{Tokens: 1, Wide: true}, "é語🙂 0 "},
		{Body{Tokens: 1, Size: 12}, "token 0 xxxx"},
		{Body{Tokens: 1, LongLine: 12}, "token 0 xxxx"},
	} {
		var c struct {
			Choices []struct{ Message struct{ Content string } }
		}
		if err := json.Unmarshal(UnaryBody(tc.body), &c); err != nil {
			t.Fatal(err)
		}
		if got := c.Choices[0].Message.Content; got != tc.want {
			t.Errorf("%+v: got %q, want %q", tc.body, got, tc.want)
		}
	}
}

func TestPieces(t *testing.T) {
	for _, text := range []string{"", "a", "abcd", "abcdefg"} {
		got := Pieces([]byte(text))
		if len(got) != 4 || string(bytes.Join(got, nil)) != text {
			t.Errorf("%q: got %q, want four pieces of it", text, got)
		}
	}
}

// TestUsageOnDemand: stream_options are understood, wherever they are.
func TestUsageOnDemand(t *testing.T) {
	s := Start(t, Config{Tokens: fewTokens})
	r := chat{body: `{"stream_options":{"include_usage":true},"messages":[{"a":[1,{}]}],"model":"m","stream":true}`}
	c := dial(t, s)
	c.send(r.String())
	want := r.streamHead() + chunks(StreamEvents(faultBody(Body{Usage: true}))...) + lastChunk
	if got, _ := c.rest(); got != want {
		t.Errorf("got %s\nwant %s", quoted(got), quoted(want))
	}
}

// readAll is for what must not fail.
func readAll(t *testing.T, r io.Reader) string {
	t.Helper()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
