package relay

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/mock"
	"weir/cmd/weir/internal/upstream"
	"weir/internal/patience"
)

var (
	farAway  = patience.Limit // is not reached, however busy the machine is
	holdWait = farAway / 3    // likewise; a Retry-After beyond it is not waited for
)

// trial is one cell of the matrix.
type trial struct {
	*fault
	*spoken
	mode        *mode
	over        string // http, https or h2
	stream, two bool
}

func (c trial) String() string { return strings.ReplaceAll(c.columns(), "\t", "/") }

func (c trial) columns() string {
	pick := func(b bool, yes, no string) string {
		if b {
			return yes
		}
		return no
	}
	return strings.Join([]string{c.name, c.lang, pick(c.stream, "stream", "whole"), pick(c.two, "two", "one"), c.over, c.mode.name}, "\t")
}

// real reports whether the cell needs real sockets, and so real time.
func (c trial) real() bool { return c.over == "h2" }

// list is what a response consists of, and how many of its parts have nothing of
// the model's, or count as that.
func (c trial) list() (parts [][]byte, from int) {
	if c.stream {
		return c.events, c.lead
	}
	return c.pieces, 1
}

// problems are what is wrong with a try.
type problems []string

func (p *problems) add(format string, args ...any) { *p = append(*p, fmt.Sprintf(format, args...)) }

// result is what came of one try.
type result struct {
	row   string   // of the table
	wrong problems // nothing, if all was as it should be
	early bool     // what is wrong can be a limit that passed too early, and nothing else
}

// run tries the cell and returns a row of the table. A limit that has to pass may
// do so on a busy machine before the upstream has come as far as it should. A try
// that shows this, and nothing else, is repeated with the limit twice as long, and
// counted: see TestFaults.
func (c trial) run(t *testing.T, repeats *atomic.Int64) (row string) {
	if !c.real() {
		synctest.Test(t, func(t *testing.T) {
			r := c.try(t, 1)
			for _, what := range r.wrong {
				t.Error(what)
			}
			row = r.row
		})
		return row
	}
	for calm := time.Duration(1); ; calm *= 2 {
		r := c.try(t, calm)
		if len(r.wrong) == 0 || !r.early || calm == 32 {
			for _, what := range r.wrong {
				t.Error(what)
			}
			return r.row
		}
		repeats.Add(1)
		t.Logf("repeated, since a limit of %v seems to have passed early: %s", calm*shortly, strings.Join(r.wrong, "\n"))
	}
}

// try makes the request once, with limits that are calm times as long.
func (c trial) try(t *testing.T, calm time.Duration) result {
	s := c.start(t, calm)
	if c.warm {
		for range s.mocks { // in turn
			c.exchange(t, s, nil)
			<-s.records
		}
		for _, m := range s.mocks {
			m.Forget()
		}
	}
	c.prepare(t, s)
	if c.mode == &leaving {
		return c.leave(t, s)
	}
	got := c.exchange(t, s, c.until())
	want := c.verdict()
	var r result
	c.check(&r.wrong, got, want)
	if len(r.wrong) > 0 && c.cutShort(got, want) {
		r.early = true
		return r
	}
	right := len(r.wrong) == 0
	r.row = c.columns() + "\t" + c.row(got) + "\t" + c.saw(s, want, calm, &r.wrong)
	r.early = right && c.limits != (upstream.Timeouts{}) // the upstream saw less than it should have
	return r
}

// cutShort reports whether the client got less than it should have, and then the
// gateway's word that a limit has passed, or another target's response.
func (c trial) cutShort(got received, want verdict) bool {
	switch promised, _ := want.out(c); {
	case c.limits == (upstream.Timeouts{}) || !c.real():
		return false
	case c.two && strings.Contains(got.head, "\nx-weir-attempts: 2\n"):
		return true
	case !c.stream && want.cut: // a part of a whole response has no place for that word
		return !got.whole && bytes.HasPrefix(promised, got.body) || isLate(got.body)
	default:
		out, word := cutError(c.alive.ReplaceAll(got.body, nil))
		return isLate(word) && bytes.HasPrefix(promised, out)
	}
}

// cutError cuts the error off from the end of a body of chat.
func cutError(body []byte) (before, word []byte) {
	i := bytes.LastIndex(body, []byte(`{"error":`))
	if i < 0 {
		return body, nil
	}
	return bytes.TrimSuffix(body[:i], []byte("data: ")), body[i:]
}

// isLate reports whether an error says that a limit has passed.
func isLate(word []byte) bool {
	for _, message := range []string{connectLate, eventLate, wholeLate, silent, tookLong} {
		if bytes.Contains(word, []byte(message)) {
			return true
		}
	}
	return false
}

// saw checks what the upstreams saw.
func (c trial) saw(s *stand, want verdict, calm time.Duration, wrong *problems) string {
	wait := farAway
	if c.limits != (upstream.Timeouts{}) { // a limit that passed early leaves nothing to wait for
		wait = calm * patience.Scaled(2*time.Second)
	}
	saw := make([]string, len(s.mocks))
	for i, m := range s.mocks {
		requests, end := want.sees(i, c.two)
		if c.over == "h2" && c.answers(want) && end != byMock {
			end = eitherWay
		}
		saw[i] = c.sees(wrong, m, i, requests, end, wait)
	}
	return strings.Join(saw, "; ")
}

// verdict is what is to happen in this cell.
func (c trial) verdict() verdict {
	v := c.unary
	if c.stream {
		v = c.fault.stream
	}
	if c.over == "h2" && c.overHTTP2 != nil {
		v = *c.overHTTP2
	}
	if c.differs != nil {
		v = c.differs(c, v)
	}
	if v.fault != nil {
		changed := *v.fault
		v.fault = &changed
		if v.told {
			v.status = c.told
		}
		if c.over == "h2" { // what is no HTTP does not get that far: the stream is reset instead
			changed.Message = strings.Replace(changed.Message, notHTTP, closed, 1)
		}
	}
	if c.mode.change != nil {
		v = c.mode.change(c, v)
	}
	if v.elsewhere && c.two {
		v = verdict{status: 200, elsewhere: true, alive: v.alive, attempts: 2, requests: v.requests, heard: v.heard, end: v.end}
	}
	if v.out == nil {
		v.out = of(func(*mock.Body) {})
	}
	v.attempts = max(v.attempts, 1)
	return v
}

// sees is what upstream number i is to see: how many requests, and what becomes
// of the connection.
func (v *verdict) sees(i int, two bool) (requests int, end string) {
	switch end = v.end; {
	case i == 1 && v.elsewhere:
		return 1, kept
	case i == 1:
		return 0, kept
	case end == "":
		end = kept
	}
	switch {
	case v.requests < 0:
		return 0, kept
	case v.elsewhere && two && end == kept && !v.heard: // it is hung up on
		return 1, byGateway
	case v.attempts == 2 && !two:
		return 2, kept
	}
	return 1, end
}

// answers reports whether the first upstream may have sent a whole answer when
// another target is asked: net/http has perhaps read it by the time that it is
// told to hang up, or not yet when the gateway has waited for long enough.
func (c trial) answers(v verdict) bool {
	return (v.told || v.elsewhere) && (v.heard || strings.HasPrefix(c.set["fault"], "error-event"))
}

func (c trial) request() string {
	return fmt.Sprintf(`{"model":"m",%s,"stream":%v}`, strings.Replace(c.spoken.request, "hi", "hi"+strings.Repeat("!", c.mode.pad), 1), c.stream)
}

// check holds the client's answer against what it has to be.
func (c trial) check(wrong *problems, got received, want verdict) {
	if head := c.head(want); masked(got.head) != head {
		wrong.add("got head\n%s\n\nwant\n%s", masked(got.head), head)
	}
	if got.whole == want.cut {
		wrong.add("got an answer that looks finished: %v, want %v (%v)", got.whole, !want.cut, got.err)
	}
	body := got.body
	if want.alive {
		if body = c.alive.ReplaceAll(body, nil); len(body) == len(got.body) {
			wrong.add("got no keep-alive")
		}
	}
	switch {
	case want.status >= 400:
		if wantBody := c.errorBody(want); !bytes.Equal(body, wantBody) {
			wrong.add("got body %.2000q, want %.2000q", body, wantBody)
		}
	case c.stream && !want.plain:
		c.checkStream(wrong, body, want)
	default:
		if out, part := want.out(c); !bytes.Equal(body, append(bytes.Clone(out), part...)) {
			wrong.add("got body %.2000q, want %.2000q and %.200q", body, out, part)
		}
	}
}

// errorBody is the body of a response that is an error.
func (c trial) errorBody(v verdict) []byte {
	if v.told {
		return c.refusal()
	}
	return c.error(v.fault)
}

// checkStream checks a stream: byte by byte, as far as it is the upstream's, and
// its end as the dialect's clients read it.
func (c trial) checkStream(wrong *problems, body []byte, want verdict) {
	out, part := want.out(c)
	rest, ok := bytes.CutPrefix(body, out)
	if part != nil && ok {
		rest, ok = bytes.CutPrefix(rest, append(bytes.Clone(part), c.gap()...))
	}
	if !ok {
		wrong.add("got body %.2000q, want %.2000q and %.200q", body, out, part)
		return
	}
	end := complete
	switch event := []byte(nil); {
	case want.fault != nil:
		end = "error: " + want.fault.Message
		if event = c.inBand(want.fault); event != nil && !bytes.Equal(rest, event) {
			wrong.add("got %q behind what is the upstream's, want %q", rest, event)
		}
	case len(rest) > 0:
		wrong.add("got %.2000q behind what is the upstream's", rest)
	case want.theirs:
		end = "error: " + mockFailed
	}
	if r := c.read(append(bytes.Clone(out), rest...)); r.end != end || r.wrong != "" && !want.theirs { // the mock's error leaves out numbers
		wrong.add("got a stream that a client reads as %+v, want %q: %.2000q", r, end, body)
	}
}

// row is what the table says of a response.
func (c trial) row(got received) string {
	status, _, _ := strings.Cut(got.head, "\n")
	text := fmt.Sprintf("%s, %d bytes", status, len(got.body))
	if c.stream && status == "200" && !(c.endpoint().Framing == dialect.SSE && strings.Contains(got.head, "application/json")) {
		r := c.read(c.alive.ReplaceAll(got.body, nil))
		text += ", " + cmp.Or(r.end, r.wrong, "no end")
	}
	if !got.whole {
		text += ", cut"
	}
	return text
}

// head is the answer's head as received has it.
func (c trial) head(v verdict) string {
	kind := c.endpoint().Framing.ContentType()
	if v.alive { // nothing was known yet
		return "200\n" + strings.Join([]string{"cache-control: no-cache, no-transform", "connection: close", "content-type: " + kind,
			ownDate, "transfer-encoding: chunked", "x-accel-buffering: no"}, "\n")
	}
	date := upstreamDate
	if v.ours || v.told {
		date = ownDate
	}
	lines := append([]string{"connection: close", date}, v.fields...)
	kind = "content-type: application/json"
	length := fmt.Sprintf("content-length: %d", c.length(v))
	streams := v.plain && c.endpoint().Framing == dialect.Lines // a line is an event
	if c.stream && v.status == 200 && !v.plain {
		kind, streams = "content-type: "+c.speaks.MediaType, true
	}
	switch lines = append(lines, kind); {
	case v.status >= 400:
		lines = append(lines, length)
	case streams:
		lines = append(lines, "cache-control: no-cache, no-transform", "x-accel-buffering: no", "transfer-encoding: chunked")
	case strings.Contains(c.set["fault"], "chunk") && v.attempts == 1 || strings.Contains(c.set["fault"], "close-d") || c.set["fault"] == "both-framings" && v.attempts == 1:
		lines = append(lines, "transfer-encoding: chunked")
	default:
		lines = append(lines, length)
	}
	name := "first"
	if c.two && v.elsewhere {
		name = "second"
	}
	lines = append(lines, "server-timing: upstream;dur=N, weir;dur=N", "x-weir-attempts: "+fmt.Sprint(v.attempts), "x-weir-upstream: "+name) // G14
	if !v.ours {
		body := c.request()
		sum := sha256.Sum256([]byte(body))
		lines = append(lines, "server: weir-mock", "x-mock-body-length: "+fmt.Sprint(len(body)), "x-mock-body-sha256: "+hex.EncodeToString(sum[:]))
	}
	slices.Sort(lines)
	return fmt.Sprint(v.status, "\n", strings.Join(lines, "\n"))
}

// length is what a response that is not a stream says of its length.
func (c trial) length(v verdict) int {
	switch out, part := v.out(c); {
	case v.status >= 400:
		return len(c.errorBody(v))
	case v.cut && strings.HasPrefix(c.set["fault"], "error-event"):
		return len(mock.UnaryBody(c.body(failing(1))))
	case v.cut:
		return len(c.whole)
	default:
		return len(out) + len(part)
	}
}

// sees checks what an upstream saw, once it has seen it.
func (c trial) sees(wrong *problems, m *mock.Server, i, requests int, end string, wait time.Duration) string {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	err := m.Wait(ctx, func(n mock.Counts) bool {
		return n.Ended >= requests && (end == kept || end == eitherWay || n.Closed >= 1)
	})
	if err != nil {
		wrong.add("upstream %d: got %v, want %d requests and a connection that is %s", i, err, requests, end)
	}
	l := m.Log()
	if len(l.Requests) != requests {
		wrong.add("upstream %d: got %d requests, want %d", i, len(l.Requests), requests)
	}
	body := c.request()
	sum := sha256.Sum256([]byte(body))
	for _, r := range l.Requests {
		if r.Method != http.MethodPost || r.Target != c.path+"?a=b" || r.BodySHA256 != hex.EncodeToString(sum[:]) ||
			r.BodyLength != int64(len(body)) || r.Get("X-Custom") != "1" || r.Get("X-Hop") != "" || r.Get("Authorization") != "" ||
			r.Get("Host") != m.Addr() || r.Get("Accept-Encoding") != "identity" || r.Get("Idempotency-Key") != "" {
			wrong.add("upstream %d: got %s %s with %v and %q", i, r.Method, r.Target, r.Fields, r.Body)
		}
	}
	text := fmt.Sprintf("%d requests", requests)
	if requests == 1 {
		text = "1 request"
	}
	if requests > 0 && len(l.Requests) > 0 {
		got := ending(l)
		if got != end && (end != eitherWay || got == byMock) {
			wrong.add("upstream %d: got a connection that is %s, want %s: %+v", i, got, end, l.Connections)
		}
		text += ", " + got
	}
	return text
}

// ending is how the connection of the first request ended.
func ending(l mock.Log) string {
	for _, conn := range l.Connections {
		switch {
		case conn.ID != l.Requests[0].Conn:
		case conn.Mock != "":
			return byMock
		case conn.Client != "":
			return byGateway
		}
	}
	return kept
}
