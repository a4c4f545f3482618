package relay

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/chunked"
	"weir/cmd/weir/internal/mock"
	"weir/cmd/weir/internal/upstream"
	"weir/http1"
)

// trial is one cell of the matrix.
type trial struct {
	*fault
	stream, two, tls bool
}

func (c trial) String() string { return strings.ReplaceAll(c.columns(), "\t", "/") }

func (c trial) columns() string {
	pick := func(b bool, yes, no string) string {
		if b {
			return yes
		}
		return no
	}
	return strings.Join([]string{c.name, pick(c.stream, "stream", "whole"), pick(c.two, "two", "one"), pick(c.tls, "https", "http")}, "\t")
}

// run makes the request and returns a row of the table.
func (c trial) run(t *testing.T) string {
	mocks, addr := c.start(t)
	if c.warm {
		for range mocks { // in turn
			c.exchange(t, addr)
		}
		for _, m := range mocks {
			m.Forget()
		}
	}
	got := c.exchange(t, addr)
	want := c.verdict()
	c.check(t, got, want)
	saw := make([]string, len(mocks))
	for i, m := range mocks {
		requests, end := want.sees(i, c.two)
		if c.tls && want.elsewhere && end == byGateway && c.answers() {
			end = eitherWay
		}
		saw[i] = c.sees(t, m, i, requests, end)
	}
	return c.columns() + "\t" + got.String() + "\t" + strings.Join(saw, "; ")
}

// verdict is what is to happen in this cell.
func (c trial) verdict() verdict {
	v := c.unary
	if c.stream {
		v = c.fault.stream
	}
	if c.tls && c.overTLS != nil {
		v = *c.overTLS
	}
	if v.elsewhere && c.two {
		v = verdict{status: 200, elsewhere: true, attempts: 2, requests: v.requests, heard: v.heard, end: v.end}
	}
	if v.body == nil && c.stream {
		v.body = bytes.Join(events, nil)
	} else if v.body == nil {
		v.body = whole
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

// answers reports whether the first upstream sends a whole answer, which
// net/http may have read by the time that it is told to hang up.
func (c trial) answers() bool { return c.set["fault"] == "error-event-first" }

// start starts the upstreams and a gateway in front of them.
func (c trial) start(t *testing.T) (mocks []*mock.Server, addr string) {
	t.Helper()
	n := 1
	if c.two {
		n = 2
	}
	var ups []*upstream.Upstream
	for i := range n {
		m := mock.Start(t, mock.Config{TLS: c.tls, Tokens: tokens})
		cfg := upstream.Config{Name: []string{"first", "second"}[i], URL: m.URL()}
		if c.tls {
			cfg.Roots = m.Pool()
		}
		if i == 0 {
			c.spoil(t, m, &cfg)
		}
		u, err := upstream.New(context.Background(), cfg, 1)
		if err != nil {
			t.Fatal(err)
		}
		mocks, ups = append(mocks, m), append(ups, u)
	}
	g := newGateway(ups...)
	if c.line > 0 {
		g.MaxEvent = c.line
	}
	if c.limits != (upstream.Timeouts{}) {
		ups[0].Timeouts = c.limits
	}
	mux := new(weir.Mux)
	mux.HandleInlineBody("POST /v1/chat/completions", g)
	return mocks, serve(t, mux)
}

// spoil makes the first upstream have the fault.
func (c trial) spoil(t *testing.T, m *mock.Server, cfg *upstream.Config) {
	rule := mock.Rule{Set: c.set}
	if c.verdict().attempts == 2 && !c.two {
		rule.Nth = 1 // when asked again it answers
	}
	if err := m.SetRules(rule); err != nil {
		t.Fatal(err)
	}
	if c.address != nil {
		scheme, _, _ := strings.Cut(cfg.URL, ":")
		cfg.URL = scheme + "://" + c.address(t)
	}
}

// serve starts a server for the time of the test.
func serve(t *testing.T, h weir.Handler) (addr string) {
	t.Helper()
	srv := &weir.Server{Handler: h, Loops: 1}
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if _, err := srv.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return srv.Addrs()[0].String()
}

func (c trial) request() string {
	return fmt.Sprintf(`{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":%v}`, c.stream)
}

// reply is what a client got.
type reply struct {
	head  string // its lines, of fields in lower case, sorted
	body  []byte // without chunks
	whole bool   // it ends as its head says, and so does the connection
	err   error  // of the connection
}

// exchange makes the request on a connection of its own and reads to its end.
func (c trial) exchange(t *testing.T, addr string) reply {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second)) // a test that hangs fails
	body := c.request()
	_, err = fmt.Fprintf(conn, "POST /v1/chat/completions?a=b HTTP/1.1\r\nHost: gateway\r\nConnection: close, x-hop\r\nX-Hop: 1\r\n"+
		"X-Custom: 1\r\nAuthorization: Bearer secret\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(conn)
	r := reply{err: err}
	r.parse(t, raw)
	return r
}

func (r *reply) parse(t *testing.T, raw []byte) {
	t.Helper()
	var h http1.Response
	n, err := h.Parse(raw, &http1.Limits{})
	if err != nil || n == 0 {
		t.Fatalf("got %q, %v; want an answer", raw, err)
	}
	lines := []string{}
	for i := range h.Len() {
		name, value := h.Field(i)
		lines = append(lines, strings.ToLower(string(name))+": "+string(value))
	}
	slices.Sort(lines)
	r.head = fmt.Sprint(h.Status(), "\n", strings.Join(lines, "\n"))
	switch kind, length := h.Body("POST"); kind {
	case http1.BodyLength:
		r.body, r.whole = raw[n:], int64(len(raw)-n) == length
	case http1.BodyChunked:
		r.unchunk(t, raw[n:])
	default:
		t.Errorf("got a body that ends %v", kind)
	}
	r.whole = r.whole && r.err == nil
}

func (r *reply) unchunk(t *testing.T, p []byte) {
	var d chunked.Decoder
	for len(p) > 0 && !d.Done() {
		data, n, err := d.Next(p)
		if err != nil {
			t.Fatalf("got %q, %v; want chunks", p, err)
		}
		r.body, p = append(r.body, data...), p[n:]
	}
	r.whole = d.Done() && len(p) == 0
}

// masked hides the figures of time. The upstreams' Date is not one of them (G12).
func masked(head string) string {
	head = durations.ReplaceAllString(head, "dur=N")
	if strings.Contains(head, upstreamDate) {
		return head
	}
	return dates.ReplaceAllString(head, ownDate)
}

const (
	upstreamDate = "date: Thu, 01 Jan 2026 00:00:00 GMT"
	ownDate      = "date: now"
)

var (
	durations = regexp.MustCompile(`dur=[^,\n]+`)
	dates     = regexp.MustCompile(`(?m)^date: .+`)
)

// String is what the table says.
func (r reply) String() string {
	status, _, _ := strings.Cut(r.head, "\n")
	text := status
	if n := bytes.Count(r.body, []byte("\n\n")) + bytes.Count(r.body, []byte("\r\n\r\n")); n > 0 {
		text += fmt.Sprintf(", %d events", n)
	}
	text += fmt.Sprintf(", %d bytes", len(r.body))
	if i := bytes.LastIndex(r.body, []byte(`{"error":{"message":`)); i >= 0 {
		message, _, _ := strings.Cut(string(r.body[i:])[len(`{"error":{"message":"`):], `"`)
		text += fmt.Sprintf(", error %q", message)
	}
	if bytes.Contains(r.body, []byte("[DONE]")) {
		text += ", [DONE]"
	}
	if !r.whole {
		text += ", cut"
	}
	return text
}

// check holds the client's answer against what it has to be.
func (c trial) check(t *testing.T, got reply, want verdict) {
	t.Helper()
	if head := c.head(want); masked(got.head) != head {
		t.Errorf("got head\n%s\n\nwant\n%s", masked(got.head), head)
	}
	ok := bytes.Equal(got.body, want.body)
	if c.line > 0 && c.stream { // a part of the long line is out, but no more of it than the limit
		out, found := bytes.CutSuffix(got.body, append([]byte("\n\n"), want.body...))
		ok = found && len(out) <= c.line+len(events[0]) && bytes.HasPrefix(mock.StreamBody(longLine(2<<20)), out)
	}
	if !ok {
		t.Errorf("got body %.2000q, want %.2000q", got.body, want.body)
	}
	if got.whole == want.cut {
		t.Errorf("got an answer that looks finished: %v, want %v (%v)", got.whole, !want.cut, got.err)
	}
}

// head is the answer's head as reply has it.
func (c trial) head(v verdict) string {
	date := upstreamDate
	if v.ours {
		date = ownDate
	}
	lines := append([]string{"connection: close", date}, v.fields...)
	length := fmt.Sprintf("content-length: %d", len(v.body))
	switch {
	case v.ours:
		lines = append(lines, "content-type: application/json", length)
	case c.stream && v.status == 200:
		lines = append(lines, "content-type: text/event-stream", "cache-control: no-cache, no-transform",
			"x-accel-buffering: no", "transfer-encoding: chunked")
	case v.cut && v.status == 200 && !strings.Contains(c.set["fault"], "chunk"):
		lines = append(lines, "content-type: application/json", fmt.Sprintf("content-length: %d", len(whole)))
	case strings.Contains(c.set["fault"], "chunk") || strings.Contains(c.set["fault"], "close-d") || c.set["fault"] == "both-framings" && v.attempts == 1:
		lines = append(lines, "content-type: application/json", "transfer-encoding: chunked")
	default:
		lines = append(lines, "content-type: application/json", length)
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

// sees checks what an upstream saw, once it has seen it.
func (c trial) sees(t *testing.T, m *mock.Server, i, requests int, end string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := m.Wait(ctx, func(n mock.Counts) bool {
		return n.Ended >= requests && (end == kept || end == eitherWay || n.Closed >= 1)
	})
	if err != nil {
		t.Errorf("upstream %d: got %v, want %d requests and a connection that is %s", i, err, requests, end)
	}
	l := m.Log()
	if len(l.Requests) != requests {
		t.Errorf("upstream %d: got %d requests, want %d", i, len(l.Requests), requests)
	}
	body := c.request()
	sum := sha256.Sum256([]byte(body))
	for _, r := range l.Requests {
		if r.Method != http.MethodPost || r.Target != "/v1/chat/completions?a=b" || r.BodySHA256 != hex.EncodeToString(sum[:]) ||
			r.BodyLength != int64(len(body)) || r.Get("X-Custom") != "1" || r.Get("X-Hop") != "" || r.Get("Authorization") != "" ||
			r.Get("Host") != m.Addr() || r.Get("Accept-Encoding") != "identity" || r.Get("Idempotency-Key") != "" {
			t.Errorf("upstream %d: got %s %s with %v and %q", i, r.Method, r.Target, r.Fields, r.Body)
		}
	}
	text := fmt.Sprintf("%d requests", requests)
	if requests == 1 {
		text = "1 request"
	}
	if requests > 0 {
		got := ending(l)
		if got != end && (end != eitherWay || got == byMock) {
			t.Errorf("upstream %d: got a connection that is %s, want %s: %+v", i, got, end, l.Connections)
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
