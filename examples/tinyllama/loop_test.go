package tinyllama

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// events is the number of chunks with text in a stream.
func events(text string) int { return strings.Count(text, `"finish_reason":null`) }

// TestJoin: a sequence joins between two steps, and both get tokens in the next.
func TestJoin(t *testing.T) {
	l := NewLoop(small, 4, 1)
	a := ask(t, l, "the", 20)
	l.step()
	l.step()
	b := ask(t, l, "the", 20)
	before, _ := a.got()
	l.step()
	after, _ := a.got()
	joined, _ := b.got()
	if len(after) <= len(before) || joined == "" || len(l.ready) != 2 {
		t.Errorf("got %d and %d bytes of the two, %d computed together, want both to go on", len(after)-len(before), len(joined), len(l.ready))
	}
}

// TestCancelFreesTheSlot: who has left is gone in the next step, and its slot serves who waits.
func TestCancelFreesTheSlot(t *testing.T) {
	l := NewLoop(small, 1, 1)
	a, b, c := ask(t, l, "the", 30), ask(t, l, "in", 30), ask(t, l, "a", 3)
	l.step()
	if text, _ := a.got(); text == "" || len(l.active) != 1 || len(l.waiting) != 2 {
		t.Fatalf("got %q, %d active and %d waiting, want one at work and two that wait", text, len(l.active), len(l.waiting))
	}
	used := l.active[0].slot
	a.Abort(errLeft)
	b.Abort(errLeft) // waits, and is never computed
	l.step()         // finds a gone
	l.step()
	if text, _ := c.got(); text == "" || len(l.active) != 1 || l.active[0].slot != used || len(l.waiting) != 0 {
		t.Errorf("got %q, %d active, %d waiting, want the third at work in the slot of the first", text, len(l.active), len(l.waiting))
	}
	if text, _ := b.got(); text != "" {
		t.Errorf("got %q for a client that had left", text)
	}
	for range 3 {
		l.step()
	}
	if text, closed := c.got(); !closed || !strings.HasSuffix(text, "data: [DONE]\n\n") || len(l.active) != 0 {
		t.Errorf("got %q, closed %v, %d active, want a complete answer", text, closed, len(l.active))
	}
}

// TestPromptsDoNotStarve: long prompts are taken in over several steps, in which the others get their tokens.
func TestPromptsDoNotStarve(t *testing.T) {
	l := NewLoop(small, 16, 1)
	a := ask(t, l, "the", 40)
	l.step()
	prompt := strings.Repeat("é", llamaRoom)
	var late []*fakeSink
	for range 8 {
		late = append(late, ask(t, l, prompt, 1))
	}
	steps, done := 0, 0
	for done < len(late) {
		before, _ := a.got()
		l.step()
		rows := 0
		for _, s := range l.active {
			rows += s.share
		}
		if after, _ := a.got(); len(after) == len(before) || rows > stepPrompt+len(l.active) {
			t.Fatalf("step %d: %d bytes for the one that runs, %d rows", steps, len(after)-len(before), rows)
		}
		done = 0
		for _, s := range late {
			if _, closed := s.got(); closed {
				done++
			}
		}
		steps++
	}
	if want := 8 * llamaRoom / stepPrompt; steps < want {
		t.Errorf("got %d steps, want at least %d", steps, want)
	}
}

const llamaRoom = 50 // characters that fit in the context

// TestSlowClientPauses: who does not keep up loses no token and holds nobody up.
func TestSlowClientPauses(t *testing.T) {
	l := NewLoop(small, 2, 1)
	slow, quick := ask(t, l, "the", 12), ask(t, l, "the", 12)
	l.step()
	slow.fill(true)
	l.step()
	<-slow.waits
	for range 12 {
		l.step()
	}
	text, closed := quick.got()
	if !closed {
		t.Fatalf("got %q, want the quick client's answer to be complete", text)
	}
	if got, _ := slow.got(); events(got) != 1 {
		t.Errorf("got %d events for the slow client, want 1 so far", events(got))
	}
	slow.fill(false)
	l.senders.Wait()
	for range 12 {
		l.step()
	}
	if got, closed := slow.got(); !closed || textOf(t, got) != textOf(t, text) {
		t.Errorf("got %q, closed %v, want the same as the quick client: %q", got, closed, text)
	}
}

// TestSlowClientLeaves while its sequence is paused: the slot is free again.
func TestSlowClientLeaves(t *testing.T) {
	l := NewLoop(small, 1, 1)
	slow, next := ask(t, l, "the", 12), ask(t, l, "in", 1)
	slow.fill(true)
	l.step()
	<-slow.waits
	slow.Abort(errLeft)
	l.senders.Wait()
	l.step()
	l.step()
	if text, closed := next.got(); !closed {
		t.Errorf("got %q for the next client, want a complete answer", text)
	}
}

// TestStop: what is not complete is aborted, what comes later refused.
func TestStop(t *testing.T) {
	l := NewLoop(small, 2, 2)
	a, b, c := ask(t, l, "the", 30), ask(t, l, "in", 30), ask(t, l, "a", 30)
	b.fill(true)
	l.step()
	<-b.waits
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l.Run(ctx)
	late := newSink()
	if err := l.Generate(call{body: `{"prompt":"the"}`}, late); err != nil {
		t.Errorf("got %v, want the sink to be told", err)
	}
	for i, s := range []*fakeSink{a, b, c, late} {
		if !errors.Is(s.Cause(), ErrStopped) {
			t.Errorf("sequence %d: got the cause %v, want ErrStopped", i, s.Cause())
		}
	}
}

func TestWhole(t *testing.T) {
	tests := []struct {
		text string
		want int
	}{
		{"", 0}, {"a", 1}, {"aé", 3}, {"a\xc3", 1}, {"\xe6\x97", 0}, {"日", 3}, {"\xf0\x9f\x99", 0}, {"🙂", 4},
		{"a\xff", 2}, {"\xa9", 1}, {"\xa9\xa9\xa9\xa9", 4}, {"\xc3a", 2},
	}
	for _, tt := range tests {
		if got := whole([]byte(tt.text)); got != tt.want {
			t.Errorf("%q: got %d, want %d", tt.text, got, tt.want)
		}
	}
}
