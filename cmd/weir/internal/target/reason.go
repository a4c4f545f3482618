package target

// Reason is why an attempt failed.
type Reason uint8

// The reasons. Those of the first group were never the request's own doing.
const (
	Unreachable    Reason = iota // the connection was refused, or broken off while it was made
	ConnectTimeout               // there was no connection in time
	Silent                       // the upstream sent nothing in time, before the first event

	NoResponse // it closed the connection before the response
	Truncated  // it closed the connection inside the response, before the first event
	Invalid    // what it sent is not HTTP
	Failed     // it responded with a 5xx status
	ErrorEvent // its first event was an error

	Interrupted // its response broke off, or stalled, after the first event
	Unfinished  // it ended a stream, after the first event, without its end marker

	Overloaded // it responded with 429, or 503 with Retry-After
	NoStream   // its response is not the stream that the client was promised
	TooLong    // its response is beyond a limit of the gateway
	TooLate    // the whole exchange took longer than allowed, whichever side was slow
	Shortage   // the gateway had no descriptor, port or memory for the attempt

	reasons // how many there are
)

// weight is what a failure means for the upstream.
type weight uint8

const (
	none   weight = iota // nothing against it
	weak                 // it failed, but it is alive: that counts by share
	strong               // it may be dead: a few in a row are enough
)

// verdicts are what each reason means. What the request may have caused counts
// against the upstream only when the outcome elsewhere is known; silence counts
// at once, because it takes too long to wait for twice.
var verdicts = [reasons]struct {
	name   string
	weight weight
	held   bool // until then
	doubt  bool // the request may have caused it
	alive  bool // there was a response, whatever it was
}{
	Unreachable:    {name: "unreachable", weight: strong},
	ConnectTimeout: {name: "connect_timeout", weight: strong},
	Silent:         {name: "silent", weight: strong, doubt: true},

	NoResponse: {name: "no_response", weight: strong, held: true, doubt: true},
	Truncated:  {name: "truncated", weight: weak, held: true, doubt: true, alive: true},
	Invalid:    {name: "invalid", weight: weak, held: true, doubt: true, alive: true},
	Failed:     {name: "status", weight: weak, held: true, doubt: true, alive: true},
	ErrorEvent: {name: "error_event", weight: weak, held: true, doubt: true, alive: true},

	Interrupted: {name: "interrupted", weight: weak},
	Unfinished:  {name: "unfinished", weight: weak},

	Overloaded: {name: "overloaded", alive: true},
	NoStream:   {name: "no_stream", doubt: true, alive: true},
	TooLong:    {name: "too_long", doubt: true, alive: true},
	TooLate:    {name: "too_late"},
	Shortage:   {name: "shortage"},
}

// String returns the reason as a metric's label.
func (r Reason) String() string { return verdicts[r].name }

// Reasons returns all reasons, in order.
func Reasons() (all []Reason) {
	for r := range reasons {
		all = append(all, r)
	}
	return all
}
