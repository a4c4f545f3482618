package mock

import (
	"slices"
	"strconv"
	"strings"

	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/dialect/openai"
)

// Body is the content of a response, apart from how it is sent. A stream of it
// is these events, from 1 on:
//
//	1            the role
//	2 … Tokens+1 the content, a token each
//	Tokens+2     the finish reason
//	             the usage, with Usage
//	             [DONE], without NoDone
type Body struct {
	Model    string
	Tokens   int
	Usage    bool // a stream that ends with its usage, as stream_options.include_usage asks for
	Wide     bool // texts have characters of two, three and four bytes
	CRLF     bool // lines of a stream end in CRLF
	NoDone   bool // no [DONE] at the end of a stream
	ErrorAt  int  // the number of the event that is an error and the last but [DONE]; 0 = none
	LongLine int  // bytes of the first content event's line, without its end, or of a whole response's text; 0 = as they are
	Size     int  // bytes at least: of each token of a stream, of a whole response's text
}

// What is the same in all responses, so that they can be compared byte by byte.
const (
	answerID     = "chatcmpl-mock"
	created      = 1767225600 // the first second of 2026
	promptTokens = 7
	date         = "Thu, 01 Jan 2026 00:00:00 GMT"
	pieces       = 4 // of a whole response
)

// StreamBody returns the whole body of a stream, as a client gets it.
func StreamBody(b Body) []byte {
	s := newSpeech(b)
	var out []byte
	for i := range s.len() {
		out = s.appendPart(out, i)
	}
	return out
}

// StreamEvents returns the events of a stream; [StreamBody] is their
// concatenation.
func StreamEvents(b Body) [][]byte {
	s := newSpeech(b)
	events := make([][]byte, s.len())
	for i := range events {
		events[i] = s.appendPart(nil, i)
	}
	return events
}

// UnaryBody returns the body of a response that was not requested as a stream.
func UnaryBody(b Body) []byte {
	if b.ErrorAt > 0 {
		return openai.Dialect.AppendError(nil, mockFault())
	}
	var text strings.Builder
	for n := range b.Tokens {
		text.WriteString(b.token(n))
	}
	whole := pad(text.String(), max(b.Size, b.LongLine))
	usage := openai.Usage{Prompt: promptTokens, Completion: b.Tokens}
	return openai.AppendCompletion(nil, b.answer(), whole, openai.FinishStop, usage)
}

// ErrorBody returns the body of a response with that status, from 400 on.
func ErrorBody(status int) []byte {
	return openai.Dialect.AppendError(nil, &dialect.Fault{
		Status:  status,
		Message: "The mock was set to respond with " + strconv.Itoa(status) + ".",
		Code:    "mock_" + strconv.Itoa(status),
	})
}

// Pieces cuts the body of a whole response into what counts as its events: four
// of the same length, but for the last, which has the rest.
func Pieces(body []byte) [][]byte {
	n := len(body) / pieces
	out := make([][]byte, pieces)
	for i := range out {
		out[i] = body[i*n : (i+1)*n]
	}
	out[pieces-1] = body[(pieces-1)*n:]
	return out
}

func (b Body) answer() openai.Answer {
	return openai.Answer{ID: answerID, Model: b.Model, Created: created}
}

// token is the text of token n, from 0.
func (b Body) token(n int) string {
	text := "token " + strconv.Itoa(n) + " "
	if b.Wide {
		text = "é語🙂 " + strconv.Itoa(n) + " "
	}
	return text
}

func pad(text string, size int) string {
	return text + strings.Repeat("x", max(0, size-len(text)))
}

func mockFault() *dialect.Fault {
	return &dialect.Fault{Status: 500, Message: "The mock was set to fail.", Code: "mock_error"}
}

// speech makes the events of a stream one by one, since there may be millions.
type speech struct {
	Body
	chunks *openai.Chunks
}

func newSpeech(b Body) *speech {
	return &speech{b, openai.NewChunks(b.answer(), b.Usage)}
}

// said is the number of events ahead of [DONE].
func (s *speech) said() int {
	n := s.Tokens + 2
	if s.Usage {
		n++
	}
	if s.ErrorAt > 0 {
		n = min(n, s.ErrorAt)
	}
	return n
}

func (s *speech) len() int {
	if s.NoDone {
		return s.said()
	}
	return s.said() + 1
}

// appendPart appends event i, from 0.
func (s *speech) appendPart(dst []byte, i int) []byte {
	dst = s.appendEvent(dst, i)
	if s.CRLF {
		dst = append(dst[:len(dst)-len("\n\n")], "\r\n\r\n"...)
	}
	return dst
}

func (s *speech) appendEvent(dst []byte, i int) []byte {
	switch {
	case i == s.said():
		return openai.AppendDone(dst)
	case i == s.ErrorAt-1:
		return openai.AppendFault(dst, mockFault())
	case i == 0:
		return s.chunks.AppendRole(dst)
	case i <= s.Tokens:
		return s.appendToken(dst, i-1)
	case i == s.Tokens+1:
		return s.chunks.AppendFinish(dst, openai.FinishStop)
	}
	return s.chunks.AppendUsage(dst, openai.Usage{Prompt: promptTokens, Completion: s.Tokens})
}

func (s *speech) appendToken(dst []byte, n int) []byte {
	text := pad(s.token(n), s.Size)
	if s.LongLine > 0 && n == 0 {
		bare := len(s.chunks.AppendContent(nil, text)) - len("\n\n")
		text = pad(text, len(text)+s.LongLine-bare) // x is one byte in JSON too
		dst = slices.Grow(dst, s.LongLine+len("\r\n\r\n"))
	}
	return s.chunks.AppendContent(dst, text)
}
