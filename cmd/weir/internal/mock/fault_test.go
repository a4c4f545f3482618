package mock

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const fewTokens = 3

// faultCase is one fault and the bytes that a client gets, to a stream and to a
// whole answer.
type faultCase struct {
	fault         string
	extra         []string // further request fields
	stream, unary func(r chat) string
	end           string // endsFIN, endsCut (endsFIN without TLS) or endsReset
	whole         bool
	events        [2]int64 // stream, unary
}

func faultBody(b Body) Body {
	b.Model, b.Tokens = "m", fewTokens
	return b
}

// streamed is a good head and a chunk for each of the first n events, all of
// them if n < 0.
func streamed(b Body, n int, then string) func(chat) string {
	events := StreamEvents(faultBody(b))
	if n >= 0 {
		events = events[:n]
	}
	return func(r chat) string { return r.streamHead() + chunks(events...) + then }
}

// told is a good head and the first n pieces of a whole answer.
func told(b Body, n int, then string) func(chat) string {
	body := UnaryBody(faultBody(b))
	return func(r chat) string { return r.unaryHead(len(body)) + joined(Pieces(body)[:n]) + then }
}

func always(text string) func(chat) string { return func(chat) string { return text } }

func refusedWith(status string, code int, more ...string) func(chat) string {
	body := ErrorBody(code)
	return func(r chat) string {
		fields := append([]string{jsonType}, more...)
		return r.head(status, fields, []string{fmt.Sprintf("Content-Length: %d", len(body))}) + string(body)
	}
}

func faultCases() []faultCase {
	plain := Body{}
	events := StreamEvents(faultBody(plain))
	total := int64(len(events))
	unary := UnaryBody(faultBody(plain))
	half := func(p []byte) string { return string(p[:len(p)/2]) }
	sized := func(p []byte, then string) string { return strconv.FormatInt(int64(len(p)), 16) + "\r\n" + then }
	whole := faultCase{stream: streamed(plain, -1, lastChunk), unary: told(plain, 4, ""), end: endsFIN, whole: true, events: [2]int64{total, 1}}
	like := func(fault string) faultCase { c := whole; c.fault = fault; return c }

	return []faultCase{
		like(""), like("slow-head=30ms"), like("slow-body=30ms"), like("slow-first-event=30ms"),
		like("byte-per-write"), like("close-keepalive"),
		{fault: "reset-after=99", stream: whole.stream, unary: whole.unary, end: endsFIN, whole: true, events: [2]int64{total, 4}},
		{fault: "reset-before-head", stream: always(""), unary: always(""), end: endsReset},
		{fault: "close-before-head", stream: always(""), unary: always(""), end: endsCut},
		{fault: "garbage-head", stream: always(garbage), unary: always(garbage), end: endsCut},
		{fault: "status=500", stream: refusedWith("500 Internal Server Error", 500), unary: refusedWith("500 Internal Server Error", 500), end: endsFIN, whole: true, events: [2]int64{1, 1}},
		{fault: "status=429", extra: []string{"x-mock-retry-after: 7"}, stream: refusedWith("429 Too Many Requests", 429, "retry-after: 7"), unary: refusedWith("429 Too Many Requests", 429, "retry-after: 7"), end: endsFIN, whole: true, events: [2]int64{1, 1}},
		{
			fault: "both-framings",
			stream: func(r chat) string {
				length := fmt.Sprintf("Content-Length: %d", len(StreamBody(faultBody(plain))))
				return r.head("200 OK", []string{streamType}, []string{length, chunkedLine}) + chunks(events...) + lastChunk
			},
			unary: func(r chat) string {
				length := fmt.Sprintf("Content-Length: %d", len(unary))
				return r.head("200 OK", []string{jsonType}, []string{length, chunkedLine}) + chunks(unary) + lastChunk
			},
			end: endsFIN, whole: true, events: [2]int64{total, 1},
		},
		{fault: "early-hints", stream: func(r chat) string { return hints + whole.stream(r) }, unary: func(r chat) string { return hints + whole.unary(r) }, end: endsFIN, whole: true, events: whole.events},
		{fault: "error-event-first", stream: streamed(Body{ErrorAt: 1}, 2, lastChunk), unary: func(r chat) string {
			body := UnaryBody(Body{ErrorAt: 1})
			return r.unaryHead(len(body)) + string(body)
		}, end: endsFIN, whole: true, events: [2]int64{2, 1}},
		{fault: "error-event=3, no-done", stream: streamed(Body{ErrorAt: 3, NoDone: true}, 3, lastChunk), unary: func(r chat) string {
			body := UnaryBody(Body{ErrorAt: 1})
			return r.unaryHead(len(body)) + string(body)
		}, end: endsFIN, whole: true, events: [2]int64{3, 1}},
		{fault: "reset-after=0", stream: streamed(plain, 0, ""), unary: told(plain, 0, ""), end: endsReset},
		{fault: "reset-after=2", stream: streamed(plain, 2, ""), unary: told(plain, 2, ""), end: endsReset, events: [2]int64{2, 2}},
		{fault: "reset-after=4", stream: streamed(plain, 4, ""), unary: told(plain, 4, ""), end: endsReset, events: [2]int64{4, 4}},
		{fault: "close-after=2", stream: streamed(plain, 2, ""), unary: told(plain, 2, ""), end: endsCut, events: [2]int64{2, 2}},
		{fault: "cut-inside=1", stream: streamed(plain, 0, sized(events[0], half(events[0]))), unary: told(plain, 0, half(Pieces(unary)[0])), end: endsCut},
		{fault: "cut-inside=3", stream: streamed(plain, 2, sized(events[2], half(events[2]))), unary: told(plain, 2, half(Pieces(unary)[2])), end: endsCut, events: [2]int64{2, 2}},
		{fault: "no-done", stream: streamed(Body{NoDone: true}, -1, lastChunk), unary: whole.unary, end: endsFIN, whole: true, events: [2]int64{total - 1, 1}},
		{fault: "no-stream", stream: whole.unary, unary: whole.unary, end: endsFIN, whole: true, events: [2]int64{whole.events[1], whole.events[1]}},
		{fault: "crlf", stream: streamed(Body{CRLF: true}, -1, lastChunk), unary: whole.unary, end: endsFIN, whole: true, events: whole.events},
		{
			fault: "split-utf8",
			stream: func(r chat) string {
				return r.streamHead() + chunks(splitWide(StreamEvents(faultBody(Body{Wide: true})))...) + lastChunk
			},
			unary: told(Body{Wide: true}, 4, ""),
			end:   endsFIN, whole: true, events: whole.events,
		},
		{
			fault:  "byte-per-chunk",
			stream: func(r chat) string { return r.streamHead() + byteChunks(StreamBody(faultBody(plain))) + lastChunk },
			unary: func(r chat) string {
				return r.head("200 OK", []string{jsonType}, []string{chunkedLine}) + byteChunks(unary) + lastChunk
			},
			end: endsFIN, whole: true, events: whole.events,
		},
		{
			fault:  "close-delimited",
			stream: func(r chat) string { return r.head("200 OK", []string{streamType}, nil) + joined(events) },
			unary:  func(r chat) string { return r.head("200 OK", []string{jsonType}, nil) + string(unary) },
			end:    endsFIN, whole: true, events: whole.events,
		},
		{fault: "close-delimited, cut-inside=2", stream: func(r chat) string {
			return r.head("200 OK", []string{streamType}, nil) + string(events[0]) + half(events[1])
		}, unary: func(r chat) string {
			return r.head("200 OK", []string{jsonType}, nil) + joined(Pieces(unary)[:1]) + half(Pieces(unary)[1])
		}, end: endsCut, events: [2]int64{1, 1}},
		{fault: "long-line=2097152", stream: streamed(Body{LongLine: 2 << 20}, -1, lastChunk), unary: told(Body{LongLine: 2 << 20}, 4, ""), end: endsFIN, whole: true, events: whole.events},
		{fault: "bad-chunk-size", stream: streamed(plain, 1, badSize), unary: func(r chat) string {
			return r.head("200 OK", []string{jsonType}, []string{chunkedLine}) + chunks(Pieces(unary)[0]) + badSize
		}, end: endsCut, events: [2]int64{1, 1}},
		{fault: "bad-chunk-size=0", stream: streamed(plain, 0, badSize), unary: func(r chat) string {
			return r.head("200 OK", []string{jsonType}, []string{chunkedLine}) + badSize
		}, end: endsCut},
	}
}

const hints = "HTTP/1.1 103 Early Hints\r\nLink: </hint>; rel=preload\r\n\r\n"

// splitWide cuts behind the first byte of each character beyond ASCII.
func splitWide(events [][]byte) [][]byte {
	var out [][]byte
	for _, e := range events {
		from := 0
		for i, r := range string(e) {
			if r > 127 {
				out = append(out, e[from:i+1])
				from = i + 1
			}
		}
		out = append(out, e[from:])
	}
	return out
}

func byteChunks(body []byte) string {
	var b strings.Builder
	for _, c := range body {
		b.WriteString("1\r\n" + string([]byte{c}) + "\r\n")
	}
	return b.String()
}

// TestFaults is the matrix: each fault, to a stream and to a whole answer, over
// http and https, byte by byte, and what the log says of it.
func TestFaults(t *testing.T) {
	for _, https := range []bool{false, true} {
		s := Start(t, Config{Tokens: fewTokens, TLS: https})
		for _, tc := range faultCases() {
			scheme, _, _ := strings.Cut(s.URL(), ":")
			t.Run(fmt.Sprintf("%s/%s", scheme, tc.fault), func(t *testing.T) {
				tc.run(t, s, https, 0, chat{body: streamBody}, tc.stream)
				tc.run(t, s, https, 1, chat{body: unaryBody}, tc.unary)
			})
		}
	}
}

func (tc faultCase) run(t *testing.T, s *Server, https bool, kind int, r chat, want func(chat) string) {
	t.Helper()
	if tc.fault != "" {
		r.fields = append(tc.extra, "x-mock-fault: "+tc.fault)
	}
	s.Forget()
	c := dial(t, s)
	c.send(r.String())
	got, end := c.rest()
	if w := want(r); got != w {
		t.Errorf("got %s\nwant %s", quoted(got), quoted(w))
	}
	wantEnd := tc.end
	if wantEnd == endsCut && !https {
		wantEnd = endsFIN
	}
	if end != wantEnd {
		t.Errorf("the end: got %q, want %q", end, wantEnd)
	}
	q := ended(t, s, 1)
	if q.Faults != tc.fault || q.Events != tc.events[kind] || q.Whole != tc.whole || q.Left != "" {
		t.Errorf("the log: got %q, %d events, whole %v, left %q, want %q, %d, %v, none", q.Faults, q.Events, q.Whole, q.Left, tc.fault, tc.events[kind], tc.whole)
	}
	tc.checkConn(t, s, c)
}

// checkConn leaves, and looks at how the connection's end was seen.
func (tc faultCase) checkConn(t *testing.T, s *Server, c *client) {
	t.Helper()
	c.tcp.Close()
	if err := s.WaitClosed(within(t), 1); err != nil {
		t.Fatal(err)
	}
	want := byFIN
	if tc.end == endsReset {
		want = byReset
	}
	if got := s.Log().Connections[0]; got.Mock != want || got.Requests != 1 || got.Error != "" {
		t.Errorf("the connection: got ended %q by the mock, %d requests, error %q, want %q, 1, none", got.Mock, got.Requests, got.Error, want)
	}
}

// TestFaultsAreTested: no fault without a case, here or in a test of its own.
func TestFaultsAreTested(t *testing.T) {
	own, cases := []string{"early", "stall-after", "hold-head", "hold-event"}, faultCases()
	for _, name := range Faults() {
		tested := slices.Contains(own, name) || slices.ContainsFunc(cases, func(c faultCase) bool {
			return strings.HasPrefix(c.fault, name)
		})
		if !tested {
			t.Errorf("%s: got no case", name)
		}
	}
}

func TestSlowness(t *testing.T) {
	const d = 40 * time.Millisecond
	s := Start(t, Config{Tokens: fewTokens})
	for _, tc := range []struct {
		setting string
		body    string
		ahead   bool // of the head
	}{
		{"x-mock-fault: slow-head=40ms", streamBody, true},
		{"x-mock-fault: slow-head=40ms", unaryBody, true},
		{"x-mock-fault: slow-body=40ms", streamBody, true},
		{"x-mock-ttft: 40ms", unaryBody, true},
		{"x-mock-ttft: 40ms", streamBody, false},
		{"x-mock-fault: slow-first-event=40ms", streamBody, false},
		{"x-mock-fault: slow-first-event=40ms", unaryBody, false},
		{"x-mock-pace: 10ms", streamBody, false},
	} {
		r := chat{body: tc.body, fields: []string{tc.setting}}
		head := r.streamHead()
		if tc.body == unaryBody {
			head = r.unaryHead(len(UnaryBody(faultBody(Body{}))))
		}
		c := dial(t, s)
		start := time.Now()
		c.send(r.String())
		c.want(head)
		if tc.ahead && time.Since(start) < d {
			t.Errorf("%s: got the head after %v, want at least %v", tc.setting, time.Since(start), d)
		}
		c.rest()
		if time.Since(start) < d {
			t.Errorf("%s: got all of it after %v, want at least %v", tc.setting, time.Since(start), d)
		}
	}
}
