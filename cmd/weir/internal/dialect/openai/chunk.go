package openai

import (
	"strconv"

	"weir/cmd/weir/internal/dialect"
)

// The reasons for which a choice is finished.
const (
	FinishStop   = "stop"   // by itself, or at a stop sequence
	FinishLength = "length" // cut by the token limit
)

// Usage counts the tokens of a request and its response.
type Usage struct{ Prompt, Completion int }

func (u Usage) append(dst []byte) []byte {
	dst = strconv.AppendInt(append(dst, `{"prompt_tokens":`...), int64(u.Prompt), 10)
	dst = strconv.AppendInt(append(dst, `,"completion_tokens":`...), int64(u.Completion), 10)
	dst = strconv.AppendInt(append(dst, `,"total_tokens":`...), int64(u.Prompt+u.Completion), 10)
	return append(dst, '}')
}

// Answer is what all parts of one response have in common.
type Answer struct {
	ID      string // NewID
	Model   string
	Created int64 // Unix time in seconds
}

// Chunks writes the chat.completion.chunk events of one streamed response, each
// as a whole event with its framing. What all of them begin and end with is
// made once, so that a token costs two copies and no allocation. The zero value
// is not usable. It is safe for concurrent use.
type Chunks struct {
	head string // up to the place of the choices
	tail string // from behind the finish reason
}

// NewChunks prepares the chunks of a response. With usage, every chunk has a
// usage field, null until the last, as stream_options.include_usage requests.
func NewChunks(a Answer, usage bool) *Chunks {
	c := &Chunks{
		head: string(append(a.appendHead([]byte("data: "), "chat.completion.chunk"), `,"choices":[`...)),
		tail: "}]}\n\n",
	}
	if usage {
		c.tail = "}],\"usage\":null}\n\n"
	}
	return c
}

// appendHead appends a response object up to and with its model.
func (a Answer) appendHead(dst []byte, object string) []byte {
	dst = dialect.AppendString(append(dst, `{"id":`...), a.ID)
	dst = dialect.AppendString(append(dst, `,"object":`...), object)
	dst = strconv.AppendInt(append(dst, `,"created":`...), a.Created, 10)
	dst = dialect.AppendString(append(dst, `,"model":`...), a.Model)
	return append(dst, `,"system_fingerprint":null`...)
}

const (
	choiceHead   = `{"index":0,"delta":`
	choiceFinish = `,"logprobs":null,"finish_reason":`
)

// AppendRole appends the first chunk, which has no content yet.
func (c *Chunks) AppendRole(dst []byte) []byte {
	dst = append(append(dst, c.head...), choiceHead+`{"role":"assistant","content":"","refusal":null}`+choiceFinish+"null"...)
	return append(dst, c.tail...)
}

// AppendContent appends a chunk with more of the text.
func (c *Chunks) AppendContent(dst []byte, text string) []byte {
	dst = append(append(dst, c.head...), choiceHead+`{"content":`...)
	dst = dialect.AppendString(dst, text)
	dst = append(dst, "}"+choiceFinish+"null"...)
	return append(dst, c.tail...)
}

// AppendFinish appends the chunk that ends the text, with one of the Finish
// reasons.
func (c *Chunks) AppendFinish(dst []byte, reason string) []byte {
	dst = append(append(dst, c.head...), choiceHead+"{}"+choiceFinish...)
	dst = dialect.AppendString(dst, reason)
	return append(dst, c.tail...)
}

// AppendUsage appends the chunk that has no choices but the usage. It follows
// the finishing chunk when the client asked for it.
func (c *Chunks) AppendUsage(dst []byte, u Usage) []byte {
	dst = append(append(dst, c.head...), `],"usage":`...)
	return append(u.append(dst), "}\n\n"...)
}

// AppendDone appends the event with Done.
func AppendDone(dst []byte) []byte { return append(dst, "data: "+Done+"\n\n"...) }
