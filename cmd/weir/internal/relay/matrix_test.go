package relay

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/mock"
	"weir/cmd/weir/internal/upstream"
	"weir/internal/patience"
)

// fault is what the first upstream does wrong, or unusually, and what becomes
// of it for a request that streams and for one that does not.
type fault struct {
	name          string
	set           mock.Set
	address       func(mock.TB) string // of an upstream that is not there
	warm          bool                 // the request goes out on connections that were used before
	limits        upstream.Timeouts    // of the first upstream; zero = far away
	line          int                  // limits.event; 0 = 4 MiB
	stream, unary verdict
	overHTTP2     *verdict // for both, where HTTP/2 differs
}

// verdict is what has to become of a request.
type verdict struct {
	status    int
	body      []byte   // nil = the second upstream's, or the first one's as if nothing was wrong
	cut       bool     // the answer does not end as a whole one does
	elsewhere bool     // another target is asked, if there is one
	fields    []string // of the answer, beside the usual
	ours      bool     // the answer is the gateway's own
	alive     bool     // its head is, and comments come before and between what follows
	attempts  int      // with one target; 0 = 1
	requests  int      // that the first upstream saw, with one target; 0 = 1, -1 = none
	heard     bool     // its answer is taken to the end before another target is asked
	end       string   // how its connection ended, with one target; "" = it was kept
}

// How a connection to an upstream ended.
const (
	kept      = "kept"
	eitherWay = "kept or closed by the gateway"
	byGateway = "closed by the gateway"
	byMock    = "closed by the upstream"
)

const tokens = 4 // of every answer: 7 events of a stream with [DONE]

// shortly is a limit that has to pass, after the upstream has come to its fault.
var shortly = patience.Scaled(800 * time.Millisecond)

var (
	said   = mock.Body{Model: "m", Tokens: tokens}
	events = mock.StreamEvents(said)
	whole  = mock.UnaryBody(said)
	pieces = mock.Pieces(whole)
	soon   = upstream.Timeouts{Connect: farAway, FirstEvent: shortly, Idle: shortly, Whole: shortly}
	total  = upstream.Timeouts{Total: shortly}
)

// What the gateway says when an upstream fails.
const (
	unreachable = "The upstream is not reachable."
	closed      = "The upstream closed the connection before its response was complete."
	notHTTP     = "The upstream sent a response that is not valid HTTP."
	connectLate = "Relaying failed: the connection to the upstream timed out."
	eventLate   = "Relaying failed: the upstream sent no event in time."
	wholeLate   = "Relaying failed: the upstream sent no response in time."
	silent      = "Relaying failed: the upstream went silent."
	tookLong    = "Relaying failed: the response took longer than allowed."
)

// ownError is an error of the gateway's own.
func ownError(status int, message string) []byte {
	return chat.Dialect.AppendError(nil, dialect.ServerError(status, message))
}

// inBand is an error in a stream.
func inBand(body []byte) []byte { return []byte("data: " + string(body) + "\n\n") }

// early is a failure that nobody has seen anything of: another target answers,
// or the gateway does (G2, G5, G6).
func early(status int, message, end string) verdict {
	return verdict{
		status: status, body: ownError(status, message),
		ours: true, elsewhere: true, end: end,
	}
}

// final is early for a failure after which nobody else is asked.
func final(status int, message, end string) verdict {
	v := early(status, message, end)
	v.elsewhere = false
	return v
}

// refused is early for an upstream that there is no connection to.
func refused(status int, message string) verdict { return unseen(early(status, message, kept)) }

// unseen is a request that the upstream does not get.
func unseen(v verdict) verdict {
	v.requests = -1
	return v
}

// passedOn is an upstream's own refusal: it stands if nobody else answers
// (G2, G6).
func passedOn(status int, fields ...string) verdict {
	return verdict{
		status: status, body: mock.ErrorBody(status), elsewhere: true, heard: true,
		fields: fields,
	}
}

// late is a stream that fails when a part of it is out: it ends with an error
// and no [DONE], whatever other targets there are (G4).
func late(status int, message, end string, out ...[]byte) verdict {
	body := append(bytes.Join(out, nil), inBand(ownError(status, message))...)
	return verdict{status: 200, body: body, end: end}
}

// half is a whole answer of which a part is out: it has no form for an error,
// so it does not end (G4).
func half(end string, out ...[]byte) verdict {
	return verdict{status: 200, body: bytes.Join(out, nil), cut: true, end: end}
}

// fine is an answer that is relayed as it is (G1).
func fine(body []byte, end string) verdict { return verdict{status: 200, body: body, end: end} }

// half of an event, and what sets it off from the error that follows.
func firstHalf(event []byte) []byte { return event[:len(event)/2] }

var gap = []byte("\n\n")

func wide(crlf bool) mock.Body {
	b := said
	b.CRLF, b.Wide = crlf, !crlf
	return b
}

func failing() mock.Body {
	b := said
	b.ErrorAt = 1
	return b
}

func longLine(n int) mock.Body {
	b := said
	b.LongLine = n
	return b
}

var faults = []fault{
	{
		name: "none", stream: fine(bytes.Join(events, nil), kept), unary: fine(whole, kept),
	},
	{
		name: "refused", address: mock.Refused,
		stream: refused(502, unreachable), unary: refused(502, unreachable),
	},
	{
		name: "no answer to connecting", address: mock.Silent, limits: upstream.Timeouts{Connect: shortly},
		stream: refused(504, connectLate), unary: refused(504, connectLate),
	},
	{
		name: "reset before the head", set: mock.Set{"fault": "reset-before-head"},
		stream: early(502, closed, byMock), unary: early(502, closed, byMock),
	},
	{
		name: "closed before the head", set: mock.Set{"fault": "close-before-head"},
		stream: early(502, closed, byMock), unary: early(502, closed, byMock),
	},
	{
		name: "garbage head", set: mock.Set{"fault": "garbage-head"},
		stream: early(502, notHTTP, byMock), unary: early(502, notHTTP, byMock),
	},
	{ // RFC 9112 6.3: it ought to be an error; net/http, which speaks HTTP/2, lets the chunks win, which is safe
		name: "head with both framings", set: mock.Set{"fault": "both-framings"},
		stream: early(502, notHTTP, byGateway), unary: early(502, notHTTP, byGateway),
		overHTTP2: &verdict{status: 200},
	},
	{
		name: "429, Retry-After beyond the budget", set: mock.Set{"status": "429", "retry-after": "30"},
		stream: passedOn(429, "retry-after: 30"), unary: passedOn(429, "retry-after: 30"),
	},
	{
		name: "429, Retry-After within the budget", set: mock.Set{"status": "429", "header-retry-after-ms": "20"},
		stream: verdict{status: 200, elsewhere: true, heard: true, attempts: 2, requests: 2},
		unary:  verdict{status: 200, elsewhere: true, heard: true, attempts: 2, requests: 2},
	},
	{
		name: "500", set: mock.Set{"status": "500"},
		stream: passedOn(500), unary: passedOn(500),
	},
	{
		name: "400", set: mock.Set{"status": "400"},
		stream: verdict{status: 400, body: mock.ErrorBody(400)}, unary: verdict{status: 400, body: mock.ErrorBody(400)},
	},
	{
		name: "slow head", set: mock.Set{"fault": "slow-head=1m"}, limits: soon,
		stream: early(504, eventLate, byGateway), unary: early(504, wholeLate, byGateway),
	},
	{
		name: "slow first event", set: mock.Set{"fault": "slow-first-event=1m"}, limits: soon,
		stream: early(504, eventLate, byGateway), unary: early(504, silent, byGateway),
	},
	{ // nobody else is asked: there is no time left
		name: "head beyond the total time", set: mock.Set{"fault": "slow-head=1m"}, limits: total,
		stream: final(504, tookLong, byGateway), unary: final(504, tookLong, byGateway),
	},
	{
		name: "events beyond the total time", set: mock.Set{"fault": "stall-after=3"}, limits: total,
		stream: late(504, tookLong, byGateway, events[:3]...), unary: half(byGateway, pieces[:3]...),
	},
	{
		name: "error event first", set: mock.Set{"fault": "error-event-first"},
		stream: verdict{status: 200, body: mock.StreamBody(failing()), elsewhere: true},
		unary:  fine(mock.UnaryBody(failing()), kept),
	},
	{
		name: "reset after the head", set: mock.Set{"fault": "reset-after=0"},
		stream: early(502, closed, byMock), unary: early(502, closed, byMock),
	},
	{
		name: "reset after 3 events", set: mock.Set{"fault": "reset-after=3"},
		stream: late(502, closed, byMock, events[:3]...), unary: half(byMock, pieces[:3]...),
	},
	{
		name: "closed after 3 events", set: mock.Set{"fault": "close-after=3"},
		stream: late(502, closed, byMock, events[:3]...), unary: half(byMock, pieces[:3]...),
	},
	{
		name: "cut inside event 3", set: mock.Set{"fault": "cut-inside=3"},
		stream: late(502, closed, byMock, events[0], events[1], firstHalf(events[2]), gap),
		unary:  half(byMock, pieces[0], pieces[1], firstHalf(pieces[2])),
	},
	{
		name: "cut inside event 1", set: mock.Set{"fault": "cut-inside=1"},
		stream: early(502, closed, byMock),
		unary:  half(byMock, firstHalf(pieces[0])),
	},
	{
		name: "clean end without [DONE]", set: mock.Set{"fault": "no-done"},
		stream: fine(bytes.Join(events[:len(events)-1], nil), kept), unary: fine(whole, kept), // each choice has its finish_reason
	},
	{
		name: "stall after 3 events", set: mock.Set{"fault": "stall-after=3"}, limits: soon,
		stream: late(504, silent, byGateway, events[:3]...), unary: half(byGateway, pieces[:3]...),
	},
	{
		name: "CRLF", set: mock.Set{"fault": "crlf"},
		stream: fine(mock.StreamBody(wide(true)), kept), unary: fine(whole, kept),
	},
	{
		name: "split UTF-8", set: mock.Set{"fault": "split-utf8"},
		stream: fine(mock.StreamBody(wide(false)), kept), unary: fine(mock.UnaryBody(wide(false)), kept),
	},
	{
		name: "one byte per write", set: mock.Set{"fault": "byte-per-write"},
		stream: fine(bytes.Join(events, nil), kept), unary: fine(whole, kept),
	},
	{
		name: "one byte per chunk", set: mock.Set{"fault": "byte-per-chunk"},
		stream: fine(bytes.Join(events, nil), kept), unary: fine(whole, kept),
	},
	{
		name: "close-delimited body", set: mock.Set{"fault": "close-delimited"},
		stream: fine(bytes.Join(events, nil), byMock), unary: fine(whole, byMock),
	},
	{
		name: "2 MiB line", set: mock.Set{"fault": "long-line=2097152"},
		stream: fine(mock.StreamBody(longLine(2<<20)), kept), unary: fine(mock.UnaryBody(longLine(2<<20)), kept),
	},
	{ // G15: bytes that only pass may be of any length
		name: "2 MiB line beyond limits.event", set: mock.Set{"fault": "long-line=2097152"}, line: 1 << 20,
		stream: fine(mock.StreamBody(longLine(2<<20)), kept), unary: fine(mock.UnaryBody(longLine(2<<20)), kept),
	},
	{
		name: "garbage chunk size", set: mock.Set{"fault": "bad-chunk-size=3"},
		stream: late(502, notHTTP, byMock, events[:3]...), unary: half(byMock, pieces[:3]...),
	},
	{
		name: "keep-alive closed under us", set: mock.Set{"fault": "close-keepalive"}, warm: true,
		stream: fine(bytes.Join(events, nil), kept), unary: fine(whole, kept),
	},
}

// columns are what every fault is tried with.
func columns() (list []trial) {
	streams, targets := []bool{true, false}, []bool{false, true}
	add := func(m *mode, over string, streams []bool) {
		for _, two := range targets {
			for _, stream := range streams {
				list = append(list, trial{mode: m, over: over, stream: stream, two: two})
			}
		}
	}
	for _, over := range []string{"http", "https", "h2"} {
		add(&usual, over, streams)
	}
	add(&alive, "http", streams[:1])
	add(&unkept, "http", streams)
	for _, over := range []string{"http", "https"} {
		add(&long, over, streams)
	}
	for _, over := range []string{"http", "https", "h2"} {
		add(&leaving, over, streams)
	}
	return list
}

const (
	atOnce = 16   // cells of the matrix that are tried at a time: many of them wait
	stride = 7919 // from one to the next, a prime: those that wait, and those that work, are not all together
)

// TestFaults is the fault matrix: every way an upstream can fail, streaming and
// not, with and without another target, over http, https and HTTP/2; with a long
// body and with a client that leaves; and with keep-alive comments over http alone.
// With -v it prints what the client got and what the upstreams saw.
func TestFaults(t *testing.T) {
	cols := columns()
	rows := make([]string, len(cols)*len(faults))
	var limited, repeats atomic.Int64
	t.Run("case", func(t *testing.T) {
		var next atomic.Int64
		var all sync.WaitGroup
		for range atOnce {
			all.Go(func() {
				for n := next.Add(1); n <= int64(len(rows)); n = next.Add(1) {
					i := int(n) * stride % len(rows)
					c := cols[i%len(cols)]
					if c.fault = &faults[i/len(cols)]; c.mode.not != nil && c.mode.not(c) {
						continue
					}
					if c.limits != (upstream.Timeouts{}) {
						limited.Add(1)
					}
					t.Run(c.String(), func(t *testing.T) { rows[i] = c.run(t, &repeats) })
				}
			})
		}
		all.Wait()
	})
	// With the race detector, on two cores with twenty busy processes, it was one in five.
	if n, most := repeats.Load(), limited.Load()/4+1; n > most {
		t.Errorf("got %d tries repeated, want at most %d: limits pass too early; a very slow machine wants WEIR_PATIENCE=2", n, most)
	}
	t.Logf("%d of %d cells with a time limit repeated", repeats.Load(), limited.Load())
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "fault\tstream\ttargets\ttransport\tmode\tclient got\tupstreams saw")
	for _, row := range slices.DeleteFunc(rows, func(s string) bool { return s == "" }) { // -run takes a part
		fmt.Fprintln(w, row)
	}
	_ = w.Flush() // into memory
	t.Logf("\n%s", table.String())
}
