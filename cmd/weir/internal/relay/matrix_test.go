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
	set           mock.Set // see spoken.settings
	away          away
	inTurn        bool              // its events must not come together, which takes a fake clock
	warm          bool              // the request goes out on connections that were used before
	limits        upstream.Timeouts // of the first upstream; zero = far away
	line          int               // limits.event; 0 = 4 MiB
	stream, unary verdict
	differs       func(c trial, v verdict) verdict // in some dialects; nil = in none
	overHTTP2     *verdict                         // for both, where HTTP/2 differs
}

// away is an upstream that is not there.
type away uint8

const (
	here away = iota
	refusing
	hanging
)

// verdict is what has to become of a request.
type verdict struct {
	status    int
	out       part           // of the body; nil = the second upstream's, or the first one's as if nothing was wrong
	fault     *dialect.Fault // with which the response ends, or which it is; nil = none
	theirs    bool           // what is out ends with the upstream's own error
	cut       bool           // the answer does not end as a whole one does
	elsewhere bool           // another target is asked, if there is one
	fields    []string       // of the answer, beside the usual
	ours      bool           // the answer is the gateway's own
	told      bool           // it is the upstream's error, which came in a stream
	promised  part           // that stream, for a client that was promised one
	plain     bool           // it is not a stream, though that was asked for
	alive     bool           // its head is ours, and comments come before and between what follows
	attempts  int            // with one target; 0 = 1
	requests  int            // that the first upstream saw, with one target; 0 = 1, -1 = none
	heard     bool           // its answer is taken to the end before another target is asked
	end       string         // how its connection ended, with one target; "" = it was kept
}

// part is the bytes of an upstream's response that a client gets: those of whole
// events, or pieces, and of the beginning of one more.
type part func(c trial) (events, half []byte)

// How a connection to an upstream ended.
const (
	kept      = "kept"
	eitherWay = "kept or closed by the gateway"
	byGateway = "closed by the gateway"
	byMock    = "closed by the upstream"
)

const tokens = 4 // of every answer

// shortly is a limit that has to pass, after the upstream has come to its fault.
var shortly = patience.Scaled(2 * time.Second)

var (
	said  = mock.Body{Model: "m", Tokens: tokens}
	soon  = upstream.Timeouts{Connect: farAway, FirstEvent: shortly, Idle: shortly, Whole: shortly}
	total = upstream.Timeouts{Total: shortly}
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
	noStream    = "Relaying failed: the upstream's response is not a stream."
	tookLong    = "Relaying failed: the response took longer than allowed."
	noEnd       = "Relaying failed: the upstream ended the stream before it was complete."

	mockFailed = "The mock was set to fail."
)

// The parts of responses.

// first is n events from the first one with something of the model's on, and
// what is ahead of them; of a whole response, a piece more.
func first(n int) part {
	return func(c trial) (events, half []byte) {
		list, from := c.list()
		return bytes.Join(list[:from+n], nil), nil
	}
}

// firstAndHalf is first, and half of what follows.
func firstAndHalf(n int) part {
	return func(c trial) (events, half []byte) {
		list, from := c.list()
		next := list[from+n]
		return bytes.Join(list[:from+n], nil), next[:len(next)/2]
	}
}

// half1 is half of the very first piece.
func half1(c trial) (events, half []byte) {
	list, _ := c.list()
	return nil, list[0][:len(list[0])/2]
}

func nothing(trial) (events, half []byte) { return nil, nil }

// withoutEnd is all events but the end mark.
func withoutEnd(c trial) (events, half []byte) {
	if !c.stream {
		return c.whole, nil
	}
	b := said
	b.NoDone = true
	return mock.StreamBody(c.body(b)), nil
}

// of is the body of a response that differs from the usual one.
func of(change func(b *mock.Body)) part {
	return func(c trial) (events, half []byte) {
		b := said
		change(&b)
		if c.stream {
			return mock.StreamBody(c.body(b)), nil
		}
		return mock.UnaryBody(c.body(b)), nil
	}
}

// wholeOf is of for a response that is not a stream, whatever was asked for.
func wholeOf(b mock.Body) part {
	return func(c trial) (events, half []byte) { return mock.UnaryBody(c.body(b)), nil }
}

// broken is a stream with an error behind n events of the model's, and what
// follows that.
func broken(n int) part {
	return func(c trial) (events, half []byte) {
		if !c.stream {
			return mock.UnaryBody(c.body(failing(1))), nil
		}
		return mock.StreamBody(c.body(failing(c.lead + n + 1))), nil
	}
}

// brokenOff is broken without what follows.
func brokenOff(n int) part {
	return func(c trial) (events, half []byte) {
		all := mock.StreamEvents(c.body(failing(c.lead + n + 1)))
		return bytes.Join(all[:c.lead+n+1], nil), nil
	}
}

// failing has an error in place of the event with that number.
func failing(at int) mock.Body {
	b := said
	b.ErrorAt = at
	return b
}

// The verdicts.

// early is a failure that nobody has seen anything of: another target answers,
// or the gateway does (G2, G5, G6).
func early(status int, message, end string) verdict {
	return verdict{status: status, fault: dialect.ServerError(status, message), out: nothing, ours: true, elsewhere: true, end: end}
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
	v := refusedBy(status)
	v.elsewhere, v.heard, v.fields = true, true, fields
	return v
}

// refusedBy is a mock's response with a status.
func refusedBy(status int) verdict {
	return verdict{status: status, out: nothing, fault: &dialect.Fault{
		Status: status, Message: fmt.Sprintf("The mock was set to respond with %d.", status), Code: fmt.Sprintf("mock_%d", status),
	}}
}

// toldFirst is an error with which a stream begins: it is a refusal with the
// status that it names (G2).
func toldFirst(stream part) verdict {
	return verdict{status: 500, out: nothing, fault: &dialect.Fault{Message: mockFailed}, told: true, promised: stream, elsewhere: true, end: byGateway}
}

// late is a stream that fails when a part of it is out: it ends with an error
// and no end mark, whatever other targets there are (G4).
func late(status int, message, end string, out part) verdict {
	return verdict{status: 200, out: out, fault: dialect.ServerError(status, message), end: end}
}

// half is a whole answer of which a part is out: it has no form for an error,
// so it does not end (G4).
func half(end string, out part) verdict { return verdict{status: 200, out: out, cut: true, end: end} }

// fine is an answer that is relayed as it is (G1).
func fine(out part, end string) verdict { return verdict{status: 200, out: out, end: end} }

// theirs is a stream that ends with the upstream's own error: none is added.
func theirs(out part, end string) verdict {
	return verdict{status: 200, out: out, theirs: true, end: end}
}

var faults = []fault{
	{
		name: "none", stream: fine(nil, kept), unary: fine(nil, kept),
	},
	{
		name: "refused", away: refusing,
		stream: refused(502, unreachable), unary: refused(502, unreachable),
	},
	{
		name: "no answer to connecting", away: hanging, limits: upstream.Timeouts{Connect: shortly},
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
		name: "503", set: mock.Set{"status": "503"},
		stream: passedOn(503), unary: passedOn(503),
	},
	{
		name: "400", set: mock.Set{"status": "400"},
		stream: refusedBy(400), unary: refusedBy(400),
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
		name: "events beyond the total time", set: mock.Set{"fault": "stall-after=+2"}, limits: total,
		stream: late(504, tookLong, byGateway, first(2)), unary: half(byGateway, first(2)),
	},
	{
		name: "error event first", set: mock.Set{"fault": "error-event-first"},
		stream: toldFirst(of(func(b *mock.Body) { b.ErrorAt = 1 })), unary: fine(broken(0), kept),
	},
	{
		name: "error event before the model's first", set: mock.Set{"fault": "error-event=+1"},
		stream: toldFirst(broken(0)), unary: fine(broken(0), kept),
	},
	{
		name: "error event behind the model's first", set: mock.Set{"fault": "error-event=+2", "pace": "10ms"}, inTurn: true,
		stream: theirs(broken(1), kept), unary: fine(broken(0), kept),
	},
	{
		name: "error event, and a cut", set: mock.Set{"fault": "error-event=+2,close-after=+2", "pace": "10ms"}, inTurn: true,
		stream: theirs(brokenOff(1), byMock),
		unary: half(byMock, func(c trial) (events, half []byte) {
			return bytes.Join(mock.Pieces(mock.UnaryBody(c.body(failing(1))))[:3], nil), nil
		}),
	},
	{
		name: "reset after the head", set: mock.Set{"fault": "reset-after=0"},
		stream: early(502, closed, byMock), unary: early(502, closed, byMock),
	},
	{
		name: "closed before the model's first event", set: mock.Set{"fault": "close-after=+0"},
		stream: early(502, closed, byMock), unary: half(byMock, first(0)),
	},
	{
		name: "reset after 2 events of the model's", set: mock.Set{"fault": "reset-after=+2"},
		stream: late(502, closed, byMock, first(2)), unary: half(byMock, first(2)),
	},
	{
		name: "closed after 2 events of the model's", set: mock.Set{"fault": "close-after=+2"},
		stream: late(502, closed, byMock, first(2)), unary: half(byMock, first(2)),
	},
	{
		name: "closed behind the end mark", set: mock.Set{"fault": "close-after=*"},
		stream: fine(nil, byMock), unary: fine(nil, byMock),
	},
	{
		name: "cut inside the model's event 2", set: mock.Set{"fault": "cut-inside=+2"},
		stream: late(502, closed, byMock, firstAndHalf(1)),
		unary:  half(byMock, firstAndHalf(1)),
	},
	{
		name: "cut inside event 1", set: mock.Set{"fault": "cut-inside=1"},
		stream: early(502, closed, byMock),
		unary:  half(byMock, half1),
	},
	{ // a chat is complete if each choice has its finish_reason
		name: "clean end without an end mark", set: mock.Set{"fault": "no-done"},
		stream: fine(withoutEnd, kept), unary: fine(nil, kept),
		differs: func(c trial, v verdict) verdict {
			if c.stream && !c.finishes {
				v.fault = dialect.ServerError(502, noEnd)
			}
			return v
		},
	},
	{
		name: "stall after 2 events of the model's", set: mock.Set{"fault": "stall-after=+2"}, limits: soon,
		stream: late(504, silent, byGateway, first(2)), unary: half(byGateway, first(2)),
	},
	{
		name: "CRLF", set: mock.Set{"fault": "crlf"},
		stream: fine(of(func(b *mock.Body) { b.CRLF = true }), kept), unary: fine(nil, kept),
	},
	{
		name: "split UTF-8", set: mock.Set{"fault": "split-utf8"},
		stream: fine(of(func(b *mock.Body) { b.Wide = true }), kept), unary: fine(of(func(b *mock.Body) { b.Wide = true }), kept),
	},
	{
		name: "one byte per write", set: mock.Set{"fault": "byte-per-write"},
		stream: fine(nil, kept), unary: fine(nil, kept),
	},
	{
		name: "one byte per chunk", set: mock.Set{"fault": "byte-per-chunk"},
		stream: fine(nil, kept), unary: fine(nil, kept),
	},
	{
		name: "close-delimited body", set: mock.Set{"fault": "close-delimited"},
		stream: fine(nil, byMock), unary: fine(nil, byMock),
	},
	{
		name: "320 KiB line", set: mock.Set{"fault": "long-line=327680"},
		stream: fine(of(func(b *mock.Body) { b.LongLine = 320 << 10 }), kept), unary: fine(of(func(b *mock.Body) { b.LongLine = 320 << 10 }), kept),
	},
	{ // G15: bytes that only pass may be of any length
		name: "320 KiB line beyond limits.event", set: mock.Set{"fault": "long-line=327680"}, line: 64 << 10,
		stream: fine(of(func(b *mock.Body) { b.LongLine = 320 << 10 }), kept), unary: fine(of(func(b *mock.Body) { b.LongLine = 320 << 10 }), kept),
	},
	{
		name: "garbage chunk size", set: mock.Set{"fault": "bad-chunk-size=+2"},
		stream: late(502, notHTTP, byMock, first(2)), unary: half(byMock, first(2)),
	},
	{
		name: "keep-alive closed under us", set: mock.Set{"fault": "close-keepalive"}, warm: true,
		stream: fine(nil, kept), unary: fine(nil, kept),
	},
	{ // G15: it is what it is
		name: "a whole response to a request for a stream", set: mock.Set{"fault": "no-stream"},
		stream: verdict{status: 200, out: wholeOf(said), plain: true}, unary: fine(nil, kept),
	},
	{ // another target is asked; without one it passes as it is, but a line of Ollama's is an event
		name: "an error with a good status", set: mock.Set{"fault": "no-stream,error-event-first"},
		stream: verdict{status: 200, out: wholeOf(failing(1)), plain: true, theirs: true, elsewhere: true, heard: true}, unary: fine(broken(0), kept),
		differs: func(c trial, v verdict) verdict {
			if c.stream && c.endpoint().Framing == dialect.Lines {
				v = toldFirst(wholeOf(failing(1)))
				v.end, v.heard = "", true
			}
			return v
		},
	},
}

// columns are what every fault is tried with.
func columns() (list []trial) {
	streams, targets := []bool{true, false}, []bool{false, true}
	add := func(s *spoken, m *mode, over string, streams []bool) {
		for _, two := range targets {
			for _, stream := range streams {
				list = append(list, trial{spoken: s, mode: m, over: over, stream: stream, two: two})
			}
		}
	}
	for _, s := range languages {
		for _, over := range []string{"http", "https"} {
			add(s, &usual, over, streams)
		}
		add(s, &alive, "http", streams[:1])
	}
	// What follows has nothing to do with the dialect.
	chat := languages[0]
	add(chat, &usual, "h2", streams)
	add(chat, &unkept, "http", streams)
	for _, over := range []string{"http", "https"} {
		add(chat, &long, over, streams)
	}
	for _, over := range []string{"http", "https", "h2"} {
		add(chat, &leaving, over, streams)
	}
	return list
}

const (
	atOnce = 16   // cells of the matrix that are tried at a time: those over HTTP/2 wait
	stride = 7919 // from one to the next, a prime: those that wait, and those that work, are not all together
)

// TestFaults is the fault matrix: every way an upstream can fail, in each
// dialect, streaming and not, with and without another target, over http and
// https, with keep-alives before the failure; and in one dialect over HTTP/2, with
// a long body and with a client that leaves. With -v it prints what the client got
// and what the upstreams saw. All but HTTP/2, which is net/http's, runs on the
// kernel in memory, by a fake clock. With the race detector it is a quarter of the
// cells.
func TestFaults(t *testing.T) {
	cols := columns()
	rows := make([]string, len(cols)*len(faults))
	var limited, repeats, cells atomic.Int64
	t.Run("case", func(t *testing.T) {
		var next atomic.Int64
		var all sync.WaitGroup
		for range atOnce {
			all.Go(func() {
				for n := next.Add(1); n <= int64(len(rows)); n = next.Add(1) {
					i := int(n) * stride % len(rows)
					c := cols[i%len(cols)]
					if c.fault = &faults[i/len(cols)]; c.mode.not != nil && c.mode.not(c) || c.inTurn && c.real() {
						continue
					}
					if raceEnabled && (i%len(cols)+i/len(cols))%4 != 0 { // each fault and each column, in some cells
						continue
					}
					if c.limits != (upstream.Timeouts{}) && c.real() {
						limited.Add(1)
					}
					t.Run(c.String(), func(t *testing.T) {
						cells.Add(1)
						rows[i] = c.run(t, &repeats)
					})
				}
			})
		}
		all.Wait()
	})
	// With the race detector, on two cores with twenty busy processes, it was one in five.
	if n, most := repeats.Load(), limited.Load()/4+1; n > most {
		t.Errorf("got %d tries repeated, want at most %d: limits pass too early; a very slow machine wants WEIR_PATIENCE=2", n, most)
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "fault\tdialect\tstream\ttargets\ttransport\tmode\tclient got\tupstreams saw")
	for _, row := range slices.DeleteFunc(rows, func(s string) bool { return s == "" }) { // -run takes a part
		fmt.Fprintln(w, row)
	}
	_ = w.Flush() // into memory
	t.Logf("%d faults, %d cells; %d of %d that wait in real time repeated\n%s", len(faults), cells.Load(), repeats.Load(), limited.Load(), table.String())
}
