package mock

import (
	"bytes"
	"slices"

	"weir/cmd/weir/internal/speak"
)

// speech makes the events of a stream one by one, since there may be millions.
type speech struct {
	Body
	texts  texts
	stream speak.Stream
	step   int    // of the writing: what is written next
	queue  []byte // whole events that were written; the first is the next one
	first  int    // bytes of it; 0 = there are none any more
	taken  int    // events
	failed bool   // the error has been written
}

func newSpeech(b Body) *speech {
	s := &speech{Body: b, texts: b.texts(), stream: b.dialect().Stream(b.head(), b.options())}
	s.advance()
	return s
}

func (b Body) options() speak.Options {
	return speak.Options{Prompt: promptTokens, Usage: b.Usage}
}

// more reports whether there is another event.
func (s *speech) more() bool { return s.first > 0 }

// appendNext appends the next event.
func (s *speech) appendNext(dst []byte) []byte {
	event := s.queue[:s.first]
	if s.CRLF { // no text of an event has an end of line in it
		event = bytes.ReplaceAll(event, []byte("\n"), []byte("\r\n"))
	}
	dst = append(dst, event...)
	s.queue = s.queue[s.first:]
	s.taken++
	s.advance()
	return dst
}

// advance finds the event behind the last one.
func (s *speech) advance() {
	switch {
	case s.failed:
		s.queue = s.queue[:0]
		if s.first = 0; s.taken == s.ErrorAt {
			s.queue = s.appendMark(s.queue)
		}
	case s.taken == s.ErrorAt-1:
		s.queue, s.failed = s.stream.AppendError(s.queue[:0], failure), true
	default:
		for len(s.queue) == 0 && s.step <= s.steps() {
			s.queue = s.appendStep(s.queue[:0], s.step)
			s.step++
		}
	}
	s.first = s.dialect().Next(s.queue)
	if s.NoDone && s.dialect().IsEnd(s.queue[:s.first]) {
		s.first = 0
	}
}

// appendMark appends what follows an error: servers of OpenAI's dialect go on
// to say that they are done.
func (s *speech) appendMark(dst []byte) []byte {
	if d := s.dialect(); d == speak.Chat || d == speak.Completions {
		return append(dst, "data: [DONE]\n\n"...)
	}
	return dst
}

// steps is the number of the last step.
func (s *speech) steps() int { return 1 + s.Thoughts + s.texts.count() + len(s.Calls) }

// appendStep appends the events of one step, which are those of one call of the
// stream's.
func (s *speech) appendStep(dst []byte, n int) []byte {
	if n == 0 {
		return s.stream.AppendBegin(dst)
	}
	n--
	if n < s.Thoughts {
		return s.stream.AppendThought(dst, thoughtOf(n))
	}
	n -= s.Thoughts
	if n < s.texts.count() {
		return s.appendToken(dst, n)
	}
	n -= s.texts.count()
	if n < len(s.Calls) {
		return s.stream.AppendCall(dst, s.Calls[n])
	}
	return s.stream.AppendEnd(dst, s.finish(), s.usage())
}

func (s *speech) appendToken(dst []byte, n int) []byte {
	text := pad(s.texts.at(n), s.Size)
	if s.LongLine > 0 && n == 0 {
		text = pad(text, len(text)+s.LongLine-s.lineOf(text)) // x is one byte in JSON too
		dst = slices.Grow(dst, s.LongLine+len("\r\n\r\n"))
	}
	return s.stream.AppendText(dst, text)
}

// lineOf returns the length of the line that has a token's text.
func (s *speech) lineOf(text string) (n int) {
	probe := s.dialect().Stream(s.head(), s.options())
	probe.AppendText(probe.AppendBegin(nil), "") // which opens what the next one is in
	event := probe.AppendText(nil, text)
	for line := range bytes.Lines(event) {
		n = max(n, len(line)-len("\n"))
	}
	return n
}
