//go:build soak && linux

package soak

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"weir/cmd/weir/internal/mock"
	"weir/internal/patience"
)

const stall = 3 * time.Second // the gateway's time limit for a client that reads nothing

// plan is one request of a client, from its connection to its end.
type plan struct {
	name   string
	weight int
	play   func(c *client) error
}

var plans = []plan{
	{"stream", 40, (*client).stream},
	{"whole", 20, (*client).whole},
	{"long prompt", 5, (*client).longPrompt},
	{"poison", 15, (*client).poison},
	{"disconnects", 15, (*client).disconnect},
	{"stalled", 1, (*client).stalled},
	{"silent upload", 1, (*client).silent},
}

// client is one client after the other.
type client struct {
	*stage
	rng  *rand.Rand
	conn net.Conn
	from *bufio.Reader
}

func (c *client) stay() {
	defer c.hangUp()
	for {
		select {
		case <-c.over:
			return
		default:
		}
		p := c.draw()
		err := p.play(c)
		short := c.shortage()
		switch {
		case err == nil:
			c.count(p.name)
		case short && refusal(err):
			c.count(p.name + ", refused for want of descriptors")
			c.hangUp()
			time.Sleep(50 * time.Millisecond)
		default:
			c.hangUp()
			c.fault("%s: %v (descriptors missing: %v)", p.name, err, short)
		}
	}
}

// shortage reports whether descriptors are missing, or were a moment ago.
func (s *stage) shortage() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.short || time.Since(s.enough) < time.Second
}

// refusal reports whether a client was sent away at once.
func refusal(err error) bool {
	var status statusError
	return errors.As(err, &status) && status.code == 503 && status.retryAfter ||
		errors.Is(err, errNothing)
}

// statusError is a response that is not the one wanted.
type statusError struct {
	code       int
	retryAfter bool
	body       string
}

func (e statusError) Error() string { return fmt.Sprintf("got status %d, %s", e.code, e.body) }

// errNothing is a connection that ended without a byte of a response.
var errNothing = errors.New("the connection ended without a response")

func (c *client) draw() plan {
	sum := 0
	for _, p := range plans {
		sum += p.weight
	}
	n := c.rng.IntN(sum)
	for _, p := range plans {
		if n -= p.weight; n < 0 {
			return p
		}
	}
	panic("unreachable")
}

func (c *client) hangUp() {
	if c.conn != nil {
		_ = c.conn.Close() // nothing is pending
		c.conn = nil
	}
}

// connect has a connection: at times the one of the request before.
func (c *client) connect() error {
	if c.conn != nil && c.rng.IntN(4) > 0 {
		return c.conn.SetDeadline(time.Now().Add(patience.Limit))
	}
	c.hangUp()
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.gateway.url, "http://"))
	if err != nil {
		return err
	}
	c.conn, c.from = conn, bufio.NewReader(conn)
	return conn.SetDeadline(time.Now().Add(patience.Limit))
}

// head is the head of a request with a body of n bytes; fields are what the mock
// is told.
func head(n int, fields ...string) string {
	text := "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(n) + "\r\n"
	for i := 0; i < len(fields); i += 2 {
		text += fields[i] + ": " + fields[i+1] + "\r\n"
	}
	return text + "\r\n"
}

func prompt(stream bool, text string) string {
	return fmt.Sprintf(`{"model":"m","stream":%v,"messages":[{"role":"user","content":%q}]}`, stream, text)
}

// ask sends a request and reads the head of its response.
func (c *client) ask(body string, fields ...string) (*http.Response, error) {
	if err := c.connect(); err != nil {
		return nil, err
	}
	_, _ = io.WriteString(c.conn, head(len(body), fields...)+body) // a refusal may be there already
	if _, err := c.from.Peek(1); err != nil {
		return nil, fmt.Errorf("%w: %w", errNothing, err)
	}
	return http.ReadResponse(c.from, nil)
}

// get is ask for a response with that status and body, and no other.
func (c *client) get(code int, want []byte, body string, fields ...string) error {
	res, err := c.ask(body, fields...)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	switch {
	case res.StatusCode != code:
		return statusError{res.StatusCode, res.Header.Get("Retry-After") != "", string(got)}
	case err != nil:
		return fmt.Errorf("got %d of %d bytes, %w: %.300q", len(got), len(want), err, got[max(0, len(got)-300):])
	case !bytes.Equal(got, want):
		return fmt.Errorf("got %d bytes, want %d others; the end is %q", len(got), len(want), got[max(0, len(got)-300):])
	}
	if res.Close {
		c.hangUp()
	}
	return nil
}

func (c *client) tokens() (n int, field string) {
	n = 2 + c.rng.IntN(60)
	return n, strconv.Itoa(n)
}

func (c *client) stream() error {
	n, field := c.tokens()
	return c.get(200, mock.StreamBody(mock.Body{Model: "m", Tokens: n}), prompt(true, "hi"), "x-mock-tokens", field)
}

func (c *client) whole() error {
	n, field := c.tokens()
	return c.get(200, mock.UnaryBody(mock.Body{Model: "m", Tokens: n}), prompt(false, "hi"), "x-mock-tokens", field)
}

func (c *client) longPrompt() error {
	n, field := c.tokens()
	text := strings.Repeat("all work and no play ", 1+c.rng.IntN(60_000))
	return c.get(200, mock.StreamBody(mock.Body{Model: "m", Tokens: n}), prompt(true, text), "x-mock-tokens", field)
}

// poison is a prompt that every upstream answers with 500.
func (c *client) poison() error {
	return c.get(500, mock.ErrorBody(500), prompt(c.rng.IntN(2) == 0, "poison"), "x-mock-status", "500")
}

// disconnect leaves in the middle of a stream.
func (c *client) disconnect() error {
	res, err := c.ask(prompt(true, "hi"), "x-mock-tokens", "100000", "x-mock-pace", "5ms")
	if err != nil {
		return err
	}
	if res.StatusCode != 200 {
		text, _ := io.ReadAll(res.Body) // the status says enough
		return statusError{res.StatusCode, res.Header.Get("Retry-After") != "", string(text)}
	}
	_, err = io.CopyN(io.Discard, res.Body, int64(1+c.rng.IntN(5_000)))
	if c.rng.IntN(2) == 0 {
		_ = c.conn.(*net.TCPConn).SetLinger(0) // Close resets
	}
	c.hangUp()
	return err
}

// stalled reads nothing until the gateway has reset the connection.
func (c *client) stalled() error {
	c.hangUp()
	if err := c.connect(); err != nil {
		return err
	}
	if err := c.conn.(*net.TCPConn).SetReadBuffer(8 << 10); err != nil {
		return err
	}
	body := prompt(true, "hi")
	_, _ = io.WriteString(c.conn, head(len(body), "x-mock-tokens", "100000", "x-mock-pace", "0s", "x-mock-size", "4096")+body)
	for { // what can be written shows when the connection is reset
		time.Sleep(100 * time.Millisecond)
		if _, err := c.conn.Write([]byte("\r\n")); err != nil {
			break
		}
	}
	got, _ := io.ReadAll(c.from) // what had come before
	c.hangUp()
	if bytes.Contains(got, []byte("[DONE]")) {
		return errors.New("the stream of a client that did not read has ended")
	}
	return nil
}

// silent sends half of its prompt, and waits for 408.
func (c *client) silent() error {
	c.hangUp()
	if err := c.connect(); err != nil {
		return err
	}
	body := prompt(true, strings.Repeat("x", 1<<20))
	_, _ = io.WriteString(c.conn, head(len(body))+body[:len(body)/2])
	res, err := http.ReadResponse(c.from, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", errNothing, err)
	}
	text, _ := io.ReadAll(res.Body) // the status says enough
	c.hangUp()
	if res.StatusCode != 408 {
		return statusError{res.StatusCode, res.Header.Get("Retry-After") != "", string(text)}
	}
	return nil
}
