package mock

import (
	"strconv"
	"strings"
	"time"

	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/dialect/known"
	"weir/cmd/weir/internal/speak"
)

// Body is the content of a response, apart from how it is sent. A stream of it
// says, in the dialect's events:
//
//	what comes ahead of all: in chat the role, an event; in completions nothing
//	Thoughts tokens of reasoning
//	Tokens tokens of text, or those of Text; none if there are Calls and no Text
//	Calls of tools
//	the finish reason, the usage, the end mark
//
// A stream of chat has one event for each of these: the role is event 1.
type Body struct {
	Dialect  *speak.Dialect // nil = speak.Chat
	Model    string
	Tokens   int
	Text     string // instead of tokens that are numbered: cut behind its spaces
	Thoughts int
	Calls    []speak.Call
	Finish   speak.Finish // "" = what fits
	Usage    bool         // a stream that ends with its usage, as stream_options.include_usage asks for
	Wide     bool         // texts have characters of two, three and four bytes
	CRLF     bool         // lines of a stream end in CRLF
	NoDone   bool         // no end mark at the end of a stream, as [DONE]
	ErrorAt  int          // the number of the event that is an error and the last but [DONE]; 0 = none
	LongLine int          // bytes of the first content event's line, without its end, or of a whole response's text; 0 = as they are
	Size     int          // bytes at least: of each token of a stream, of a whole response's text
}

// What is the same in all responses, so that they can be compared byte by byte.
const (
	answerID     = "mock"     // behind the dialect's prefix
	created      = 1767225600 // the first second of 2026
	promptTokens = 7
	date         = "Thu, 01 Jan 2026 00:00:00 GMT"
	pieces       = 4 // of a whole response
)

// StreamBody returns the whole body of a stream, as a client gets it.
func StreamBody(b Body) []byte {
	var out []byte
	for s := newSpeech(b); s.more(); {
		out = s.appendNext(out)
	}
	return out
}

// StreamEvents returns the events of a stream; [StreamBody] is their
// concatenation.
func StreamEvents(b Body) (events [][]byte) {
	for s := newSpeech(b); s.more(); {
		events = append(events, s.appendNext(nil))
	}
	return events
}

// UnaryBody returns the body of a response that was not requested as a stream.
func UnaryBody(b Body) []byte {
	if b.ErrorAt > 0 {
		return b.appendFailure(nil)
	}
	var thought, text strings.Builder
	for n := range b.Thoughts {
		thought.WriteString(thoughtOf(n))
	}
	tokens := b.texts()
	for n := range tokens.count() {
		text.WriteString(tokens.at(n))
	}
	whole := text.String()
	if tokens.count() > 0 || len(b.Calls) == 0 {
		whole = pad(whole, max(b.Size, b.LongLine))
	}
	return b.dialect().AppendWhole(nil, b.head(), speak.Turn{
		Thought: thought.String(), Text: whole, Calls: b.Calls, Finish: b.finish(), Usage: b.usage(),
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

func (b Body) dialect() *speak.Dialect {
	if b.Dialect == nil {
		return speak.Chat
	}
	return b.Dialect
}

func (b Body) head() speak.Head {
	return speak.Head{ID: b.dialect().ID(answerID), Model: b.Model, Created: time.Unix(created, 0)}
}

func (b Body) finish() speak.Finish {
	switch {
	case b.Finish != "":
		return b.Finish
	case len(b.Calls) > 0:
		return speak.Calls
	}
	return speak.Stop
}

// usage counts a call as one token.
func (b Body) usage() speak.Usage {
	return speak.Usage{Prompt: promptTokens, Completion: b.Thoughts + b.texts().count() + len(b.Calls)}
}

// texts are a body's tokens of text.
type texts struct {
	b     Body
	words []string // of Text
}

func (b Body) texts() texts {
	if b.Text == "" {
		return texts{b: b}
	}
	return texts{b, strings.SplitAfter(b.Text, " ")}
}

func (t texts) count() int {
	switch {
	case t.words != nil:
		return len(t.words)
	case len(t.b.Calls) > 0:
		return 0
	}
	return t.b.Tokens
}

// at is token n, from 0.
func (t texts) at(n int) string {
	switch {
	case t.words != nil:
		return t.words[n]
	case t.b.Wide:
		return "é語🙂 " + strconv.Itoa(n) + " "
	}
	return "token " + strconv.Itoa(n) + " "
}

func thoughtOf(n int) string { return "thought " + strconv.Itoa(n) + " " }

func pad(text string, size int) string {
	return text + strings.Repeat("x", max(0, size-len(text)))
}

// appendFailure appends the body of error-event, in place of a whole response.
func (b Body) appendFailure(dst []byte) []byte {
	return known.Named(family(b.dialect())).AppendError(dst, &dialect.Fault{Status: 500, Code: failure.Code, Message: failure.Message})
}

// failure is the error of error-event.
var failure = speak.Error{Type: "server_error", Code: "mock_error", Message: "The mock was set to fail."}
