package handler

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"
)

// An answer makes the events of one stream, in the form of OpenAI's chat
// completions. What its methods return is valid until the next call.
type answer struct {
	chunk chunk
	event []byte
}

type chunk struct {
	ID      string    `json:"id"`
	Object  string    `json:"object"`
	Created int64     `json:"created"`
	Model   string    `json:"model"`
	Choices [1]choice `json:"choices"`
}

type choice struct {
	Index        int     `json:"index"`
	Delta        delta   `json:"delta"`
	FinishReason *string `json:"finish_reason"`
}

type delta struct {
	Role    string `json:"role,omitempty"`
	Content string `json:"content,omitempty"`
}

func newAnswer() *answer {
	a := &answer{chunk: chunk{
		ID:      fmt.Sprintf("chunks-%016x", rand.Uint64()),
		Object:  "chat.completion.chunk",
		Created: time.Now().Unix(),
		Model:   "text/chunks",
	}}
	a.chunk.Choices[0].Delta.Role = "assistant" // in the first event only
	return a
}

// word returns the next event.
func (a *answer) word(text string) []byte {
	a.chunk.Choices[0].Delta.Content = text
	a.event = a.appendChunk(a.event[:0])
	a.chunk.Choices[0].Delta = delta{}
	return a.event
}

// end returns what follows the last word.
func (a *answer) end() []byte {
	stop := "stop"
	a.chunk.Choices[0].FinishReason = &stop
	return append(a.appendChunk(a.event[:0]), "data: [DONE]\n\n"...)
}

func (a *answer) appendChunk(event []byte) []byte {
	text, err := json.Marshal(&a.chunk)
	if err != nil {
		panic(err) // strings and numbers always have JSON
	}
	return append(append(append(event, "data: "...), text...), "\n\n"...)
}
