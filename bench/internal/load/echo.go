package load

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"
)

// Echo opens WebSockets to a server that echoes. Each has one binary message
// under way at a time. The zero value with its exported fields set is ready.
type Echo struct {
	Addr   string
	Path   string
	Size   int // bytes of a message
	AtOnce int // WebSockets opened at a time

	Opened int // handshakes complete
	Echoed int // messages
	Failed int // connections that failed
	First  error
	Times  []float64 // microseconds from a message to its echo; only while Sending

	Sending bool // send the next message when one was echoed

	frame, want []byte // the message as it is sent, and as its echo is received
	sockets     map[*Conn]*socket
	opening     int
}

// socket is one connection's state.
type socket struct {
	head []byte // of the response, until it is whole
	open bool
	busy bool  // a message is under way
	got  int   // bytes of its echo
	sent int64 // when, in Unix nanoseconds
}

// key and accept are those of each handshake here, and of RFC 6455's example: a
// client must choose a fresh key, which a load need not.
const (
	key    = "dGhlIHNhbXBsZSBub25jZQ=="
	accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// Open opens n WebSockets and waits until each has had its first echo.
func (e *Echo) Open(client *Client, n int, until time.Time) error {
	e.frame, e.want = frames(e.Size)
	e.sockets = make(map[*Conn]*socket, n)
	request := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", e.Path, e.Addr, key)
	for i := range n {
		c, err := client.Dial(i, request)
		if err != nil {
			return err
		}
		e.sockets[c] = new(socket)
		e.opening++
		if err := client.PollWhile(func() bool { return e.opening >= e.AtOnce }, until); err != nil {
			return err
		}
	}
	if err := client.PollWhile(func() bool { return e.opening > 0 }, until); err != nil {
		return err
	}
	if e.Failed > 0 || e.opening > 0 {
		return fmt.Errorf("load: %d of %d WebSockets opened, %d failed: %w", e.Opened, n, e.Failed, e.First)
	}
	return nil
}

// Start sends a message on each WebSocket, and from then on the next one for
// each echo.
func (e *Echo) Start() {
	e.Sending = true
	for c, s := range e.sockets {
		if !s.busy {
			e.send(c, s)
		}
	}
}

// frames returns a message of size bytes as a client and as a server sends it
// (RFC 6455 5.2). Its mask is always the same.
func frames(size int) (masked, plain []byte) {
	mask := [4]byte{0x9a, 0x03, 0x5e, 0xc1}
	masked = append(appendLength([]byte{0x82}, size, 0x80), mask[:]...)
	plain = appendLength([]byte{0x82}, size, 0)
	for i := range size {
		b := byte('a' + i%26)
		masked, plain = append(masked, b^mask[i%4]), append(plain, b)
	}
	return masked, plain
}

func appendLength(dst []byte, n int, mask byte) []byte {
	switch {
	case n < 126:
		return append(dst, mask|byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, mask|126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, mask|127), uint64(n))
}

func (e *Echo) send(c *Conn, s *socket) {
	s.busy, s.got, s.sent = true, 0, time.Now().UnixNano()
	c.Send(e.frame)
}

// Data implements Handler.
func (e *Echo) Data(c *Conn, p []byte, now int64) {
	s := e.sockets[c]
	if !s.open {
		e.readHead(c, s, p)
		return
	}
	if !s.busy || s.got+len(p) > len(e.want) || !bytes.Equal(p, e.want[s.got:s.got+len(p)]) {
		e.fail(c, fmt.Errorf("load: not the echo: %.40q at byte %d", p, s.got))
		return
	}
	if s.got += len(p); s.got < len(e.want) {
		return
	}
	s.busy = false
	if e.Echoed++; e.Sending {
		e.Times = append(e.Times, float64(now-s.sent)/1e3)
		e.send(c, s)
	} else if s.head != nil {
		e.opening--
		s.head = nil
	}
}

// readHead reads the response and sends the first message.
func (e *Echo) readHead(c *Conn, s *socket, p []byte) {
	s.head = append(s.head, p...)
	end := bytes.Index(s.head, []byte("\r\n\r\n"))
	switch {
	case end < 0:
		return
	case !bytes.HasPrefix(s.head, []byte("HTTP/1.1 101 ")) || !bytes.Contains(s.head[:end], []byte(accept)):
		e.fail(c, fmt.Errorf("load: the handshake's response is %.80q", s.head))
	case end+4 < len(s.head):
		e.fail(c, fmt.Errorf("load: bytes behind the handshake: %.40q", s.head[end+4:]))
	default:
		s.open = true
		e.Opened++
		e.send(c, s)
	}
}

// Closed implements Handler: no server here may close first.
func (e *Echo) Closed(c *Conn, err error) {
	e.fail(c, fmt.Errorf("load: the server closed: %w", err))
}

func (e *Echo) fail(c *Conn, err error) {
	e.Failed++
	if e.First == nil {
		e.First = err
	}
	if s := e.sockets[c]; s.head != nil || !s.open {
		e.opening--
	}
	delete(e.sockets, c)
	c.Close()
}
