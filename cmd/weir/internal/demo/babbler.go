package demo

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir/cmd/weir/internal/babble"
	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/dialect/known"
	"weir/cmd/weir/internal/speak"
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
		Doc:    "text in OpenAI's, Anthropic's and Ollama's dialects, babbled by an n-gram model of weir's own guide",
	})
}

// shared is the handler that is registered: one a process, as its name is.
var shared = babbler{model: sync.OnceValue(guide)}

// guide is the model of weir's user guide. It takes about 10 ms to build.
func guide() *babble.Model { return babble.New(babble.Prose(docs.Text())) }

// babbler serves requests for a text, in the dialect of their path. It is safe
// for concurrent use.
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
	path := string(c.Path())
	d := generating[path]
	switch {
	case path == "/v1/embeddings": // where a gateway also mounts models
		return refuse(s, path, onlyText(path))
	case d == nil: // a path of a gateway's own
		d = speak.Chat
	}
	req, wrong := parse(d, c.Body())
	if wrong != nil {
		return refuse(s, path, wrong)
	}
	t := b.begin(d, req)
	if req.Stream {
		return t.stream(s)
	}
	return t.whole(s)
}

// onlyText refuses a request for something else.
func onlyText(path string) *dialect.Fault {
	return &dialect.Fault{
		Status:  404,
		Message: "This is a chat model and is not served on " + path + ". Did you mean " + chatPath + "?",
		Param:   "model",
	}
}

// refuse responds with an error in the shape of the path's dialect.
func refuse(s plugin.Sink, path string, e *dialect.Fault) error {
	s.SetStatus(e.Status)
	if err := s.SetHeader("Content-Type", "application/json"); err != nil {
		return err
	}
	return s.Send(append(known.Of(path).AppendError(nil, e), '\n'))
}

// talk is one response while it is made.
type talk struct {
	speak.Head
	dialect *speak.Dialect
	speaker *babble.Speaker
	beat    metronome
	prompt  int  // tokens that the client sent
	usage   bool // the client wants to know how many tokens a stream had
}

// longestWhole bounds a response that is kept until it is complete, in tokens.
const longestWhole = 1 << 16

func (b *babbler) begin(d *speak.Dialect, req *speak.Request) *talk {
	model, pace := b.model(), defaultPace
	if p := b.pace.Load(); p != nil {
		pace = *p
	}
	limit := req.MaxTokens
	if !req.Stream {
		limit = min(limit, longestWhole)
	}
	return &talk{
		Head:    speak.Head{ID: d.NewID(), Model: req.Model, Created: time.Now()},
		dialect: d,
		speaker: model.Start(babble.Options{
			Prompt:      req.Prompt,
			Seed:        req.Seed,
			Temperature: req.Temperature,
			MaxTokens:   limit,
			IgnoreEnd:   req.IgnoreEnd,
			Stop:        req.Stop,
		}),
		beat:   pace.start(),
		prompt: model.Count(req.Prompt),
		usage:  req.Usage,
	}
}

// spoken returns the usage so far.
func (t *talk) spoken() speak.Usage {
	return speak.Usage{Prompt: t.prompt, Completion: t.speaker.Tokens(), Took: time.Since(t.Created)}
}

// finish is why the text ended; babble has OpenAI's words for it.
func (t *talk) finish() speak.Finish { return speak.Finish(t.speaker.Reason()) }

// stream sends each token when it is due. The first comes with what the dialect
// begins with, and the end costs a beat of its own, as the end token of a real
// model does.
func (t *talk) stream(s plugin.Sink) error {
	if err := t.eventStream(s); err != nil {
		return err
	}
	events := t.dialect.Stream(t.Head, speak.Options{Prompt: t.prompt, Usage: t.usage})
	out := events.AppendBegin(nil)
	for t.beat.wait(s.Done()) {
		token, more := t.speaker.Next()
		if !more {
			return s.Send(events.AppendEnd(out, t.finish(), t.spoken()))
		}
		if err := s.Send(events.AppendText(out, token)); err != nil {
			return err
		}
		out = out[:0]
	}
	return s.Cause()
}

// eventStream sets the fields that keep proxies from holding events back.
func (t *talk) eventStream(s plugin.Sink) error {
	for _, field := range [][2]string{
		{"Content-Type", t.dialect.ContentType()},
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
			turn := speak.Turn{Text: text.String(), Finish: t.finish(), Usage: t.spoken()}
			return s.Send(append(t.dialect.AppendWhole(nil, t.Head, turn), '\n'))
		}
		text.WriteString(token)
	}
	return s.Cause()
}
