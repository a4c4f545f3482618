package mock

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/chunked"
	"weir/internal/patience"
)

// How what the mock sends can end.
const (
	endsFIN   = "fin"
	endsCut   = "fin without close_notify" // https only
	endsReset = "reset"
)

// client is a connection to the mock that does nothing by itself.
type client struct {
	t   *testing.T
	tcp net.Conn
	rw  net.Conn // tcp, or TLS over it
	raw *tail    // under TLS
}

// tail is a connection that knows the last bytes that were read from it.
type tail struct {
	net.Conn
	last []byte
}

func (c *tail) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.last = append(c.last, p[:n]...)
	c.last = c.last[max(0, len(c.last)-closeNotify):]
	return n, err
}

// closeNotify is the length of a TLS 1.3 record with an alert: a head of 5 bytes,
// two of the alert, its type and 16 of the seal. No other record of the mock's
// is that short at the end of a connection.
const closeNotify = 5 + 19

// closed reports whether a close_notify came last: crypto/tls does not tell.
func (c *tail) closed() bool {
	return len(c.last) == closeNotify && string(c.last[:5]) == "\x17\x03\x03\x00\x13"
}

func dial(t *testing.T, s *Server) *client {
	t.Helper()
	tcp := connect(t, s)
	tcp.SetDeadline(time.Now().Add(patience.Limit))
	c := &client{t: t, tcp: tcp, rw: tcp}
	if s.tls != nil {
		c.raw = &tail{Conn: tcp}
		c.rw = tls.Client(c.raw, &tls.Config{RootCAs: s.Pool(), ServerName: "127.0.0.1"})
	}
	return c
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.rw, text); err != nil {
		c.t.Fatalf("sending: %v", err)
	}
}

// connect dials for the time of a test or benchmark.
func connect(t testing.TB, s *Server) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// rest reads to the end and says which it was.
func (c *client) rest() (all, end string) {
	c.t.Helper()
	data, err := io.ReadAll(c.rw)
	switch {
	case err == nil && c.raw != nil && !c.raw.closed():
		return string(data), endsCut
	case err == nil:
		return string(data), endsFIN
	case errors.Is(err, syscall.ECONNRESET):
		return string(data), endsReset
	}
	c.t.Fatalf("reading: %v, after %q", err, data)
	return "", ""
}

// want reads exactly what is wanted.
func (c *client) want(want string) {
	c.t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(c.rw, got)
	if string(got[:n]) != want {
		c.t.Fatalf("got %s\nwant %s", quoted(string(got[:n])), quoted(want))
	}
	if err != nil {
		c.t.Fatalf("reading: %v", err)
	}
}

// silence fails if something comes within a moment.
func (c *client) silence() {
	c.t.Helper()
	c.tcp.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	n, err := c.rw.Read(make([]byte, 1))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatalf("got %d bytes and %v, want nothing to come", n, err)
	}
	c.tcp.SetReadDeadline(time.Now().Add(patience.Limit))
}

// reset closes the connection with RST.
func (c *client) reset() {
	c.t.Helper()
	if err := c.tcp.(*net.TCPConn).SetLinger(0); err != nil {
		c.t.Fatal(err)
	}
	c.tcp.Close()
}

// chat is a request's bytes and body.
type chat struct {
	body   string
	fields []string // name: value
	keep   bool     // no Connection: close
}

const (
	streamBody = `{"model":"m","messages":[],"stream":true}`
	unaryBody  = `{"model":"m","messages":[]}`
)

func (r chat) String() string {
	fields := append([]string{"Host: mock", fmt.Sprintf("Content-Length: %d", len(r.body))}, r.fields...)
	if !r.keep {
		fields = append(fields, "Connection: close")
	}
	return "POST /v1/chat/completions HTTP/1.1\r\n" + strings.Join(fields, "\r\n") + "\r\n\r\n" + r.body
}

// head is the head that answers the request, with the fields between Server and
// the echo, and those behind it.
func (r chat) head(status string, fields, framing []string) string {
	lines := append([]string{"HTTP/1.1 " + status, "Date: Thu, 01 Jan 2026 00:00:00 GMT", "Server: weir-mock"}, fields...)
	lines = append(lines, fmt.Sprintf("X-Mock-Body-Length: %d", len(r.body)),
		fmt.Sprintf("X-Mock-Body-Sha256: %x", sha256.Sum256([]byte(r.body))))
	lines = append(lines, framing...)
	if !r.keep {
		lines = append(lines, "Connection: close")
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

const (
	jsonType    = "Content-Type: application/json"
	streamType  = "Content-Type: text/event-stream"
	chunkedLine = "Transfer-Encoding: chunked"
)

func (r chat) streamHead() string {
	return r.head("200 OK", []string{streamType}, []string{chunkedLine})
}

func (r chat) unaryHead(length int) string {
	return r.head("200 OK", []string{jsonType}, []string{fmt.Sprintf("Content-Length: %d", length)})
}

// chunks is each part as a chunk.
func chunks[T string | []byte](parts ...T) string {
	var out []byte
	for _, p := range parts {
		out = chunked.AppendChunk(out, []byte(p))
	}
	return string(out)
}

const lastChunk = "0\r\n\r\n"

func joined(parts [][]byte) string {
	var b strings.Builder
	for _, p := range parts {
		b.Write(p)
	}
	return b.String()
}

// quoted shortens what is long.
func quoted(s string) string {
	if len(s) > 4000 {
		return fmt.Sprintf("%q … %q (%d bytes)", s[:1000], s[len(s)-1000:], len(s))
	}
	return fmt.Sprintf("%q", s)
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience.Limit)
	t.Cleanup(cancel)
	return ctx
}

// ended waits for the answers to n requests and returns the last one's record.
func ended(t *testing.T, s *Server, n int) Request {
	t.Helper()
	if err := s.WaitEnded(within(t), n); err != nil {
		t.Fatal(err)
	}
	return s.Log().Requests[n-1]
}
