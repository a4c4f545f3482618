package tinyllama

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"weir/examples/tinyllama/llama"
	"weir/examples/tinyllama/llama/llamatest"
	"weir/plugin"
)

var small = llamatest.Model(llamatest.Context)

// call is a request with a body, and nothing else that is asked for.
type call struct {
	plugin.Call
	body string
}

func (c call) Body() []byte { return []byte(c.body) }

// fakeSink keeps what it gets. While it is full, TrySend refuses and Send waits.
type fakeSink struct {
	mu       sync.Mutex
	status   int
	head     map[string]string
	text     []byte
	detached bool
	closed   bool
	cause    error
	full     bool
	room     *sync.Cond
	waits    chan struct{} // closed when Send waits
	ends     chan struct{} // closed with the sink
}

func newSink() *fakeSink {
	s := &fakeSink{status: 200, head: map[string]string{}, waits: make(chan struct{}), ends: make(chan struct{})}
	s.room = sync.NewCond(&s.mu)
	return s
}

func (s *fakeSink) lock() func() { s.mu.Lock(); return s.mu.Unlock }

func (s *fakeSink) SetStatus(code int) { defer s.lock()(); s.status = code }
func (s *fakeSink) Detach()            { defer s.lock()(); s.detached = true }
func (s *fakeSink) Cancelled() bool    { defer s.lock()(); return s.cause != nil }
func (s *fakeSink) Cause() error       { defer s.lock()(); return s.cause }

func (*fakeSink) Flush() error          { panic("not asked for") }
func (*fakeSink) Done() <-chan struct{} { panic("not asked for") }

func (s *fakeSink) SetHeader(name, value string) error {
	defer s.lock()()
	s.head[name] = value
	return nil
}

func (s *fakeSink) TrySend(p []byte) error {
	defer s.lock()()
	if s.full && s.cause == nil {
		return plugin.ErrBacklog
	}
	return s.take(p)
}

func (s *fakeSink) Send(p []byte) error {
	defer s.lock()()
	if s.full {
		close(s.waits)
	}
	for s.full && s.cause == nil {
		s.room.Wait()
	}
	return s.take(p)
}

func (s *fakeSink) take(p []byte) error {
	switch {
	case s.cause != nil:
		return s.cause
	case s.closed:
		return plugin.ErrClosed
	}
	s.text = append(s.text, p...)
	return nil
}

func (s *fakeSink) Close() error {
	defer s.lock()()
	if !s.closed {
		close(s.ends)
	}
	s.closed = true
	return s.cause
}

// Abort is also how a test's client leaves.
func (s *fakeSink) Abort(cause error) {
	defer s.lock()()
	if !s.closed && s.cause == nil {
		s.cause = cause
	}
	s.room.Broadcast()
}

func (s *fakeSink) fill(full bool) {
	defer s.lock()()
	s.full = full
	s.room.Broadcast()
}

// got is the text so far and whether it was closed.
func (s *fakeSink) got() (text string, closed bool) {
	defer s.lock()()
	return string(s.text), s.closed
}

var errLeft = errors.New("the client has left")

// ask gives the loop a request that streams.
func ask(t *testing.T, l *Loop, prompt string, tokens int) *fakeSink {
	t.Helper()
	s := newSink()
	body := fmt.Sprintf(`{"prompt":%q,"max_tokens":%d,"temperature":0,"stream":true}`, prompt, tokens)
	if err := l.Generate(call{body: body}, s); err != nil || !s.detached {
		t.Fatalf("got %v, detached %v, want the handler to return at once", err, s.detached)
	}
	return s
}

// step is one turn of Run.
func (l *Loop) step() {
	l.admit()
	l.plan()
	l.compute()
	l.send()
}

// greedy continues a text by n tokens, by itself.
func greedy(m *llama.Model, prompt string, n int) string {
	w, cache, s := m.NewWorker(), new(llama.Cache), llama.Sampler{}
	logits, tokens := make([]float32, m.Tokenizer.Size()), m.Tokenizer.Encode(prompt)
	var text strings.Builder
	for range n {
		for i, token := range tokens {
			row := llama.Row{Cache: cache, Token: token}
			if i == len(tokens)-1 {
				row.Logits = logits
			}
			w.Forward([]llama.Row{row})
		}
		token := s.Choose(logits)
		if token == m.Tokenizer.EOS() {
			break
		}
		text.WriteString(m.Tokenizer.Piece(token))
		tokens = []int{token}
	}
	return strings.ToValidUTF8(text.String(), "\uFFFD")
}
