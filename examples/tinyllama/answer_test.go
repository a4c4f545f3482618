package tinyllama

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/sse"
)

// reply is an answer or an event of one.
type reply struct {
	ID      string
	Object  string
	Created int64
	Model   string
	Choices []struct {
		Text           string
		Delta, Message struct{ Role, Content string }
		Finish         *string `json:"finish_reason"`
	}
	Usage *struct {
		Prompt int `json:"prompt_tokens"`
		Made   int `json:"completion_tokens"`
		Total  int `json:"total_tokens"`
	}
	Error struct{ Message, Type string }
}

// textOf is the text that a stream's events give; each of them must be as it should.
func textOf(t *testing.T, stream string) string {
	t.Helper()
	text, done, id := "", false, ""
	for ev, err := range sse.Read(strings.NewReader(stream)) {
		if err != nil || done {
			t.Fatalf("got %v, after the end: %v", err, done)
		}
		if done = string(ev.Data) == "[DONE]"; done {
			continue
		}
		var r reply
		if err := json.Unmarshal(ev.Data, &r); err != nil {
			t.Fatalf("%s: %v", ev.Data, err)
		}
		if id == "" {
			id = r.ID
		}
		if r.ID != id || r.Object == "" || r.Created == 0 || r.Model == "" {
			t.Errorf("got %s, want the head of the first event: id %q", ev.Data, id)
		}
		for _, c := range r.Choices {
			text += c.Text + c.Delta.Content
		}
	}
	if !done {
		t.Errorf("%q does not end with [DONE]", stream)
	}
	return text
}

func TestAnswerStream(t *testing.T) {
	for _, chat := range []bool{false, true} {
		req := &request{chat: chat, Stream: true}
		req.StreamOptions.IncludeUsage = true
		a := newAnswer(req, `odd "name"`, 35, time.Unix(1e9, 0))
		out := a.appendText(nil, []byte("a\"\\\n\x01é\xff"))
		out = a.appendText(out, []byte("b"))
		out = a.appendEnd(out, "length", 2, 3)
		head := `data: {"id":"cmpl-z","object":"text_completion","created":1000000000,"model":"odd \"name\"","choices":[`
		pieces := []string{`"text":"a\"\\\n\u0001é�"`, `"text":"b"`, `"text":""`}
		if chat {
			head = strings.NewReplacer("cmpl", "chatcmpl", "text_completion", "chat.completion.chunk").Replace(head)
			pieces = []string{`"delta":{"role":"assistant","content":"a\"\\\n\u0001é�"}`, `"delta":{"content":"b"}`, `"delta":{}`}
		}
		want := head + `{"index":0,` + pieces[0] + `,"finish_reason":null}]}` + "\n\n" +
			head + `{"index":0,` + pieces[1] + `,"finish_reason":null}]}` + "\n\n" +
			head + `{"index":0,` + pieces[2] + `,"finish_reason":"length"}]}` + "\n\n" +
			head + `],"usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5}}` + "\n\n" +
			"data: [DONE]\n\n"
		if string(out) != want {
			t.Errorf("chat %v:\ngot  %s\nwant %s", chat, out, want)
		}
		if text := textOf(t, string(out)); text != "a\"\\\n\x01é\uFFFDb" {
			t.Errorf("got the text %q", text)
		}
	}
}

func TestAnswerObject(t *testing.T) {
	for _, chat := range []bool{false, true} {
		a := newAnswer(&request{chat: chat}, "m", 35, time.Unix(1e9, 0))
		if out := a.appendText(a.appendText(nil, []byte("a")), []byte("b")); len(out) > 0 || a.complete() {
			t.Errorf("got %q before the end, complete %v", out, a.complete())
		}
		var r reply
		if err := json.Unmarshal(a.appendEnd(nil, "stop", 2, 3), &r); err != nil || len(r.Choices) != 1 || r.Usage == nil {
			t.Fatalf("got %+v, %v", r, err)
		}
		c := r.Choices[0]
		got := fmt.Sprint(r.Object, " ", c.Text, c.Message.Content, " ", c.Message.Role, *c.Finish, *r.Usage)
		want := "text_completion ab stop{2 3 5}"
		if chat {
			want = "chat.completion ab assistantstop{2 3 5}"
		}
		if got != want || !a.complete() {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestRequests(t *testing.T) {
	tests := []struct{ name, body, text, refused string }{
		{"prompt", `{"prompt":"a","max_tokens":1,"seed":-1,"top_p":1}`, "a", ""},
		{"messages", `{"messages":[{"role":"system","content":"a"},{"role":"user","content":"b"}]}`, "a\nb", ""},
		{"parts", `{"messages":[{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}`, "ab", ""},
		{"empty", ``, "", "the body: "},
		{"no object", `[]`, "", "the body: "},
		{"neither", `{}`, "", "either messages or a prompt"},
		{"both", `{"prompt":"a","messages":[]}`, "", "either messages or a prompt"},
		{"picture", `{"messages":[{"content":[{"type":"image_url"}]}]}`, "", `type "image_url"`},
		{"no tokens", `{"prompt":"a","max_tokens":0}`, "", "max_tokens must be 1 or more"},
		{"newer limit first", `{"prompt":"a","max_tokens":5,"max_completion_tokens":-1}`, "", "max_tokens"},
		{"cold", `{"prompt":"a","temperature":-0.1}`, "", "between 0 and 2"},
		{"too long", `{"prompt":"` + strings.Repeat("é", 99) + `"}`, "", "the prompt has 101 tokens, the model has room for 64"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, s := NewLoop(small, 1, 1), newSink()
			if err := l.Generate(call{body: tt.body}, s); err != nil {
				t.Fatal(err)
			}
			if tt.refused == "" {
				if req, err := parse([]byte(tt.body)); err != nil || req.text != tt.text || len(l.waiting) != 1 {
					t.Errorf("got %+v, %v, %d waiting, want the text %q", req, err, len(l.waiting), tt.text)
				}
				return
			}
			var r reply
			text, _ := s.got()
			if err := json.Unmarshal([]byte(text), &r); err != nil || s.status != 400 || s.head["Content-Type"] != "application/json" ||
				r.Error.Type != "invalid_request_error" || !strings.Contains(r.Error.Message, tt.refused) || len(l.waiting) != 0 {
				t.Errorf("got %d %q, want 400 with %q", s.status, text, tt.refused)
			}
		})
	}
}
