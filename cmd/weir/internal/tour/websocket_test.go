package tour

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// webSocket opens a WebSocket.
func (s *server) webSocket(path string) *rawConn {
	s.t.Helper()
	c := s.raw("GET " + path + " HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 101 ") {
		s.t.Fatalf("got %q, want 101", head)
	}
	return c
}

// say sends a message.
func (c *rawConn) say(op ws.OpCode, p string) {
	c.t.Helper()
	if err := ws.WriteFrame(c, ws.MaskFrame(ws.NewFrame(op, true, []byte(p)))); err != nil {
		c.t.Fatal(err)
	}
}

// hear reads a frame.
func (c *rawConn) hear() string {
	c.t.Helper()
	h, err := ws.ReadHeader(c.r)
	if err != nil {
		c.t.Fatal(err)
	}
	p := make([]byte, h.Length)
	if _, err := io.ReadFull(c.r, p); err != nil {
		c.t.Fatal(err)
	}
	if h.OpCode == ws.OpClose {
		code, reason := ws.ParseCloseFrameData(p)
		return fmt.Sprintf("close %d %s", code, reason)
	}
	return fmt.Sprintf("%d %s", h.OpCode, p)
}

func TestWebSocketEcho(t *testing.T) {
	s := start(t)
	c := s.webSocket("/ws")
	for _, op := range []ws.OpCode{ws.OpText, ws.OpBinary} {
		c.say(op, "hello")
		if got, want := c.hear(), fmt.Sprintf("%d hello", op); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	c.say(ws.OpClose, "\x03\xe8")
	if got := c.hear(); got != "close 1000 " {
		t.Errorf("got %q", got)
	}
	if r := s.get("/ws"); r.StatusCode != 426 || r.Header.Get("Upgrade") != "websocket" {
		t.Errorf("got %d %v, want 426", r.StatusCode, r.Header)
	}
	head := s.raw("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://evil.example\r\n\r\n").head()
	if !strings.HasPrefix(head, "HTTP/1.1 403 ") {
		t.Errorf("got %q, want 403 for another origin", head)
	}
}

// A text goes to all members of its room, and to no other; the room goes with its
// last member.
func TestWebSocketRoom(t *testing.T) {
	s := start(t)
	one, two, other := s.webSocket("/ws/room/a"), s.webSocket("/ws/room/a"), s.webSocket("/ws/room/b")
	hears := func(c *rawConn, want string) {
		t.Helper()
		if got := c.hear(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for _, c := range []*rawConn{one, two, other} { // each is in its room when it hears itself
		c.say(ws.OpText, "in")
		hears(c, "1 in")
	}
	two.say(ws.OpText, "last")
	for c := one; ; {
		if got := c.hear(); got == "1 last" {
			break
		} else if got != "1 in" {
			t.Fatalf("got %q", got)
		}
	}
	other.say(ws.OpText, "alone")
	hears(other, "1 alone")
	other.say(ws.OpBinary, "x")
	hears(other, "close 1003 this room is for text")
}
