package reactor_test

import (
	"io"
	"net"
	"testing"

	"weir/reactor"
)

// The write side against net.Conn, on a loopback connection whose client reads
// as fast as it can:
//
//	go test -run '^$' -bench Write ./reactor

const frameSize = 70 // a token as an event in a chunk

// sink accepts one connection and reads it to the end.
func sink(b *testing.B) (addr string) {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ln.Close() })
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		scrap := make([]byte, 256<<10)
		for err == nil {
			_, err = c.Read(scrap)
		}
	}()
	return ln.Addr().String()
}

// output is a connection of a reactor to a sink.
func output(b *testing.B) *reactor.Conn {
	b.Helper()
	r, err := reactor.New(reactor.Config{Loops: 1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(r.Close)
	p := newProbe(nil)
	l, addr := r.Loops()[0], sink(b)
	dialled := make(chan error)
	l.Post(reactor.TaskFunc(func() {
		var err error
		p.conn, err = l.Dial(addr, p)
		dialled <- err
	}))
	if err := <-dialled; err != nil {
		b.Fatal(err)
	}
	p.expect(b, "connected")
	go func() {
		for range p.said { // Drained
		}
	}()
	b.Cleanup(func() { r.Close(); close(p.said) })
	return p.conn
}

// put is what a producer does with a frame: it waits for room, appends and flushes.
func put(c *reactor.Conn, frame []byte) {
	c.Lock()
	for room := c.Room(); room != nil; room = c.Room() {
		c.Unlock()
		<-room
		c.Lock()
	}
	b := c.Buffer()
	*b = append(*b, frame...)
	c.Flush()
}

func BenchmarkWriteOutput(b *testing.B) {
	c, frame := output(b), make([]byte, frameSize)
	b.SetBytes(frameSize)
	b.ReportAllocs()
	for b.Loop() {
		put(c, frame)
	}
}

func BenchmarkWriteNetConn(b *testing.B) {
	c, frame := netConn(b), make([]byte, frameSize)
	b.SetBytes(frameSize)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(frame); err != nil {
			b.Fatal(err)
		}
	}
}

func netConn(b *testing.B) net.Conn {
	b.Helper()
	c, err := net.Dial("tcp", sink(b))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	return c
}

// Eight goroutines share a connection; net.Conn serializes their writes, Output
// has one of them take the others' frames along.
func BenchmarkWriteSharedOutput(b *testing.B) {
	c, frame := output(b), make([]byte, frameSize)
	shared(b, func() { put(c, frame) })
}

func BenchmarkWriteSharedNetConn(b *testing.B) {
	c, frame := netConn(b), make([]byte, frameSize)
	shared(b, func() {
		if _, err := c.Write(frame); err != nil {
			b.Error(err)
		}
	})
}

func shared(b *testing.B, write func()) {
	b.SetBytes(frameSize)
	b.ReportAllocs()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			write()
		}
	})
}

// A large payload, from the caller's memory and copied.
func BenchmarkWriteLarge(b *testing.B) {
	head, big, tail := []byte("10000\r\n"), make([]byte, 64<<10), []byte("\r\n")
	b.Run("FlushWith", func(b *testing.B) {
		c := output(b)
		b.SetBytes(int64(len(big)))
		b.ReportAllocs()
		for b.Loop() {
			c.Lock()
			for room := c.Room(); room != nil; room = c.Room() {
				c.Unlock()
				<-room
				c.Lock()
			}
			buf := c.Buffer()
			*buf = append(*buf, head...)
			c.FlushWith(big, tail)
		}
	})
	b.Run("copied", func(b *testing.B) {
		c := output(b)
		frame := append(append(append([]byte(nil), head...), big...), tail...)
		b.SetBytes(int64(len(big)))
		b.ReportAllocs()
		for b.Loop() {
			put(c, frame)
		}
	})
	b.Run("net.Buffers", func(b *testing.B) {
		c := netConn(b)
		b.SetBytes(int64(len(big)))
		b.ReportAllocs()
		for b.Loop() {
			bufs := net.Buffers{head, big, tail}
			if _, err := bufs.WriteTo(c); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// Small frames that wait for one another: the cost of a turn, not of bandwidth.
func BenchmarkRoundTrip(b *testing.B) {
	r, err := reactor.New(reactor.Config{Loops: 1, Accept: func(c *reactor.Conn) reactor.Handler {
		p := newProbe(c)
		p.onData = p.echo
		return p
	}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(r.Close)
	addr, err := r.Listen("127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	frame := make([]byte, frameSize)
	b.ReportAllocs()
	for b.Loop() {
		c.Write(frame)
		if _, err := io.ReadFull(c, frame); err != nil {
			b.Fatal(err)
		}
	}
}
