// Package relay takes a client's request to an upstream and the response back.
//
// Everything happens on the event loop of the client's connection, where the
// connection to a plain-HTTP upstream also lives: a token costs one read and
// one write.
//
//	client ──body──> upload ──model known──> attempt: a target, a call to it
//	       <─ model's first event ── hold <── head, body ──┘   │ fails: another
//	       <─ reply <─ each piece that arrives ────────────────┘
//
// Which target is next, and what a failure means for its upstream, is decided
// in package target; what the client gets, in judge.go. Neither has effects.
// What the bytes of requests and responses mean is known to package dialect.
package relay

import (
	"slices"
	"time"

	"weir"
	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/dialect/known"
	"weir/cmd/weir/internal/front"
	"weir/cmd/weir/internal/glob"
	"weir/cmd/weir/internal/policy"
	"weir/cmd/weir/internal/target"
	"weir/cmd/weir/internal/upstream"
)

// A Gateway relays requests by one configuration, which does not change.
// Requests continue with the one that they started with.
type Gateway struct {
	Models    map[string]*Model
	Patterns  []string // those names in Models that are patterns, as glob.Sort orders them
	MaxBody   int64    // bytes of a request; beyond it 413
	MaxReplay int64    // bytes of a request that is kept for another attempt
	MaxEvent  int      // bytes of a line of an event stream
	Observer  Observer

	Carriers   *Carriers // in which clients send keys; nil = those that are known
	Forwarding Forwarding

	// Mark adds to the head of a response what every response has, in place of
	// the upstream's fields; nil = nothing. It is called on the loop.
	Mark func(w *weir.Response, r *weir.Request)
}

// An Observer is called as requests proceed, on their loops. It must not block.
// Ended is also called for routes of native handlers, on any goroutine.
type Observer interface {
	// Began is called when the relay takes a request, for which Ended will be
	// called. It returns false if the request has ended already.
	Began(r *weir.Request) bool
	// Asked reports how long a request was held up here before it was sent.
	Asked(delay time.Duration)
	// Relayed reports how long a piece of the response was held up here.
	Relayed(delay time.Duration)
	// Responded is called when the response of an upstream begins, that long
	// after the request was sent.
	Responded(u *upstream.Upstream, delay time.Duration)
	// Failed is called for each failed attempt.
	Failed(a Attempt)
	// Short is called for each attempt for which this machine had no
	// descriptor, port or memory (reactor.LocalShortage).
	Short(err error)
	// HungUp is called when a client has disconnected and its upstream's
	// connection is closed, that long after the loop noticed.
	HungUp(delay time.Duration)
	// Ended reports a request that has ended. The record is valid until Ended
	// returns.
	Ended(r *Record)
}

// An Attempt is a failed one. What it refers to is valid until Failed returns.
type Attempt struct {
	Request  *weir.Request
	Model    string
	Upstream *upstream.Upstream
	Number   int // of the request's attempts, from 1
	Reason   target.Reason
	Err      error
}

// A Record describes a request, for the log.
type Record struct {
	Request  *weir.Request
	Asked    string // the model that the client asked for, unchecked
	Model    string // the name or the pattern of the model that serves it, "" if none does: no text of the client's
	Upstream string // the last one that was tried
	Attempts int
	Stream   bool
	Status   int
	Events   int
	Bytes    int64
	First    time.Duration // until the first event; 0 = there was none
	Took     time.Duration
	Err      error // what went wrong, on either side
	Left     bool  // the client disconnected: 499
}

// A Model is a name that clients may ask for, and what serves it.
type Model struct {
	Name      string
	Targets   []Target
	Policy    target.Policy
	ByHeader  string // policy session: the field that names it; "" = the body's user
	ByPrefix  bool   // policy prefix_hash
	Retries   int    // further attempts before there is something of the model's
	RetryOn   []Statuses
	Fallback  []*Model
	Hold      Hold
	Keepalive time.Duration // after that much silence the client hears something; 0 = never
	Native    Native        // serves the model in place of targets
	Request   *policy.Patch // what it changes in requests; nil = nothing
	Event     *policy.Patch // what it changes in events; nil = nothing
	Response  *policy.Patch // what it changes in responses that are not streams; nil = nothing

	Route *target.Route // made by Plan
	legs  []*Model      // whose targets the legs of the route are
	deaf  []deaf        // the dialects that not all of them speak
}

// Plan makes the model's route: to its own targets and then to those of its
// fallbacks, and of theirs, each model once. What it was made of must not
// change afterwards.
func (m *Model) Plan(budget *target.Budget) {
	m.Route, m.legs = &target.Route{Retries: m.Retries, Budget: budget}, nil
	for next := []*Model{m}; len(next) > 0; next = next[1:] {
		if slices.Contains(m.legs, next[0]) {
			continue
		}
		m.legs = append(m.legs, next[0])
		m.Route.Legs = append(m.Route.Legs, next[0].leg())
		next = append(next, next[0].Fallback...)
	}
	m.listen()
}

func (m *Model) leg() target.Leg {
	leg := target.Leg{Policy: m.Policy}
	for _, t := range m.Targets {
		leg.Targets = append(leg.Targets, target.Target{
			Standing: t.Upstream.Standing, ID: t.ID, Weight: t.Weight, Max: t.Upstream.MaxStreams,
		})
	}
	return leg
}

// Target is one upstream of a model.
type Target struct {
	Upstream *upstream.Upstream
	Model    string // its name there; "" = the client's
	Weight   int
	ID       uint64
}

// Hold is how long the response is held back: for so many events and until one
// of them is of the model's, but for no longer than Wait after that one. Wait is
// also the longest Retry-After that is waited for.
type Hold struct {
	Events int
	Wait   time.Duration
}

// Model returns what serves a name: the model of that very name, or the first
// one whose pattern it matches; nil if there is none. It is safe for concurrent
// use.
func (g *Gateway) Model(name string) *Model {
	if m := g.Models[name]; m != nil {
		return m
	}
	for _, pattern := range g.Patterns {
		if glob.Match(pattern, name) {
			return g.Models[pattern]
		}
	}
	return nil
}

func (g *Gateway) carriers() *Carriers {
	if g.Carriers == nil {
		return knownCarriers
	}
	return g.Carriers
}

// At returns the handler of the requests of an endpoint.
func (g *Gateway) At(e *dialect.Endpoint) weir.LoopHandler {
	return weir.LoopHandlerFunc(func(x *weir.LoopExchange) weir.BodyReceiver { return g.serve(e, x) })
}

// serve begins to relay one request.
func (g *Gateway) serve(e *dialect.Endpoint, x *weir.LoopExchange) weir.BodyReceiver {
	r := x.Request()
	if e.Kind == dialect.Other {
		if path := r.Path(); known.Of(path) != e.Dialect { // it is below the paths of another
			front.Refuse(x.Response(), r, dialect.NotFound(r.Method(), path))
			return nil
		}
	}
	codings, fault := takeCodings(r)
	switch {
	case fault != nil:
		x.Response().Header().Set("Accept-Encoding", "gzip, zstd")
		refuse(e, x.Response(), fault)
		return nil
	case loops(r):
		refuse(e, x.Response(), dialect.Loop())
		return nil
	case e.Kind == dialect.Other && strays(r.PathBytes()):
		refuse(e, x.Response(), dialect.NotFound(r.Method(), r.Path()))
		return nil
	case r.ContentLength() > g.MaxBody:
		refuse(e, x.Response(), dialect.TooLarge(g.MaxBody))
		return nil
	case r.ContentLength() > gatherLimit && !(r.Keep(gatherLimit) && r.Keep(0)): // there is no room even for the beginning
		x.Response().Header().Set("Retry-After", "1")
		refuse(e, x.Response(), dialect.NoRoom())
		return nil
	case x.Err() != nil || !g.Observer.Began(r):
		return nil // refused, or the client has disconnected
	}
	return (*downstream)(g.take(e, x, codings))
}

// refuse makes the response an error.
func refuse(e *dialect.Endpoint, w *weir.Response, fault *dialect.Fault) {
	front.Answer(w, fault.Status, e.Dialect.AppendError(nil, fault))
}
