package mock

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/chunked"
)

// writes are what the mock writes, each by itself: reads of a net.Pipe do not
// join them.
func writes(t *testing.T, s *Server, r chat, total int) []string {
	t.Helper()
	mine, its := net.Pipe()
	defer mine.Close()
	s.admit(its)
	go io.WriteString(mine, r.String()) //nolint:errcheck // what it brings about is looked at
	var out []string
	buf := make([]byte, 1<<16)
	for n := 0; n < total; {
		got, err := mine.Read(buf)
		if err != nil {
			t.Fatalf("reading: %v, after %q", err, out)
		}
		out = append(out, string(buf[:got]))
		n += got
	}
	return out
}

func TestWrites(t *testing.T) {
	s := Start(t, Config{Tokens: fewTokens})
	events, wide := StreamEvents(faultBody(Body{})), splitWide(StreamEvents(faultBody(Body{Wide: true})))
	unary := UnaryBody(faultBody(Body{}))
	each := func(parts [][]byte) (out []string) {
		for _, p := range parts {
			out = append(out, chunks(p))
		}
		return out
	}
	bytes := func(text string) []string { return strings.Split(text, "") }
	for _, tc := range []struct {
		name string
		r    chat
		want func(r chat) []string
	}{
		{"an event a write", chat{body: streamBody}, func(r chat) []string {
			return append(append([]string{r.streamHead()}, each(events)...), lastChunk)
		}},
		{"a whole answer in one", chat{body: unaryBody}, func(r chat) []string {
			return []string{r.unaryHead(len(unary)) + string(unary)}
		}},
		{"head and body apart", chat{body: unaryBody, fields: []string{"x-mock-fault: slow-first-event=1ms"}}, func(r chat) []string {
			return []string{r.unaryHead(len(unary)), string(unary)}
		}},
		{"byte-per-write", chat{body: streamBody, fields: []string{"x-mock-fault: byte-per-write"}}, func(r chat) []string {
			return bytes(r.streamHead() + chunks(events...) + lastChunk)
		}},
		{"byte-per-write of a whole answer", chat{body: unaryBody, fields: []string{"x-mock-fault: byte-per-write"}}, func(r chat) []string {
			return bytes(r.unaryHead(len(unary)) + string(unary))
		}},
		{"split-utf8", chat{body: streamBody, fields: []string{"x-mock-fault: split-utf8"}}, func(r chat) []string {
			return append(append([]string{r.streamHead()}, each(wide)...), lastChunk)
		}},
		{"split and gap", chat{body: streamBody, fields: []string{"x-mock-split: 3/17/100000", "x-mock-gap: 1ms"}}, func(r chat) []string {
			out := []string{r.streamHead()}
			for _, e := range events {
				out = append(out, chunks(e[:3]))
				if len(e) > 17 {
					out = append(out, chunks(e[3:17]), chunks(e[17:]))
				} else {
					out = append(out, chunks(e[3:]))
				}
			}
			return append(out, lastChunk)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.r.keep = true
			want := tc.want(tc.r)
			got := writes(t, s, tc.r, len(strings.Join(want, "")))
			if strings.Join(got, "|") != strings.Join(want, "|") {
				t.Errorf("got %s\nwant %s", quoted(strings.Join(got, "|")), quoted(strings.Join(want, "|")))
			}
		})
	}
}

// TestKeepAlive: requests one after another, sent at once and one by one, and
// with a body before each.
func TestKeepAlive(t *testing.T) {
	s := Start(t, Config{Tokens: fewTokens})
	c := dial(t, s)
	stream, unary := chat{body: streamBody, keep: true}, chat{body: unaryBody, keep: true}
	body := UnaryBody(faultBody(Body{}))
	first := stream.streamHead() + chunks(StreamEvents(faultBody(Body{}))...) + lastChunk
	second := unary.unaryHead(len(body)) + string(body)
	c.send(stream.String() + unary.String())
	c.want(first + second)
	c.send(unary.String())
	c.want(second)
	c.send("GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
	c.want("HTTP/1.1 200 OK\r\nDate: " + date + "\r\nServer: weir-mock\r\n" + jsonType + "\r\nX-Mock-Body-Length: 0\r\nX-Mock-Body-Sha256: " +
		hex.EncodeToString(sha256.New().Sum(nil)) + "\r\nContent-Length: 15\r\nConnection: keep-alive\r\n\r\n" + `{"status":"ok"}`)
	log := s.Log()
	if len(log.Requests) != 4 || len(log.Connections) != 1 || log.Connections[0].Requests != 4 {
		t.Errorf("got %d requests on %d connections, want 4 on 1", len(log.Requests), len(log.Connections))
	}
}

func TestHTTP10Stream(t *testing.T) {
	s := Start(t, Config{Tokens: fewTokens})
	c := dial(t, s)
	r := chat{body: streamBody}
	c.send(strings.Replace(r.String(), "HTTP/1.1", "HTTP/1.0", 1))
	got, _ := c.rest()
	if want := r.head("200 OK", []string{streamType}, nil) + string(StreamBody(faultBody(Body{}))); got != want {
		t.Errorf("got %s\nwant %s", quoted(got), quoted(want))
	}
}

// TestCloseKeepAlive: the three moments at which a kept connection is closed (G6).
func TestCloseKeepAlive(t *testing.T) {
	body := UnaryBody(faultBody(Body{}))
	for _, tc := range []struct {
		fault string
		next  string // sent after the answer
		least time.Duration
	}{
		{"close-keepalive", "G", 0},
		{"close-keepalive", chat{body: unaryBody}.String(), 0},
		{"close-keepalive=0s", "", 0},
		{"close-keepalive=30ms", "", 30 * time.Millisecond},
	} {
		for _, https := range []bool{false, true} {
			s := Start(t, Config{Tokens: fewTokens, TLS: https})
			c := dial(t, s)
			r := chat{body: unaryBody, keep: true, fields: []string{"x-mock-fault: " + tc.fault}}
			start := time.Now()
			c.send(r.String())
			c.want(r.unaryHead(len(body)) + string(body))
			if tc.next != "" {
				c.silence()
				c.send(tc.next)
			}
			if got, end := c.rest(); got != "" || end != endsFIN || time.Since(start) < tc.least {
				t.Errorf("%s: got %q and %q after %v, want nothing and %q after %v", tc.fault, got, end, time.Since(start), endsFIN, tc.least)
			}
			c.tcp.Close()
			await(t, s, func(n Counts) bool { return n.Closed == 1 })
			if log := s.Log(); len(log.Requests) != 1 || log.Connections[0].Mock != byFIN {
				t.Errorf("%s: got %d requests, ended %q, want 1, %q", tc.fault, len(log.Requests), log.Connections[0].Mock, byFIN)
			}
		}
	}
}

// TestEarly: the answer is there before the body, and the connection goes on
// behind it.
func TestEarly(t *testing.T) {
	s := Start(t, Config{Tokens: fewTokens})
	c := dial(t, s)
	r := chat{body: streamBody, keep: true, fields: []string{"x-mock-fault: early, status=413"}}
	head, body, _ := strings.Cut(r.String(), "\r\n\r\n")
	c.send(head + "\r\n\r\n")
	refusal := string(ErrorBody(413))
	c.want(fmt.Sprintf("HTTP/1.1 413 Content Too Large\r\nDate: %s\r\nServer: weir-mock\r\n%s\r\nContent-Length: %d\r\n\r\n%s", date, jsonType, len(refusal), refusal))
	if q := s.Log().Requests[0]; q.BodyLength != -1 {
		t.Errorf("got a body of %d bytes before it was sent, want -1", q.BodyLength)
	}
	next := chat{body: unaryBody, keep: true}
	c.send(body + next.String())
	c.want(next.unaryHead(len(UnaryBody(faultBody(Body{})))))
	if q := s.Log().Requests[0]; q.BodyLength != int64(len(streamBody)) {
		t.Errorf("got a body of %d bytes, want %d", q.BodyLength, len(streamBody))
	}
}

// TestRequestBodies: framings and sizes, and what the log says of each.
func TestRequestBodies(t *testing.T) {
	s := Start(t, Config{Tokens: fewTokens})
	large := `{"model":"m","stream":true,"messages":"` + strings.Repeat("é", 15<<20) + `"}`
	for i, tc := range []struct {
		body   string
		coded  bool
		fields []string
		before string // what comes before the answer
	}{
		{body: streamBody},
		{body: streamBody, coded: true},
		{body: streamBody, fields: []string{"Expect: 100-continue"}, before: "HTTP/1.1 100 Continue\r\n\r\n"},
		{body: large},
		{body: large, coded: true},
		{body: `{"stream":true,"n":`},
		{body: "", coded: true},
		{body: ""},
	} {
		r := chat{body: tc.body, fields: tc.fields}
		text := r.String()
		if tc.coded {
			text = strings.Replace(text, fmt.Sprintf("Content-Length: %d", len(tc.body)), chunkedLine, 1)
			head, _, _ := strings.Cut(text, "\r\n\r\n")
			text = head + "\r\n\r\n" + string(chunked.AppendEnd(cutUp(tc.body)))
		}
		c := dial(t, s)
		c.send(text)
		head := r.unaryHead(len(UnaryBody(Body{Tokens: fewTokens})))
		if strings.HasPrefix(tc.body, `{"model`) || strings.HasPrefix(tc.body, `{"stream`) {
			head = r.streamHead()
		}
		c.want(tc.before + head)
		c.rest()
		q := ended(t, s, i+1)
		sum := sha256.Sum256([]byte(tc.body))
		if q.BodyLength != int64(len(tc.body)) || q.BodySHA256 != hex.EncodeToString(sum[:]) || q.Body != tc.body[:min(len(tc.body), loggedBody)] {
			t.Errorf("request %d: got a body of %d bytes, sum %s, want %d, %x", i, q.BodyLength, q.BodySHA256, len(tc.body), sum)
		}
	}
}

// cutUp is the body in chunks of growing sizes.
func cutUp(body string) (out []byte) {
	for size := 1; len(body) > 0; size = size*3 + 1 {
		n := min(size, len(body))
		out = chunked.AppendChunk(out, []byte(body[:n]))
		body = body[n:]
	}
	return out
}

// TestLargeAnswer: 30 MB, with either framing.
func TestLargeAnswer(t *testing.T) {
	s := Start(t, Config{Tokens: fewTokens})
	for framing, size := range map[string]int{"length": 30_000_000, "chunked": 3_000_000, "close": 3_000_000} {
		want := UnaryBody(Body{Model: "m", Tokens: fewTokens, Size: size})
		req, _ := http.NewRequest("POST", s.URL()+chatPath, strings.NewReader(unaryBody))
		req.Header.Set("x-mock-size", strconv.Itoa(size))
		req.Header.Set("x-mock-framing", framing)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(got) != string(want) {
			t.Errorf("%s: got %d bytes and %v, want %d", framing, len(got), err, len(want))
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestNotHTTP: what a gateway must never send is answered 400 and noted.
func TestNotHTTP(t *testing.T) {
	s := Start(t, Config{})
	for i, tc := range []struct{ send, want, problem string }{
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "http1: "},
		{"nonsense\r\n\r\n", "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "http1: "},
		{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "", "chunked: "},
	} {
		c := dial(t, s)
		c.send(tc.send)
		if got, _ := c.rest(); got != tc.want {
			t.Errorf("%q: got %q, want %q", tc.send, got, tc.want)
		}
		if got := s.Log().Connections[i].Error; !strings.HasPrefix(got, tc.problem) {
			t.Errorf("%q: got error %q, want one of %s", tc.send, got, tc.problem)
		}
	}
}
