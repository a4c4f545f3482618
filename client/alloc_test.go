//go:build !race && !invariants

package client_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"testing"

	"weir/client"
	"weir/http1"
	"weir/internal/tlstest"
	"weir/reactor"
)

// counter is a Receiver that only counts.
type counter struct {
	pieces, bytes, ends int
	done                func()
}

func (c *counter) Head(*http1.Response) {}
func (c *counter) Body(p []byte)        { c.pieces, c.bytes = c.pieces+1, c.bytes+len(p) }
func (c *counter) Drained()             {}
func (c *counter) Done(error) {
	if c.ends++; c.done != nil {
		c.done()
	}
}

// A chunk of a request body is framed where it is sent from.
func TestChunkAllocations(t *testing.T) {
	ln, addr := listen(t, "tcp")
	go func() {
		c, err := ln.Accept()
		if err == nil {
			_, _ = io.Copy(io.Discard, c) // it ends with the test
		}
	}()
	d := realDesk(t, addr)
	o := &client.Origin{Endpoint: endpoint(t, "http://"+addr)}
	var call *client.Call
	d.on(func() {
		var err error
		if call, err = o.Do(d.loop(), &client.Request{Method: "PUT", Path: []byte("/"), More: true}, new(counter)); err != nil {
			t.Error(err)
		}
	})
	for connected := false; !connected; {
		d.on(func() { connected = call.Connected() })
	}
	piece := []byte("data: token\n\n")
	write := reactor.TaskFunc(func() { call.Write(piece) })
	wrote := make(chan struct{}, 1)
	after := reactor.TaskFunc(func() { wrote <- struct{}{} })
	n := testing.AllocsPerRun(1000, func() {
		d.loop().Post(write)
		d.loop().Post(after)
		<-wrote
	})
	if n != 0 {
		t.Errorf("got %v allocations a chunk, want none", n)
	}
}

// A piece of a body allocates nothing.
func TestBodyAllocations(t *testing.T) {
	for _, test := range []struct{ name, head, piece string }{
		{"length", ok + "Content-Length: 1000000000\r\n\r\n", "data: token\n\n"},
		{"chunks", inChunks, "d\r\ndata: token\n\n\r\n"},
		{"many chunks", inChunks, "d\r\ndata: token\n\n\r\nd\r\ndata: token\n\n\r\nd\r\ndata: token\n\n\r\n"},
		{"until close", ok + "\r\n", "data: token\n\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var c counter
			data, piece := client.Answering(&c, test.head), []byte(test.piece)
			n := testing.AllocsPerRun(1000, func() { data(piece) })
			if n != 0 {
				t.Errorf("got %v allocations a piece, want none", n)
			}
			if c.bytes < 1001*len("data: token\n\n") || c.ends != 0 {
				t.Errorf("got %d bytes and %d ends, want all and none", c.bytes, c.ends)
			}
		})
	}
}

// A whole call on a pooled connection allocates the Call and nothing else, on
// real sockets and with all that reactor does for it.
func TestCallAllocations(t *testing.T) {
	ln, addr := listen(t, "tcp")
	go answerAll(ln, len(getHead))
	d := realDesk(t, addr)
	callAllocations(t, d, func(recv client.Receiver) error {
		_, err := d.pool.Do(get, recv)
		return err
	})
}

// So does one of an Origin, which renders the head.
func TestOriginCallAllocations(t *testing.T) {
	ln, addr := listen(t, "tcp")
	d := realDesk(t, addr)
	o := &client.Origin{Endpoint: endpoint(t, "http://"+addr), Header: fields("Authorization: Bearer k")}
	req := client.Request{Method: "POST", Path: []byte("/v1/x"), Query: []byte("q=1"), Fields: fields("a: 1", "Connection: close"), Body: []byte("hello")}
	go answerAll(ln, len("POST /v1/x?q=1 HTTP/1.1\r\nHost: \r\na: 1\r\nAuthorization: Bearer k\r\nContent-Length: 5\r\n\r\nhello"+addr))
	callAllocations(t, d, func(recv client.Receiver) error {
		_, err := o.Do(d.loop(), &req, recv)
		return err
	})
}

// So does one over TLS, but for what crypto/tls allocates for each record that
// it reads.
func TestTLSCallAllocations(t *testing.T) {
	ln, addr := listen(t, "tcp")
	id := tlstest.New(t, "127.0.0.1")
	d := realDesk(t, addr)
	o := &client.Origin{Endpoint: endpoint(t, "https://"+addr), Roots: id.Pool}
	req := client.Request{Method: "GET", Path: []byte("/")}
	go answerAll(tls.NewListener(ln, id.Server()), len("GET / HTTP/1.1\r\nHost: \r\n\r\n"+addr))
	callsAllocate(t, d, 2+1, func(recv client.Receiver) error { // and one in the server, which reads a record, too
		_, err := o.Do(d.loop(), &req, recv)
		return err
	})
}

func callAllocations(t *testing.T, d *desk, do func(client.Receiver) error) {
	t.Helper()
	callsAllocate(t, d, 1, do)
}

func callsAllocate(t *testing.T, d *desk, want float64, do func(client.Receiver) error) {
	t.Helper()
	const calls = 500
	over := make(chan error)
	left := 0
	c := new(counter)
	ask := func() {
		if err := do(c); err != nil {
			over <- err
		}
	}
	c.done = func() {
		if left--; left == 0 {
			over <- nil
			return
		}
		ask()
	}
	run := func(n int) {
		d.on(func() {
			left = n
			ask()
		})
		if err := <-over; err != nil {
			t.Fatal(err)
		}
	}
	run(1) // connects
	n := testing.AllocsPerRun(5, func() { run(calls) })
	if n < calls*want || n > calls*(want+0.05) {
		t.Errorf("got %v allocations a call, want %v", n/calls, want)
	}
	if want := len("hello") * (6*calls + 1); c.bytes != want { // AllocsPerRun runs once more, to warm up
		t.Errorf("got %d bytes of bodies, want %d", c.bytes, want)
	}
}

// answerAll answers each request of that many bytes on one connection until that
// ends, without allocating.
func answerAll(ln net.Listener, request int) {
	c, err := ln.Accept()
	if err != nil {
		return
	}
	defer c.Close()
	in, out := bufio.NewReader(c), []byte(answer)
	for {
		if _, err := in.Discard(request); err != nil {
			return
		}
		if _, err := c.Write(out); err != nil && err != io.EOF {
			return
		}
	}
}
