package weirtest

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/memloop"
)

// A Client is a client's end of one connection. It is a [net.Conn], and as such
// safe for concurrent use: Read and Write wait. The other methods must be
// called on the test's goroutine; those that return what has arrived settle
// first, and do not wait.
//
// A client reads only when the test reads. What it has not read is in its
// window, as in the receive buffer of a socket; when that is full the server
// has to wait. The window is 256 KiB unless [Client.SetWindow] changes it.
type Client struct {
	t    testing.TB
	conn *memloop.Client

	mu     sync.Mutex
	buffer []byte // read for Response, but not yet returned
}

var _ net.Conn = (*Client)(nil)

// endless is how much a client takes at a time. A server that sends more
// without a pause will not stop, and would exhaust the test's memory.
const endless = 64 << 20

// Get sends a GET request for path on this connection.
func (c *Client) Get(path string) {
	c.t.Helper()
	c.Send("GET " + path + " HTTP/1.1\r\nHost: test\r\n\r\n")
}

// Post sends a POST request for path with a body on this connection.
func (c *Client) Post(path, body string) {
	c.t.Helper()
	c.Send(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body))
}

// Send sends text unchanged. If the server has closed the connection or its
// read side, the text is lost, as on a network. Send waits while the server has
// more than 64 KiB unread.
func (c *Client) Send(text string) {
	c.t.Helper()
	_, err := c.conn.Write([]byte(text))
	if err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		c.t.Errorf("weirtest: sending: %v", err)
	}
}

// Received settles, and returns byte for byte all that has arrived, without
// what was returned before by Received, Read, or Response as a complete
// response. It reads until the server has no more to send for now.
func (c *Client) Received() string {
	c.t.Helper()
	c.fill()
	c.mu.Lock()
	defer c.mu.Unlock()
	text := string(c.buffer)
	c.buffer = nil
	return text
}

// Expect settles, and fails the test if what Received returns is not exactly
// want.
func (c *Client) Expect(want string) {
	c.t.Helper()
	if got := c.Received(); got != want {
		c.t.Errorf("weirtest: received %q, want %q", got, want)
	}
}

// fill reads what the server has to send.
func (c *Client) fill() {
	c.t.Helper()
	p := make([]byte, 64<<10)
	for total := 0; ; {
		synctest.Wait()
		if c.conn.Pending() == 0 {
			return
		}
		n, err := c.conn.Read(p)
		c.mu.Lock()
		c.buffer = append(c.buffer, p[:n]...)
		c.mu.Unlock()
		if total += n; err != nil {
			return // Err reports it
		}
		if total > endless {
			c.t.Fatalf("weirtest: more than %d bytes arrived without a pause; read them with Read, a part at a time", endless)
		}
	}
}

// Unread settles, and returns how many bytes the server has sent that the
// client has not read: how full its window is.
func (c *Client) Unread() int {
	synctest.Wait()
	return c.conn.Pending()
}

// Writes settles, and returns how often the server has called write(2) for this
// connection.
func (c *Client) Writes() int {
	synctest.Wait()
	return c.conn.WriteCalls()
}

// SetWindow lets the client hold up to n unread bytes. With 0 it takes nothing
// more. A larger window resumes a waiting server.
func (c *Client) SetWindow(n int) { c.conn.SetWindow(n) }

// Err settles, and returns how the connection has ended: nil while the server
// has not ended it or there is something left to read, [io.EOF] after its FIN,
// [syscall.ECONNRESET] (for [errors.Is]) after its RST, and [net.ErrClosed]
// after Close or Reset.
func (c *Client) Err() error {
	synctest.Wait()
	return c.conn.End()
}

// CloseWrite sends FIN and can still read: a half-close. By default weir treats
// it as a disconnect from streams; see [weir.HalfClose].
func (c *Client) CloseWrite() error { return c.conn.CloseWrite() }

// Close closes the connection: it sends FIN, or RST if there was something to
// read.
func (c *Client) Close() error { return c.conn.Close() }

// Reset resets the connection: it sends RST, as when a client crashes.
func (c *Client) Reset() { c.conn.Reset() }

// Read reads what has arrived, and waits for the server if nothing has.
func (c *Client) Read(p []byte) (int, error) {
	c.mu.Lock()
	n := copy(p, c.buffer)
	c.buffer = c.buffer[n:]
	c.mu.Unlock()
	if n > 0 {
		return n, nil
	}
	return c.conn.Read(p)
}

// Write sends p; it waits while the server has more than 64 KiB unread.
func (c *Client) Write(p []byte) (int, error) { return c.conn.Write(p) }

// LocalAddr returns the address that the server has as Request.RemoteAddr. Each
// client has its own.
func (c *Client) LocalAddr() net.Addr { return c.conn.LocalAddr() }

// RemoteAddr returns a made-up address.
func (c *Client) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// SetDeadline, SetReadDeadline and SetWriteDeadline use the fake clock.
func (c *Client) SetDeadline(t time.Time) error { return c.conn.SetDeadline(t) }

// SetReadDeadline is SetDeadline for Read.
func (c *Client) SetReadDeadline(t time.Time) error { return c.conn.SetReadDeadline(t) }

// SetWriteDeadline is SetDeadline for Write.
func (c *Client) SetWriteDeadline(t time.Time) error { return c.conn.SetWriteDeadline(t) }
