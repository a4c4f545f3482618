package load

import (
	"io"
	"net"
	"testing"
	"time"
)

// recorder answers every "ping" with a "ping" until it has sent enough.
type recorder struct {
	pings  int
	closed []error
}

func (r *recorder) Data(c *Conn, p []byte, now int64) {
	r.pings += len(p) / len("ping")
	if r.pings < 5 {
		c.Send([]byte("ping"))
	} else {
		c.Send([]byte("stop"))
	}
}

func (r *recorder) Closed(_ *Conn, err error) { r.closed = append(r.closed, err) }

// serve echoes pings on one connection and closes it on anything else.
func serve(t *testing.T, ln net.Listener) {
	c, err := ln.Accept()
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	buf := make([]byte, 4)
	for {
		if _, err := io.ReadFull(c, buf); err != nil || string(buf) != "ping" {
			return
		}
		if _, err := c.Write(buf); err != nil {
			t.Error(err)
			return
		}
	}
}

func TestEchoThenServerCloses(t *testing.T) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go serve(t, ln)

	var r recorder
	client, err := New(ln.Addr().String(), &r)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Dial(0, []byte("ping")); err != nil {
		t.Fatal(err)
	}
	more := func() bool { return len(r.closed) == 0 }
	if err := client.PollWhile(more, time.Now().Add(10*time.Second)); err != nil {
		t.Fatal(err)
	}
	if r.pings != 5 {
		t.Errorf("got %d pings, want 5", r.pings)
	}
	if len(r.closed) != 1 || r.closed[0] != io.EOF {
		t.Errorf("got closed %v, want one EOF", r.closed)
	}
}

func TestRefusedConnectionIsTold(t *testing.T) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	var r recorder
	client, err := New(addr, &r)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Dial(0, []byte("ping")); err != nil {
		return // refused at once is as good
	}
	more := func() bool { return len(r.closed) == 0 }
	if err := client.PollWhile(more, time.Now().Add(10*time.Second)); err != nil {
		t.Fatal(err)
	}
	if len(r.closed) != 1 || r.closed[0] == nil {
		t.Errorf("got closed %v, want one error", r.closed)
	}
}

func TestOnlyLoopbackIsLoaded(t *testing.T) {
	for _, addr := range []string{"192.0.2.1:80", "[::1]:80", "localhost:80", "127.0.0.1"} {
		if _, err := New(addr, nil); err == nil {
			t.Errorf("%s: got no error, want one", addr)
		}
	}
}
