package dialect

import "time"

// A Dialect is an API by which models are served. It is safe for concurrent use.
type Dialect interface {
	// Name is the dialect's name in the configuration.
	Name() string

	// Endpoints are the requests that it has. They do not change.
	Endpoints() []*Endpoint

	// AppendError appends the body, which is JSON on one line, of the response
	// to a request that failed. Its status is the fault's. What an upstream sent
	// in the dialect's own shape is repeated word for word.
	AppendError(dst []byte, f *Fault) []byte

	// Credentials returns the fields by which an upstream gets the gateway's
	// key, "" if it needs none. A field that is a Default does not replace the
	// client's.
	Credentials(key string) []Field
}

// A Field is a field of a request's header.
type Field struct {
	Name, Value string
	Default     bool // only if the client sent none
}

// Kind is what the response to a request is.
type Kind uint8

// The kinds of endpoints. Those from List on name no model in a body.
const (
	Generate   Kind = iota // what a model generates, whole or as a stream
	Embeddings             // vectors
	Count                  // the number of a prompt's tokens
	Other                  // something of a model's that the gateway need not understand
	List                   // the models
	One                    // a model, named in the path
	Version                // of the server
)

// Relayed reports whether requests are passed to an upstream, and so have a
// model in their body.
func (k Kind) Relayed() bool { return k < List }

// An Endpoint is a kind of request. It is not changed after it was made.
type Endpoint struct {
	Dialect Dialect
	Method  string
	Path    string // a pattern for the path, as weir.Mux has them
	Kind    Kind
	Streams bool // unless the request says otherwise, the response is a stream
	Base    bool // the path's /v1 stands for the base of the upstream's API (G21); else the path begins at the host
	Framing Framing
	Judge   func() Judge // makes the judge of a response's events; nil = there are none
}

// Endpoints makes the endpoints of a dialect; base is their Base.
func Endpoints(d Dialect, base bool, list ...Endpoint) []*Endpoint {
	var all []*Endpoint
	for _, e := range list {
		e.Dialect, e.Base = d, base
		all = append(all, &e)
	}
	return all
}

// Framing is how a stream consists of events.
type Framing uint8

// The framings.
const (
	SSE   Framing = iota // text/event-stream
	Lines                // a JSON object on each line
)

// ContentType is what a response with this framing says it is.
func (f Framing) ContentType() string {
	if f == Lines {
		return "application/x-ndjson"
	}
	return "text/event-stream; charset=utf-8"
}

// A Stamp is what events of the gateway's own say beside their content.
type Stamp struct {
	Model string // as the client called it
	Time  time.Time
}

// A Judge judges the events of one response. Reader calls it. It is not safe
// for concurrent use.
type Judge interface {
	// Reset prepares the judge for another response.
	Reset()

	// Members are those that Member is called for. They do not change.
	Members() *Node

	// Member is called for each of them as it ends, within the event's JSON
	// object. enough means that the rest of the event does not matter.
	Member(of Slot, v Value) (enough bool)

	// Event is called at the end of an event that a client would dispatch.
	Event(e Event) Verdict

	// Finished reports whether a response that had no end mark is complete if
	// its body ended properly.
	Finished() bool

	// AppendFault appends an event that ends a response with an error. It
	// continues what the judge has seen.
	AppendFault(dst []byte, f *Fault, s Stamp) []byte

	// AppendKeepAlive appends an event without content; nothing if the dialect
	// has none and a comment will do.
	AppendKeepAlive(dst []byte, s Stamp) []byte
}

// An Event describes an event whose members were reported. Its bytes are valid
// until the judge returns.
type Event struct {
	Name   []byte // of the event field; nil = none
	Object bool   // the data was one JSON object, whole
	Text   []byte // the data, if it is not a JSON object and short
}

// Verdict is what an event is.
type Verdict uint8

// Parts of a verdict. The others come with Whole only.
const (
	Whole     Verdict = 1 << iota // the event has ended
	Data                          // a client dispatches it
	Substance                     // it has something of the model's answer, or may have (G2)
	End                           // it is the end mark: the response is complete (G4)
	Failed                        // it is the upstream's error (G4)
	Alien                         // it is not of the dialect and need not be passed on
)

// Has reports whether v has all of those parts.
func (v Verdict) Has(parts Verdict) bool { return v&parts == parts }

// Ending is how a response ended (G4).
type Ending uint8

// The endings.
const (
	Dead     Ending = iota // incomplete: the client needs an error
	Reported               // incomplete, or not the model's, which the upstream has reported itself
	Complete               // nothing is to be added, and nobody to be blamed
)
