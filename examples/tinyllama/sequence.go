package tinyllama

import (
	"unicode/utf8"

	"weir/examples/tinyllama/llama"
	"weir/plugin"
)

// A sequence is one response in the making. Once it is passed to the loop only
// the loop uses it.
type sequence struct {
	sink    plugin.Sink
	answer  answer
	sampler llama.Sampler
	tokens  []int // to take in: the prompt, then the last token made
	prompt  int   // tokens of the prompt
	limit   int   // tokens to make

	state state
	slot  *slot
	share int // of tokens, for the step that is being computed
	made  int // tokens
	held  []byte
	out   []byte // for the client, of the step that was computed last; the client may still have to take it
}

// state is the state of a sequence with a slot.
type state uint8

const (
	running state = iota
	paused        // a goroutine waits for the client to take s.out
	over
)

// after returns the state after out was sent, with that error or none. It ends
// a complete response.
func (s *sequence) after(sent error) state {
	switch {
	case sent != nil:
		return over
	case s.answer.complete():
		s.sink.Close() // an error could only mean that the client has disconnected
		return over
	}
	return running
}

// A team advances a part of the sequences, on a processor of its own.
type team struct {
	worker *llama.Worker
	rows   []llama.Row
}

func (t *team) advance(part []*sequence) {
	t.rows = t.rows[:0]
	for _, s := range part {
		for _, token := range s.tokens[:s.share] {
			t.rows = append(t.rows, llama.Row{Cache: &s.slot.cache, Token: token})
		}
		if s.share == len(s.tokens) {
			t.rows[len(t.rows)-1].Logits = s.slot.logits
		}
	}
	t.worker.Forward(t.rows)
	for _, s := range part {
		s.out = s.out[:0]
		if s.tokens = s.tokens[s.share:]; len(s.tokens) == 0 {
			s.add(s.sampler.Choose(s.slot.logits), t.worker.Tokenizer())
		}
	}
}

// add takes the next token and writes what there is to send.
func (s *sequence) add(token int, words *llama.Tokenizer) {
	s.made++
	end := ""
	switch {
	case token == words.EOS():
		end = "stop"
	case s.made == s.limit:
		end = "length"
		fallthrough
	default:
		s.held = append(s.held, words.Piece(token)...)
	}
	n := len(s.held)
	if end == "" {
		n = whole(s.held)
	}
	if n > 0 {
		s.out = s.answer.appendText(s.out, s.held[:n])
		s.held = append(s.held[:0], s.held[n:]...)
	}
	if end != "" {
		s.out = s.answer.appendEnd(s.out, end, s.prompt, s.made)
		return
	}
	s.tokens = append(s.tokens[:0], token)
}

// whole returns how much of p does not end within a character: tokens may be
// single bytes, and JSON has only characters.
func whole(p []byte) int {
	for i := len(p) - 1; i >= max(0, len(p)-utf8.UTFMax+1); i-- {
		if utf8.RuneStart(p[i]) {
			if utf8.FullRune(p[i:]) {
				return len(p)
			}
			return i
		}
	}
	return len(p)
}
