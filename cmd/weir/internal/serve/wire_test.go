package serve

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// wire stands between the gateway and an upstream. It passes everything on, the
// ends of connections too, and counts them.
type wire struct {
	url string // for the gateway
	to  net.Addr

	// crossing, if set, keeps an upstream's end back until the gateway sends
	// its next request, as if they had met halfway, and then lets it have that
	// end: "fin" or "reset".
	crossing string

	opened  atomic.Int64 // connections, by the gateway
	ended   atomic.Int64 // those that the upstream ended first
	told    atomic.Int64 // of these, whose end was passed on to the gateway
	dropped atomic.Int64 // of these, those that the gateway then closed
	first   atomic.Int64 // those that the gateway ended first
	crossed atomic.Int64 // times that the gateway sent to an upstream that had ended, without a chance to know
	wasted  atomic.Int64 // times that it sent although it had been told
}

// startWire starts a wire for the time of the test.
func startWire(t *testing.T, to net.Addr, crossing string) *wire {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{url: "http://" + ln.Addr().String(), to: to, crossing: crossing}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			w.opened.Add(1)
			all.Go(func() { w.carry(in.(*net.TCPConn)) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		all.Wait()
	})
	return w
}

// carry ends when the gateway ends the connection.
func (w *wire) carry(in *net.TCPConn) {
	defer in.Close()
	out, err := net.Dial(w.to.Network(), w.to.String())
	if err != nil {
		return
	}
	c := &carried{w: w, asked: make(chan struct{})}
	var back sync.WaitGroup
	back.Go(func() { c.answers(in, out) })
	c.requests(out, in)
	out.Close()
	back.Wait()
}

// carried is what both directions of a connection know.
type carried struct {
	w           *wire
	ended, told atomic.Bool
	once        sync.Once
	asked       chan struct{} // closed when the gateway has sent after the upstream's end, or ended
}

// requests passes on what the gateway sends, until it ends.
func (c *carried) requests(out io.Writer, in *net.TCPConn) {
	defer c.once.Do(func() { close(c.asked) })
	piece := make([]byte, 4<<10)
	for {
		n, err := in.Read(piece)
		switch {
		case n > 0 && c.told.Load():
			c.w.wasted.Add(1)
			_ = in.SetLinger(0) // Close resets then, as the upstream's system would
			return
		case n > 0 && c.ended.Load():
			c.once.Do(func() {
				c.w.crossed.Add(1)
				close(c.asked)
			})
		case n > 0:
			_, _ = out.Write(piece[:n]) // that it has ended is seen in answers
		}
		if err != nil {
			c.left()
			return
		}
	}
}

// left counts an end that came from the gateway.
func (c *carried) left() {
	switch {
	case c.told.Load():
		c.w.dropped.Add(1)
	case !c.ended.Swap(true):
		c.w.first.Add(1)
	}
}

// answers passes on what the upstream sends, and its end.
func (c *carried) answers(in *net.TCPConn, out io.Reader) {
	_, _ = io.Copy(in, out) // either side's end
	if c.ended.Swap(true) {
		return // the gateway has gone before
	}
	c.w.ended.Add(1)
	if c.w.crossing != "" {
		<-c.asked
	}
	c.told.Store(true)
	if c.w.crossing == "reset" {
		_ = in.SetLinger(0) // Close resets then
		in.Close()
	} else {
		_ = in.CloseWrite() // if it is not gone
	}
	c.w.told.Add(1)
}
