package relay

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/mock"
	"weir/cmd/weir/internal/speak"
	"weir/sse"
)

// spoken is a dialect as the matrix speaks it: its requests, what a mock responds
// with, and what the official clients make of what they get.
type spoken struct {
	lang, path string
	speaks     *speak.Dialect
	request    string         // what is in it beside model and stream
	alive      *regexp.Regexp // what the client hears meanwhile
	told       int            // the status of the mock's error
	finishes   bool           // a stream that ends properly without its end mark is complete
	read       func(body []byte) reading

	events [][]byte // of a stream
	lead   int      // those ahead of the first with something of the model's
	whole  []byte   // a response that is not a stream
	pieces [][]byte // it, as the mock cuts it
}

// reading is what a client makes of a stream.
type reading struct {
	end   string // complete, error: …, or "" if it has none
	wrong string // in what it was sent; "" = nothing
}

const complete = "complete"

var comments = regexp.MustCompile(`: keep-alive\n\n`)

var languages = []*spoken{
	{lang: "chat", path: "/v1/chat/completions", speaks: speak.Chat, told: 500, finishes: true, alive: comments, read: readChat},
	{lang: "completions", path: "/v1/completions", speaks: speak.Completions, told: 500, finishes: true, alive: comments, read: readChat},
	{lang: "responses", path: "/v1/responses", speaks: speak.Responses, told: 502, alive: comments, read: readResponses},
	{lang: "messages", path: "/v1/messages", speaks: speak.Messages, told: 500, alive: regexp.MustCompile(`event: ping\ndata: \{"type": "ping"\}\n\n`), read: readMessages},
	{
		lang: "ollama chat", path: "/api/chat", speaks: speak.OllamaChat, told: 502, read: readOllama,
		alive: regexp.MustCompile(`\{"model":"m","created_at":"[^"]+","message":\{"role":"assistant","content":""\},"done":false\}\n`),
	},
	{
		lang: "ollama generate", path: "/api/generate", speaks: speak.OllamaGenerate, told: 502, read: readOllama,
		alive: regexp.MustCompile(`\{"model":"m","created_at":"[^"]+","response":"","done":false\}\n`),
	},
}

func init() {
	for _, s := range languages {
		s.request = `"messages":[{"role":"user","content":"hi"}]`
		s.events, s.whole = mock.StreamEvents(s.body(said)), mock.UnaryBody(s.body(said))
		s.pieces = mock.Pieces(s.whole)
		s.lead = slices.IndexFunc(s.events, func(e []byte) bool { return bytes.Contains(e, []byte(`"token 0 "`)) })
	}
}

func (s *spoken) endpoint() *dialect.Endpoint { return endpointOf(s.path) }

// body is b in the dialect.
func (s *spoken) body(b mock.Body) mock.Body {
	b.Dialect, b.Model = s.speaks, "m"
	return b
}

// settings are a mock's: a number with a plus counts from the first event with
// something of the model's, or from the first piece of a whole response, and a
// star is all of them.
func (s *spoken) settings(set mock.Set, stream bool) mock.Set {
	set = maps.Clone(set)
	from, all := 1, len(s.pieces)
	if stream {
		from, all = s.lead, len(s.events)
	}
	if fault := set["fault"]; fault != "" {
		fault = counted.ReplaceAllStringFunc(fault, func(n string) string { return "=" + strconv.Itoa(from+int(n[2]-'0')) })
		set["fault"] = strings.ReplaceAll(fault, "=*", "="+strconv.Itoa(all))
	}
	return set
}

var counted = regexp.MustCompile(`=\+[0-9]`)

// error is the body of a response that is an error.
func (s *spoken) error(f *dialect.Fault) []byte { return s.endpoint().Dialect.AppendError(nil, f) }

// inBand is an error of the gateway's in a stream, behind what is not within an
// event; nil for responses, where it depends on what was sent before.
func (s *spoken) inBand(f *dialect.Fault) []byte {
	switch body := s.error(f); s.speaks {
	case speak.Responses:
		return nil
	case speak.Messages:
		return fmt.Appendf(nil, "event: error\ndata: %s\n\n", body)
	case speak.OllamaChat, speak.OllamaGenerate:
		return append(body, '\n')
	default:
		return fmt.Appendf(nil, "data: %s\n\n", body)
	}
}

// gap sets an error off from a part of an event.
func (s *spoken) gap() string { return s.speaks.Separator }

// refusal is the error that the mock's event of an error becomes.
func (s *spoken) refusal() []byte {
	event := mock.StreamEvents(s.body(failing(1)))[0]
	if s.speaks == speak.Responses { // the event has another shape
		return s.error(&dialect.Fault{Status: 502, Code: "mock_error", Message: mockFailed})
	}
	return bytes.TrimSpace(event[bytes.IndexByte(event, '{'):])
}

// object is a JSON object of which some members matter.
type object struct {
	Type     string
	Done     bool
	Message  json.RawMessage
	Error    json.RawMessage
	Sequence *int `json:"sequence_number"`
	Response json.RawMessage
	Choices  []struct {
		Index  int
		Finish string `json:"finish_reason"`
	}
}

// failure is what an error says: a text, or an object's message.
func (o *object) failure() string {
	var text string
	var in struct{ Message string }
	if json.Unmarshal(o.Error, &text) != nil {
		_ = json.Unmarshal(o.Error, &in) // then it says nothing, which is wrong enough
	}
	return "error: " + cmp.Or(text, in.Message)
}

// eachEvent reads server-sent events up to the one at which read returns true.
func eachEvent(body []byte, read func(name string, data []byte) (done bool, wrong string)) (wrong string) {
	for ev, err := range (&sse.Decoder{MaxLine: 8 << 20, MaxEvent: 8 << 20}).Read(bytes.NewReader(body)) {
		if err != nil {
			return err.Error()
		}
		if done, wrong := read(ev.Name, ev.Data); done || wrong != "" {
			return wrong
		}
	}
	return ""
}

// readChat reads as OpenAI's clients and agents do: they stop at [DONE], an event
// with an error raises it, and a proper end is one if each choice has its
// finish_reason.
func readChat(body []byte) (r reading) {
	open, finished := map[int]bool{}, false
	r.wrong = eachEvent(body, func(_ string, data []byte) (done bool, wrong string) {
		if string(data) == "[DONE]" {
			r.end = complete
			return true, ""
		}
		var o object
		if err := json.Unmarshal(data, &o); err != nil {
			return true, fmt.Sprintf("%q: %v", data, err)
		}
		if o.Error != nil {
			r.end = o.failure()
			return true, ""
		}
		for _, c := range o.Choices {
			open[c.Index], finished = c.Finish == "", true
		}
		return false, ""
	})
	if r.end == "" && finished && !slices.Contains(slices.Collect(maps.Values(open)), true) {
		r.end = complete
	}
	return r
}

// readMessages reads as Anthropic's clients do: they skip events without a name,
// want message_start first and once, and raise event: error.
func readMessages(body []byte) (r reading) {
	started := false
	r.wrong = eachEvent(body, func(name string, data []byte) (done bool, wrong string) {
		var o object
		if err := json.Unmarshal(data, &o); err != nil || o.Type != name {
			return true, fmt.Sprintf("%s %q: %v", name, data, err)
		}
		switch {
		case r.end != "":
			return true, "an event behind the end: " + name
		case name == "error":
			r.end = o.failure()
		case name == "ping":
		case (name == "message_start") == started:
			return true, "out of order: " + name
		case name == "message_stop":
			r.end = complete
		}
		started = started || name == "message_start"
		return false, ""
	})
	return r
}

// readResponses reads as OpenAI's clients and Codex do: response.created comes
// first, numbers have no holes, the response keeps its id, and one that failed
// says so.
func readResponses(body []byte) (r reading) {
	next, id, hole := 0, "", ""
	wrong := eachEvent(body, func(name string, data []byte) (done bool, wrong string) {
		var o object
		var whole struct {
			ID    string
			Error *struct{ Message string }
		}
		err := json.Unmarshal(data, &o)
		if err == nil && o.Response != nil {
			err = json.Unmarshal(o.Response, &whole)
		}
		if err != nil || o.Type != name {
			return true, fmt.Sprintf("%s %q: %v", name, data, err)
		}
		switch {
		case r.end != "":
			return true, "an event behind the end: " + name
		case o.Sequence == nil:
			return true, "no number: " + name
		case next == 0 && name != "response.created" && name != "response.failed": // the mock's own begins so
			return true, "the first event is " + name
		case o.Response != nil && id != "" && whole.ID != id:
			return true, "another id: " + whole.ID
		case name == "response.completed":
			r.end = complete
		case name == "response.failed" && whole.Error == nil:
			return true, "a failure without an error"
		case name == "response.failed":
			r.end = "error: " + whole.Error.Message
		}
		if *o.Sequence != next {
			hole = fmt.Sprintf("%s has the number %d, want %d", name, *o.Sequence, next)
		}
		next, id = *o.Sequence+1, cmp.Or(whole.ID, id)
		return false, ""
	})
	r.wrong = cmp.Or(wrong, hole)
	return r
}

// readOllama reads as Ollama's clients do: each line is an object, none is empty,
// an error raises, and done is the end.
func readOllama(body []byte) (r reading) {
	for line := range bytes.Lines(body) {
		var o object
		switch err := json.Unmarshal(line, &o); {
		case err != nil && !bytes.HasSuffix(line, []byte("\n")):
			return r // cut
		case err != nil:
			r.wrong = fmt.Sprintf("%q: %v", line, err)
			return r
		case r.end != "":
			r.wrong = fmt.Sprintf("a line behind the end: %q", line)
		case o.Error != nil:
			r.end = o.failure()
		case o.Done:
			r.end = complete
		}
	}
	return r
}
