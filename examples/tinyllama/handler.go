// Package tinyllama serves a small language model from within the server: a
// native handler, "tinyllama/generate", that serves OpenAI's chat completions
// and completions.
//
// Importing the package registers the handler; so does `weir build --with` it.
// The model is that of the [Loop] passed to [Use], or else the GGUF file that
// TINYLLAMA_WEIGHTS names.
package tinyllama

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"weir/examples/tinyllama/llama"
	"weir/plugin"
)

// Name is the name of the handler.
const Name = "tinyllama/generate"

// WeightsVariable is the environment variable that names the model if Use was
// not called.
const WeightsVariable = "TINYLLAMA_WEIGHTS"

func init() {
	plugin.Register(Name, plugin.Handler{
		Stream: generate,
		Limit:  10_000, // a waiting sequence costs only its prompt
		Doc:    "a llama model from a GGUF file, as OpenAI's chat completions and completions",
	})
}

var used atomic.Pointer[Loop]

// Use makes the handler decode with l, which may be started later.
func Use(l *Loop) { used.Store(l) }

func generate(c plugin.Call, s plugin.Sink) error {
	l := used.Load()
	if l == nil {
		var err error
		if l, err = fromEnvironment(); err != nil {
			return err
		}
	}
	return l.Generate(c, s)
}

// fromEnvironment starts a loop that runs as long as the process does.
var fromEnvironment = sync.OnceValues(func() (*Loop, error) {
	path := os.Getenv(WeightsVariable)
	if path == "" {
		return nil, fmt.Errorf("tinyllama: there is no model: set %s to a GGUF file", WeightsVariable)
	}
	m, err := llama.Load(path)
	if err != nil {
		return nil, fmt.Errorf("tinyllama: %s: %w", WeightsVariable, err)
	}
	l := NewLoop(m, 0, 0)
	go l.Run(context.Background())
	return l, nil
})

// Generate is the handler: it passes the request and its sink to the loop, and
// returns at once.
func (l *Loop) Generate(c plugin.Call, sink plugin.Sink) error {
	req, err := parse(c.Body())
	if err != nil {
		return refuse(sink, 400, err)
	}
	s, err := l.sequence(req)
	if err != nil {
		return refuse(sink, 400, err)
	}
	if err := sink.SetHeader("Content-Type", s.answer.contentType()); err != nil {
		return err
	}
	s.sink = sink
	sink.Detach()
	if err := l.submit(s); err != nil {
		sink.Abort(err)
	}
	return nil
}

func (l *Loop) sequence(req *request) (*sequence, error) {
	tokens := l.model.Tokenizer.Encode(req.text)
	room := l.model.Context - len(tokens)
	switch {
	case len(tokens) == 0:
		return nil, errors.New("the prompt is empty")
	case room < 1:
		return nil, fmt.Errorf("the prompt has %d tokens, the model has room for %d and must add one", len(tokens), l.model.Context)
	}
	seed := rand.Uint64()
	if req.Seed != nil {
		seed = uint64(*req.Seed)
	}
	return &sequence{
		answer:  newAnswer(req, l.model.Name, rand.Uint64(), time.Now()),
		sampler: llama.NewSampler(req.temperature(), seed),
		tokens:  tokens,
		prompt:  len(tokens),
		limit:   min(req.limit(), room),
	}, nil
}

// refuse responds with an error in the form of OpenAI's API.
func refuse(sink plugin.Sink, status int, reason error) error {
	var body struct {
		Error struct {
			Message string `json:"message"`
			Type    string `json:"type"`
		} `json:"error"`
	}
	body.Error.Message, body.Error.Type = reason.Error(), "invalid_request_error"
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	sink.SetStatus(status)
	if err := sink.SetHeader("Content-Type", "application/json"); err != nil {
		return err
	}
	return sink.Send(text)
}
