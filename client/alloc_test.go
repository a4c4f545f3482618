//go:build !race && !invariants

package client_test

import (
	"bufio"
	"io"
	"net"
	"testing"

	"weir/client"
	"weir/http1"
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

// A whole call on a kept connection allocates the Call and nothing else, on
// real sockets and with all that reactor does for it.
func TestCallAllocations(t *testing.T) {
	const calls = 500
	ln, addr := listen(t, "tcp")
	go answerAll(ln)
	d := realDesk(t, addr)
	if _, err := d.fetch(get); err != nil {
		t.Fatal(err)
	}
	over := make(chan error)
	left := 0
	c := new(counter)
	ask := func() {
		if _, err := d.pool.Do(get, c); err != nil {
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
	n := testing.AllocsPerRun(5, func() {
		d.on(func() {
			left = calls
			ask()
		})
		if err := <-over; err != nil {
			t.Fatal(err)
		}
	})
	if n < calls || n > calls*1.05 {
		t.Errorf("got %v allocations a call, want 1", n/calls)
	}
	if want := 6 * calls * 5; c.bytes != want { // AllocsPerRun runs once more, to warm up
		t.Errorf("got %d bytes of bodies, want %d", c.bytes, want)
	}
}

// answerAll answers each request on one connection until that ends, without
// allocating.
func answerAll(ln net.Listener) {
	c, err := ln.Accept()
	if err != nil {
		return
	}
	defer c.Close()
	in, out := bufio.NewReader(c), []byte(answer)
	for {
		if _, err := in.Discard(len(getHead)); err != nil {
			return
		}
		if _, err := c.Write(out); err != nil && err != io.EOF {
			return
		}
	}
}
