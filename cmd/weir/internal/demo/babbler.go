package demo

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir/cmd/weir/internal/babble"
	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/dialect/openai"
	"weir/docs"
	"weir/plugin"
)

const (
	// ModelName is the name of the one model that the demo serves.
	ModelName = "weir-demo"
	// HandlerName is the name under which the handler is registered.
	HandlerName = "demo/babble"
)

func init() {
	plugin.Register(HandlerName, plugin.Handler{
		Stream: shared.answer,
		Limit:  10_000,
		Doc:    "chat completions in OpenAI's dialect, babbled by an n-gram model of weir's own guide",
	})
}

// shared is the handler that is registered: one a process, as its name is.
var shared = babbler{model: sync.OnceValue(guide)}

// guide is the model of weir's user guide. It takes about 10 ms to build.
func guide() *babble.Model { return babble.New(babble.Prose(docs.Text())) }

// babbler serves chat completions. It is safe for concurrent use.
type babbler struct {
	model func() *babble.Model
	pace  atomic.Pointer[Pace] // nil: defaultPace
}

// answer is a plugin.Handler's Stream, for any model: the mount decides which.
// It ends at once when the client disconnects, whether it waits for the next
// token or for the client to read the last one.
func (b *babbler) answer(c plugin.Call, s plugin.Sink) error {
	if cause := s.Cause(); cause != nil {
		return cause // ended before it began: the server is at its limit of streams
	}
	req, wrong := openai.ParseChatRequest(c.Body())
	switch string(c.Path()) {
	case "/v1/completions", "/v1/embeddings": // a gateway also mounts models there
		wrong = onlyChat(string(c.Path()))
	}
	if wrong != nil {
		return refuse(s, wrong)
	}
	t := b.begin(req)
	if req.Stream {
		return t.stream(s)
	}
	return t.whole(s)
}

// onlyChat refuses a request for something else.
func onlyChat(path string) *dialect.Fault {
	return &dialect.Fault{
		Status:  404,
		Message: "This is a chat model and is not served on " + path + ". Did you mean " + chatPath + "?",
		Param:   "model",
	}
}

// refuse responds with an error in the dialect's shape.
func refuse(s plugin.Sink, e *dialect.Fault) error {
	s.SetStatus(e.Status)
	if err := s.SetHeader("Content-Type", "application/json"); err != nil {
		return err
	}
	return s.Send(append(openai.Dialect.AppendError(nil, e), '\n'))
}

// talk is one response while it is made.
type talk struct {
	openai.Answer
	speaker *babble.Speaker
	beat    metronome
	prompt  int  // tokens that the client sent
	usage   bool // the client wants to know how many tokens a stream had
}

// longestWhole bounds a response that is kept until it is complete, in tokens.
const longestWhole = 1 << 16

func (b *babbler) begin(req *openai.ChatRequest) *talk {
	model, pace := b.model(), defaultPace
	if p := b.pace.Load(); p != nil {
		pace = *p
	}
	limit := req.TokenLimit()
	if !req.Stream {
		limit = min(limit, longestWhole)
	}
	prompt := req.Prompt()
	return &talk{
		Answer: openai.Answer{ID: openai.NewID(), Model: req.Model, Created: time.Now().Unix()},
		speaker: model.Start(babble.Options{
			Prompt:      prompt,
			Seed:        req.Seed,
			Temperature: req.Temperature,
			MaxTokens:   limit,
			IgnoreEnd:   req.IgnoreEOS,
			Stop:        req.Stop,
		}),
		beat:   pace.start(),
		prompt: model.Count(prompt),
		usage:  req.IncludeUsage(),
	}
}

// spoken returns the usage so far.
func (t *talk) spoken() openai.Usage {
	return openai.Usage{Prompt: t.prompt, Completion: t.speaker.Tokens()}
}

// finish is why the text ended; babble has the dialect's words for it.
func (t *talk) finish() string { return string(t.speaker.Reason()) }

// stream sends each token when it is due. The first comes with the role, and
// the end costs a beat of its own, as the end token of a real model does.
func (t *talk) stream(s plugin.Sink) error {
	if err := eventStream(s); err != nil {
		return err
	}
	chunks := openai.NewChunks(t.Answer, t.usage)
	out := chunks.AppendRole(nil)
	for t.beat.wait(s.Done()) {
		token, more := t.speaker.Next()
		if !more {
			return s.Send(t.appendEnd(out, chunks))
		}
		if err := s.Send(chunks.AppendContent(out, token)); err != nil {
			return err
		}
		out = out[:0]
	}
	return s.Cause()
}

func (t *talk) appendEnd(dst []byte, chunks *openai.Chunks) []byte {
	dst = chunks.AppendFinish(dst, t.finish())
	if t.usage {
		dst = chunks.AppendUsage(dst, t.spoken())
	}
	return openai.AppendDone(dst)
}

// eventStream sets the fields that keep proxies from holding events back.
func eventStream(s plugin.Sink) error {
	for _, field := range [][2]string{
		{"Content-Type", "text/event-stream; charset=utf-8"},
		{"Cache-Control", "no-cache, no-transform"},
		{"X-Accel-Buffering", "no"},
	} {
		if err := s.SetHeader(field[0], field[1]); err != nil {
			return err
		}
	}
	return nil
}

// whole takes its time as the stream does, and sends the text at the end.
func (t *talk) whole(s plugin.Sink) error {
	if err := s.SetHeader("Content-Type", "application/json"); err != nil {
		return err
	}
	var text strings.Builder
	for t.beat.wait(s.Done()) {
		token, more := t.speaker.Next()
		if !more {
			body := openai.AppendCompletion(nil, t.Answer, text.String(), t.finish(), t.spoken())
			return s.Send(append(body, '\n'))
		}
		text.WriteString(token)
	}
	return s.Cause()
}
