package demo

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/cmd/weir/internal/babble"
	"weir/plugin"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// call is a plugin.Call with what the handler asks for.
type call struct {
	plugin.Call
	body string
	path string // "" is that of chats
}

func (c call) Body() []byte { return []byte(c.body) }
func (c call) Path() []byte { return []byte(cmp.Or(c.path, chatPath)) }

// sink is a plugin.Sink that keeps what it is sent.
type sink struct {
	plugin.Sink
	status int
	header map[string]string
	sent   [][]byte
	times  []time.Time
	onSend func(n int) error // called with the number of chunks before
	done   chan struct{}
	cause  atomic.Pointer[error]
}

func newSink() *sink {
	return &sink{status: 200, header: map[string]string{}, done: make(chan struct{})}
}

func (s *sink) SetStatus(code int)            { s.status = code }
func (s *sink) Done() <-chan struct{}         { return s.done }
func (s *sink) SetHeader(n, v string) error   { s.header[n] = v; return nil }
func (s *sink) body() string                  { return string(bytes.Join(s.sent, nil)) }
func (s *sink) cut(cause error)               { s.cause.Store(&cause); close(s.done) }
func (s *sink) contains(parts ...string) bool { return containsAll(s.body(), parts) }

func (s *sink) Cause() error {
	if cause := s.cause.Load(); cause != nil {
		return *cause
	}
	return nil
}

func (s *sink) Send(p []byte) error {
	if s.onSend != nil {
		if err := s.onSend(len(s.sent)); err != nil {
			return err
		}
	}
	s.sent = append(s.sent, bytes.Clone(p))
	s.times = append(s.times, time.Now())
	return nil
}

func containsAll(text string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

const corpus = `A stream ends when its handler returns. A stream waits when its client is slow. A client leaves when it has
what it wants. A handler learns of it at once, and stops. "Quoted", it goes on: back\slash, naïve, 日本.
A handler returns when nobody waits.`

// small is a handler whose model does not change with the guide.
func small(p Pace) *babbler {
	b := &babbler{model: func() *babble.Model { return babble.New(corpus) }}
	b.pace.Store(&p)
	return b
}

var anyID = regexp.MustCompile(`((?:chatcmpl-|cmpl-|resp_|msg_))[0-9A-Za-z]{29}`)

// The bytes of each form of answer. The clock of synctest makes "created" the
// same each time; of the random ids only the form is looked at.
func TestGolden(t *testing.T) {
	const ask = `{"model":"weir-demo","seed":7,"messages":[{"role":"user","content":"When does a stream end?"}]`
	tests := []struct{ file, path, request string }{
		{"stream.txt", chatPath, ask + `,"stream":true,"max_tokens":12}`},
		{"stream-usage.txt", chatPath, ask + `,"stream":true,"stream_options":{"include_usage":true},"stop":[" when"]}`},
		{"whole.json", chatPath, ask + `}`},
		{"whole-length.json", chatPath, ask + `,"max_completion_tokens":5}`},
		{"completions.txt", "/v1/completions", `{"model":"weir-demo","seed":7,"prompt":"When does a stream end?","stream":true,"max_tokens":4}`},
		{"responses.txt", "/v1/responses", `{"model":"weir-demo","seed":7,"input":"When does a stream end?","stream":true,"max_output_tokens":4}`},
		{"responses.json", "/v1/responses", `{"model":"weir-demo","seed":7,"input":"When does a stream end?"}`},
		{"messages.txt", "/v1/messages", ask + `,"stream":true,"max_tokens":4}`},
		{"messages.json", "/v1/messages", ask + `,"max_tokens":100}`},
		{"ollama-chat.txt", "/api/chat", `{"model":"weir-demo","options":{"seed":7,"num_predict":4},"messages":[{"role":"user","content":"When does a stream end?"}]}`},
		{"ollama-generate.json", "/api/generate", `{"model":"weir-demo","options":{"seed":7},"prompt":"When does a stream end?","stream":false}`},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSink()
				if err := small(defaultPace).answer(call{body: tt.request, path: tt.path}, s); err != nil {
					t.Fatal(err)
				}
				golden(t, tt.file, anyID.ReplaceAll([]byte(s.body()), []byte("${1}ID")))
			})
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

func TestRefusals(t *testing.T) {
	tests := []struct {
		name, path, body string
		status           int
		parts            []string
	}{
		{"no JSON", chatPath, `{`, 400, []string{"invalid_request_error"}},
		{"no messages", "/v1/generate", `{"model":"weir-demo"}`, 400, []string{`"param":"messages"`, "missing_required_parameter"}},
		{"no prompt", "/v1/completions", `{"model":"weir-demo"}`, 400, []string{`"param":"prompt"`}},
		{"no input", "/v1/responses", `{"model":"weir-demo"}`, 400, []string{`"param":"input"`, "invalid_request_error"}},
		{"no limit", "/v1/messages", `{"model":"weir-demo","messages":[{"role":"user","content":"x"}]}`, 400, []string{`{"type":"error","error":{"type":"invalid_request_error","message":"Missing required parameter: 'max_tokens'`}},
		{"no model", "/api/chat", `{"messages":[]}`, 400, []string{`{"error":"Missing required parameter: 'model'`}},
		{"wrong type", "/api/generate", `{"model":"weir-demo","prompt":"x","options":{"seed":"x"}}`, 400, []string{`{"error":"We could not parse`}},
		{"below zero", "/v1/responses", `{"model":"weir-demo","input":"x","max_output_tokens":-1}`, 400, []string{"at least 1"}},
		{"no chat", "/v1/embeddings", `{"model":"weir-demo","input":"x"}`, 404, []string{"not served on /v1/embeddings", "invalid_request_error"}},
	}
	for _, tt := range tests {
		s := newSink()
		if err := small(Pace{}).answer(call{body: tt.body, path: tt.path}, s); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if s.status != tt.status || s.header["Content-Type"] != "application/json" || !s.contains(tt.parts...) {
			t.Errorf("%s: got %d %v %s, want %d and %q", tt.name, s.status, s.header, s.body(), tt.status, tt.parts)
		}
	}
}

// The handler answers under whatever name it is mounted.
func TestAnyModel(t *testing.T) {
	s := newSink()
	if err := small(Pace{}).answer(call{body: `{"model":"org/mine","max_tokens":3,"messages":[{"role":"user","content":"x"}]}`}, s); err != nil {
		t.Fatal(err)
	}
	if s.status != 200 || !s.contains(`"model":"org/mine"`, `"completion_tokens":3`) {
		t.Errorf("got %d %s", s.status, s.body())
	}
}

const endless = `{"model":"weir-demo","ignore_eos":true,"max_tokens":1000000000,"messages":[{"role":"user","content":"x"}],"stream":`

func TestTokensComeWhenDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := newSink()
		s.onSend = func(n int) error {
			if got, want := time.Since(begin), 50*time.Millisecond+time.Duration(n)*20*time.Millisecond; got != want {
				t.Errorf("chunk %d: got it after %v, want %v", n, got, want)
			}
			return nil
		}
		body := strings.Replace(endless, "1000000000", "40", 1) + `true}`
		if err := small(defaultPace).answer(call{body: body}, s); err != nil {
			t.Fatal(err)
		}
		if len(s.sent) != 41 || !bytes.Contains(s.sent[0], []byte(`"role":"assistant"`)) {
			t.Errorf("got %d chunks, the first %s, want 40 tokens and an end", len(s.sent), s.sent[0])
		}
	})
}

// A whole answer takes its time, too, and is bounded although it is kept.
func TestWholeIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := newSink()
		if err := small(Pace{Rate: 1000}).answer(call{body: endless + `false}`}, s); err != nil {
			t.Fatal(err)
		}
		if got, want := time.Since(begin), longestWhole*time.Millisecond; got != want {
			t.Errorf("got an answer after %v, want %v", got, want)
		}
		if len(s.sent) != 1 || !s.contains(`"finish_reason":"length"`, `"completion_tokens":65536`) {
			t.Errorf("got %d chunks of %d bytes, want one that ends at the limit", len(s.sent), len(s.body()))
		}
	})
}

// However the client leaves, the handler returns in that moment with the cause.
func TestCancellation(t *testing.T) {
	gone := errors.New("gone")
	tests := []struct {
		name   string
		pace   Pace
		stream string
		after  time.Duration
	}{
		{"before the first token", Pace{First: time.Hour}, "true", 2 * time.Second},
		{"between two tokens", Pace{Rate: 0.01}, "true", 250 * time.Second},
		{"a whole answer", Pace{Rate: 1}, "false", 2500 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSink()
				begin := time.Now()
				time.AfterFunc(tt.after, func() { s.cut(gone) })
				err := small(tt.pace).answer(call{body: endless + tt.stream + `}`}, s)
				if !errors.Is(err, gone) || time.Since(begin) != tt.after {
					t.Errorf("got %v after %v, want %v after %v", err, time.Since(begin), gone, tt.after)
				}
			})
		})
	}
	t.Run("a write that fails", func(t *testing.T) {
		s := newSink()
		s.onSend = func(n int) error {
			if n == 3 {
				return gone
			}
			return nil
		}
		if err := small(Pace{}).answer(call{body: endless + `true}`}, s); !errors.Is(err, gone) || len(s.sent) != 3 {
			t.Errorf("got %v after %d chunks, want %v after 3", err, len(s.sent), gone)
		}
	})
	t.Run("before the call", func(t *testing.T) {
		s := newSink()
		s.cut(gone)
		if err := small(Pace{}).answer(call{body: endless + `true}`}, s); !errors.Is(err, gone) || len(s.sent) != 0 {
			t.Errorf("got %v after %d chunks, want %v after none", err, len(s.sent), gone)
		}
	})
}
