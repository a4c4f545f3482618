package speak

import (
	"strconv"
	"time"
)

// ollama writes the lines of POST /api/chat and /api/generate.
type ollama struct {
	head string // up to what the line says
	chat bool
}

func newOllama(h Head, chat bool) Stream {
	return &ollama{string(appendOllamaHead(nil, h)), chat}
}

func appendOllamaHead(dst []byte, h Head) []byte {
	dst = quote(append(dst, `{"model":`...), h.Model)
	dst = append(dst, `,"created_at":"`...)
	return append(h.Created.UTC().AppendFormat(dst, time.RFC3339Nano), '"')
}

const notDone = ",\"done\":false}\n"

func (o *ollama) AppendBegin(dst []byte) []byte { return dst }

func (o *ollama) AppendText(dst []byte, text string) []byte {
	dst = append(dst, o.head...)
	if o.chat {
		dst = append(quote(append(dst, `,"message":{"role":"assistant","content":`...), text), '}')
	} else {
		dst = quote(append(dst, `,"response":`...), text)
	}
	return append(dst, notDone...)
}

func (o *ollama) AppendThought(dst []byte, text string) []byte {
	dst = append(dst, o.head...)
	if o.chat {
		dst = append(quote(append(dst, `,"message":{"role":"assistant","content":"","thinking":`...), text), '}')
	} else {
		dst = quote(append(dst, `,"response":"","thinking":`...), text)
	}
	return append(dst, notDone...)
}

// AppendCall appends a call, which is never in pieces and which only chats
// have.
func (o *ollama) AppendCall(dst []byte, c Call) []byte {
	if !o.chat {
		return dst
	}
	dst = append(append(dst, o.head...), `,"message":{"role":"assistant","content":"","tool_calls":[`...)
	return append(append(appendOllamaCall(dst, c), "]}"...), notDone...)
}

func appendOllamaCall(dst []byte, c Call) []byte {
	dst = quote(append(dst, `{"id":`...), c.ID)
	dst = quote(append(dst, `,"function":{"name":`...), c.Name)
	return append(append(append(dst, `,"arguments":`...), c.Arguments...), "}}"...)
}

func (o *ollama) AppendEnd(dst []byte, why Finish, u Usage) []byte {
	dst = append(dst, o.head...)
	if o.chat {
		dst = append(dst, `,"message":{"role":"assistant","content":""}`...)
	} else {
		dst = append(dst, `,"response":""`...)
	}
	return append(appendOllamaEnd(dst, why, u), '\n')
}

// appendOllamaEnd appends what the last line, or a whole response, ends with.
func appendOllamaEnd(dst []byte, why Finish, u Usage) []byte {
	if why == Calls { // which Ollama does not say
		why = Stop
	}
	dst = append(append(append(dst, `,"done":true,"done_reason":"`...), why...), '"')
	dst = strconv.AppendInt(append(dst, `,"total_duration":`...), int64(u.Took), 10)
	dst = strconv.AppendInt(append(dst, `,"load_duration":0,"prompt_eval_count":`...), int64(u.Prompt), 10)
	dst = strconv.AppendInt(append(dst, `,"prompt_eval_duration":0,"eval_count":`...), int64(u.Completion), 10)
	dst = strconv.AppendInt(append(dst, `,"eval_duration":`...), int64(u.Took), 10)
	return append(dst, '}')
}

func appendOllamaChat(dst []byte, h Head, t Turn) []byte {
	dst = append(appendOllamaHead(dst, h), `,"message":{"role":"assistant","content":`...)
	dst = quote(dst, t.Text)
	if t.Thought != "" {
		dst = quote(append(dst, `,"thinking":`...), t.Thought)
	}
	for i, c := range t.Calls {
		dst = append(dst, []string{`,"tool_calls":[`, ","}[min(i, 1)]...)
		dst = appendOllamaCall(dst, c)
	}
	if len(t.Calls) > 0 {
		dst = append(dst, ']')
	}
	return appendOllamaEnd(append(dst, '}'), t.Finish, t.Usage)
}

func appendOllamaGenerate(dst []byte, h Head, t Turn) []byte {
	dst = quote(append(appendOllamaHead(dst, h), `,"response":`...), t.Text)
	if t.Thought != "" {
		dst = quote(append(dst, `,"thinking":`...), t.Thought)
	}
	return appendOllamaEnd(dst, t.Finish, t.Usage)
}

func (o *ollama) AppendError(dst []byte, e Error) []byte {
	return append(quote(append(dst, `{"error":`...), e.Message), "}\n"...)
}
