// Package speak writes what a model's server sends, in the dialects that weir
// serves itself: streams, event by event, and whole responses. It does no I/O
// and knows nothing of HTTP but media types.
//
//	s := speak.Messages.Stream(head, speak.Options{})
//	out = s.AppendBegin(out)
//	out = s.AppendText(out, "Hello")
//	out = s.AppendEnd(out, speak.Stop, usage)
//
// Everything that is appended is whole events, with their framing.
package speak

import (
	"bytes"
	"math/rand/v2"
	"time"
	"unicode/utf8"
)

// Head is what all parts of one response have in common.
type Head struct {
	ID      string
	Model   string
	Created time.Time
}

// Finish is why a response ended, in OpenAI's words.
type Finish string

// The reasons.
const (
	Stop   Finish = "stop"       // by itself, or at a stop sequence
	Length Finish = "length"     // cut by the token limit
	Calls  Finish = "tool_calls" // to have tools called
)

// Usage is what a response cost.
type Usage struct {
	Prompt, Completion int           // tokens
	Took               time.Duration // which only Ollama reports
}

// A Call asks the client to run a tool.
type Call struct {
	ID        string
	Name      string
	Arguments string // a JSON object
}

// A Turn is a whole response.
type Turn struct {
	Thought string // what a model shows of its reasoning; "" = nothing
	Text    string
	Calls   []Call
	Finish  Finish
	Usage   Usage
}

// Options are what a stream must know from its beginning.
type Options struct {
	Prompt int  // tokens, which Messages report first
	Usage  bool // the client asked Chat or Completions for the usage at the end
}

// A Stream writes one streamed response. Its methods are called in this order:
// AppendBegin once, any number of the three in the middle, AppendEnd or
// AppendError once. Not safe for concurrent use.
type Stream interface {
	AppendBegin(dst []byte) []byte
	AppendThought(dst []byte, text string) []byte
	AppendText(dst []byte, text string) []byte
	AppendCall(dst []byte, c Call) []byte
	AppendEnd(dst []byte, why Finish, u Usage) []byte
	AppendError(dst []byte, e Error) []byte // no end mark follows: a response that failed must not look complete
}

// Error is what a stream ends with that failed.
type Error struct{ Type, Code, Message string }

// A Dialect is a kind of response. Its values are those below.
type Dialect struct {
	Name      string
	MediaType string // of a stream

	Separator string // behind each event of a stream

	mark   string // of the last event of a complete stream
	prefix string // of an id
	stream func(h Head, o Options) Stream
	whole  func(dst []byte, h Head, t Turn) []byte
}

// The dialects.
var (
	Chat = &Dialect{
		Name: "chat", MediaType: eventStream, Separator: "\n\n", mark: "data: [DONE]", prefix: "chatcmpl-",
		stream: newChat, whole: appendCompletion,
	}
	Completions = &Dialect{
		Name: "completions", MediaType: eventStream, Separator: "\n\n", mark: "data: [DONE]", prefix: "cmpl-",
		stream: newLegacy, whole: appendLegacy,
	}
	Responses = &Dialect{
		Name: "responses", MediaType: eventStream, Separator: "\n\n", mark: "event: response.completed", prefix: "resp_",
		stream: newResponse, whole: appendWholeResponse,
	}
	Messages = &Dialect{
		Name: "messages", MediaType: eventStream, Separator: "\n\n", mark: "event: message_stop", prefix: "msg_",
		stream: newMessage, whole: appendMessage,
	}
	OllamaChat = &Dialect{
		Name: "ollama chat", MediaType: lines, Separator: "\n", mark: `,"done":true,"done_reason":"`,
		stream: func(h Head, _ Options) Stream { return newOllama(h, true) }, whole: appendOllamaChat,
	}
	OllamaGenerate = &Dialect{
		Name: "ollama generate", MediaType: lines, Separator: "\n", mark: `,"done":true,"done_reason":"`,
		stream: func(h Head, _ Options) Stream { return newOllama(h, false) }, whole: appendOllamaGenerate,
	}
)

const (
	eventStream = "text/event-stream"
	lines       = "application/x-ndjson"
)

// Next returns the length of the first event of a stream, with its framing; 0 =
// it is not whole.
func (d *Dialect) Next(stream []byte) int {
	i := bytes.Index(stream, []byte(d.Separator))
	if i < 0 {
		return 0
	}
	return i + len(d.Separator)
}

// IsEnd reports whether an event that was written here is the one that only
// complete streams have, their last.
func (d *Dialect) IsEnd(event []byte) bool {
	if d.MediaType == lines { // a text cannot have this in it: its quotes are escaped
		return bytes.Contains(event, []byte(d.mark))
	}
	return bytes.HasPrefix(event, []byte(d.mark))
}

// ContentType is what the head of a stream says it is.
func (d *Dialect) ContentType() string {
	if d.MediaType == lines {
		return lines
	}
	return eventStream + "; charset=utf-8"
}

// ID makes a name the id of a response. Ollama has none.
func (d *Dialect) ID(name string) string {
	if d.prefix == "" {
		return ""
	}
	return d.prefix + name
}

// NewID returns an id for a response, which is random, not secret.
func (d *Dialect) NewID() string { return d.ID(token()) }

// NewCallID returns an id for a tool's call.
func NewCallID() string { return "call_" + token() }

func token() string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var id [29]byte
	for i := range id {
		id[i] = alphabet[rand.IntN(len(alphabet))]
	}
	return string(id[:])
}

// Stream begins a streamed response.
func (d *Dialect) Stream(h Head, o Options) Stream { return d.stream(h, o) }

// AppendWhole appends the body of a response that is not streamed.
func (d *Dialect) AppendWhole(dst []byte, h Head, t Turn) []byte { return d.whole(dst, h, t) }

// piece is how many bytes of a tool's arguments an event has.
const piece = 16

// pieces cuts the text of a tool's arguments, between characters.
func pieces(text string) (out []string) {
	for len(text) > piece {
		n := piece
		for n > 0 && !utf8.RuneStart(text[n]) {
			n--
		}
		out, text = append(out, text[:n]), text[n:]
	}
	return append(out, text)
}
