package reactor

import (
	"io"
	"net"
	"testing"
)

type echo struct{ c *Conn }

func (e *echo) Data(p []byte) int {
	e.c.Lock()
	b := e.c.Buffer()
	b.B = append(b.B, p...)
	e.c.Defer()
	return len(p)
}
func (e *echo) PeerClosed()  { e.c.Close() }
func (e *echo) Drained()     {}
func (e *echo) Closed(error) {}

func TestEcho(t *testing.T) {
	r, err := New(Config{Accept: func(c *Conn) Handler { return &echo{c} }})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	addr, err := r.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() {
		c.Write(make([]byte, 10<<20))
		c.(*net.TCPConn).CloseWrite()
	}()
	n, err := io.Copy(io.Discard, c)
	if n != 10<<20 || err != nil {
		t.Fatal(n, err)
	}
}
