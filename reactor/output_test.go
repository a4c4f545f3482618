package reactor_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/memloop"
	"weir/reactor"
)

func TestOneWritePerTurn(t *testing.T) {
	onMemory(t, func(w *world) {
		w.setup = func(p *probe) {
			p.onData = func(b []byte) int {
				for i := range b {
					p.echo(b[i : i+1])
				}
				p.conn.Lock()
				add(p.conn, "!")
				p.conn.Unlock()
				return len(b)
			}
		}
		w.start(reactor.Config{})
		c, _ := w.memory()
		c.Write([]byte("abc"))
		if got, err := c.NextWrite(); string(got) != "abc!" || err != nil {
			w.Errorf("got %q, %v, want all in one write", got, err)
		}
	})
}

// What is appended while somebody is in write(2) is taken along by the writer.
func TestCombining(t *testing.T) {
	onMemory(t, func(w *world) {
		w.start(reactor.Config{})
		c, p := w.memory()
		entered, release := c.HoldWrite()
		done := make(chan struct{})
		go func() {
			defer close(done)
			p.send("one ")
		}()
		<-entered
		p.send("two ") // returns at once
		p.send("three")
		release()
		<-done
		for _, want := range []string{"one ", "two three"} {
			if got, err := c.NextWrite(); string(got) != want || err != nil {
				w.Errorf("got %q, %v, want %q", got, err, want)
			}
		}
		if got := c.WriteCalls(); got != 2 {
			w.Errorf("got %d writes, want 2", got)
		}
	})
}

func TestFlushGoesOnWhenThereIsRoom(t *testing.T) {
	onMemory(t, func(w *world) {
		w.start(reactor.Config{})
		c, p := w.memory()
		c.SetWindow(4)
		p.send("0123456789")
		if got := p.pending(); got != 6 {
			w.Fatalf("got %d bytes pending, want 6", got)
		}
		calls := c.WriteCalls()
		p.send("ab")
		if got := c.WriteCalls(); got != calls {
			w.Errorf("got %d more writes while blocked, want none", got-calls)
		}
		w.reads(c, "0123456789ab")
		if got := p.pending(); got != 0 {
			w.Errorf("got %d bytes pending, want none", got)
		}
	})
}

// The kernel may announce room between a write that finds none and the moment
// at which the writer has noted it.
func TestRoomAnnouncedDuringWrite(t *testing.T) {
	onMemory(t, func(w *world) {
		w.start(reactor.Config{})
		c, p := w.memory()
		c.SetWindow(0)
		start := time.Now()
		entered, release := c.HoldWrite()
		done := make(chan struct{})
		go func() {
			defer close(done)
			p.send("through")
		}()
		<-entered
		c.SetWindow(100)
		synctest.Wait() // the loop has seen the edge
		release()
		<-done
		w.reads(c, "through")
		if got := time.Since(start); got != 0 {
			w.Errorf("got it after %v, want it at once", got)
		}
	})
}

// A short write may end anywhere: before, in and behind the payload.
func TestFlushWithAtEveryShortWrite(t *testing.T) {
	head, tail, after := "head:", ":tail\r\n", "<after>"
	for _, size := range []int{0, 100, 4<<10 + 1} {
		big := pattern(size)
		want := head + string(big) + tail + after
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			onMemory(t, func(w *world) {
				w.start(reactor.Config{})
				c, p := w.memory()
				for k := range len(want) - len(after) {
					c.ShortWrite(1, k)
					if k > 0 {
						c.ShortWrite(3, 1) // after the one that has to wait
					}
					p.conn.Lock()
					add(p.conn, head)
					p.conn.FlushWith(big, []byte(tail))
					p.send(after)
					got := make([]byte, len(want))
					if n, err := io.ReadFull(c, got); err != nil || string(got) != want {
						w.Fatalf("short after %d: got %d bytes, %v, want them as they were", k, n, err)
					}
					w.settle()
				}
				if c.Pending() != 0 || p.pending() != 0 {
					w.Error("got more than was sent")
				}
			})
		})
	}
}

// Frames of others that come during a large payload's short write stay behind it.
func TestFlushWithBesideOthers(t *testing.T) {
	big := pattern(8 << 10)
	want := "head:" + string(big) + ":tail" + "other"
	onMemory(t, func(w *world) {
		w.start(reactor.Config{})
		c, p := w.memory()
		for _, k := range []int{0, 3, 5, 6, 8 << 10, 5 + 8<<10, 7 + 8<<10, 10 + 8<<10} {
			c.ShortWrite(1, k)
			entered, release := c.HoldWrite()
			done := make(chan struct{})
			go func() {
				defer close(done)
				p.conn.Lock()
				add(p.conn, "head:")
				p.conn.FlushWith(big, []byte(":tail"))
			}()
			<-entered
			p.send("other")
			release()
			<-done
			w.reads(c, want)
			w.settle()
		}
	})
}

func TestFlushWithIsOneWrite(t *testing.T) {
	for _, size := range []int{1, 4<<10 - 1, 4 << 10, 64 << 10} {
		onMemory(t, func(w *world) {
			w.start(reactor.Config{})
			c, p := w.memory()
			big := pattern(size)
			p.conn.Lock()
			add(p.conn, "h")
			p.conn.FlushWith(big, []byte("t"))
			clear(big) // the caller's again
			if got, _ := c.NextWrite(); string(got) != "h"+string(pattern(size))+"t" {
				w.Errorf("%d: got a write of %d bytes, want %d unchanged", size, len(got), size+2)
			}
			if got := c.WriteCalls(); got != 1 {
				w.Errorf("%d: got %d writes, want 1", size, got)
			}
		})
	}
}

func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i * 7)
	}
	return p
}

// Many goroutines, a client that reads slowly: every frame arrives whole, and
// those of one goroutine in their order.
func TestManyWriters(t *testing.T) {
	const writers, frames = 8, 300
	everywhere(t, func(w *world) {
		w.start(reactor.Config{HighMark: 16 << 10})
		c, p := w.dial()
		switch c := c.(type) {
		case tcpClient:
			c.SetReadBuffer(128 << 10)
		case *memloop.Client:
			c.SetWindow(1000)
		}
		var done sync.WaitGroup
		for id := range writers {
			done.Go(func() { produce(p, byte(id), frames) })
		}
		if err := checkFrames(c, writers, frames); err != nil {
			w.Error(err)
		}
		done.Wait()
		if got := p.pending(); got != 0 {
			w.Errorf("got %d bytes pending, want none", got)
		}
	})
}

// produce sends frames of id, number, size and payload; every fourth with FlushWith.
func produce(p *probe, id byte, frames int) {
	rnd := rand.New(rand.NewPCG(1, uint64(id)))
	for i := range frames {
		body := bytes.Repeat([]byte{id ^ byte(i)}, 1+rnd.IntN(3000)*(1+i%4))
		var head [9]byte
		head[0] = id
		binary.BigEndian.PutUint32(head[1:], uint32(i))
		binary.BigEndian.PutUint32(head[5:], uint32(len(body)))
		p.conn.Lock()
		for room := p.conn.Room(); room != nil; room = p.conn.Room() {
			p.conn.Unlock()
			<-room
			p.conn.Lock()
		}
		add(p.conn, head[:])
		if i%4 == 3 {
			p.conn.FlushWith(body[:len(body)-1], body[len(body)-1:])
			clear(body)
			continue
		}
		add(p.conn, body)
		p.conn.Flush()
	}
}

func checkFrames(c net.Conn, writers, frames int) error {
	next := make([]uint32, writers)
	var head [9]byte
	for range writers * frames {
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return err
		}
		id, i := head[0], binary.BigEndian.Uint32(head[1:])
		if int(id) >= writers || i != next[id] {
			return fmt.Errorf("got frame %d of writer %d, out of order", i, id)
		}
		next[id]++
		body := make([]byte, binary.BigEndian.Uint32(head[5:]))
		if _, err := io.ReadFull(c, body); err != nil {
			return err
		}
		if bytes.Count(body, []byte{id ^ byte(i)}) != len(body) {
			return fmt.Errorf("frame %d of writer %d was mixed with others", i, id)
		}
	}
	return nil
}

func TestMarks(t *testing.T) {
	onMemory(t, func(w *world) {
		w.start(reactor.Config{HighMark: 100, LowMark: 20})
		c, p := w.memory()
		c.SetWindow(0)
		look := func() (room <-chan struct{}, backlogged bool) {
			p.conn.Lock()
			defer p.conn.Unlock()
			return p.conn.Room(), p.conn.Backlogged()
		}
		p.send(strings.Repeat("x", 100))
		if room, backlogged := look(); room != nil || backlogged {
			w.Fatal("at the high mark: got a reason to wait, want none")
		}
		p.send("x")
		room, backlogged := look()
		if room == nil || !backlogged {
			w.Fatal("above the high mark: got no reason to wait")
		}
		c.SetWindow(80)
		synctest.Wait() // 21 are pending
		select {
		case <-room:
			w.Fatal("above the low mark: got room")
		default:
		}
		if again, _ := look(); again != room {
			w.Fatal("below the high mark, but not yet at the low one: got another answer")
		}
		p.silent(w)
		c.SetWindow(81)
		<-room
		p.expect(w, "drained")
		if room, backlogged := look(); room != nil || backlogged {
			w.Fatal("at the low mark: got a reason to wait, want none")
		}
		c.SetWindow(1000)
		synctest.Wait()
		p.silent(w)
	})
}

// A producer that waits at the high mark and goes on at the low one never lets
// the buffer run empty. It must not grow by what was sent. // L8
func TestBufferStaysSmall(t *testing.T) {
	const high = 8 << 10
	onMemory(t, func(w *world) {
		w.start(reactor.Config{HighMark: high})
		c, p := w.memory()
		c.SetWindow(1 << 10)
		go io.Copy(io.Discard, c)
		for range 4000 {
			p.conn.Lock()
			for room := p.conn.Room(); room != nil; room = p.conn.Room() {
				p.conn.Unlock()
				<-room
				p.conn.Lock()
			}
			b := p.conn.Buffer()
			*b = append(*b, "one token of very many, that are together much more than the mark"...)
			if got := len(*b); got > 3*high {
				p.conn.Unlock()
				w.Fatalf("got a buffer of %d, with a high mark of %d", got, high)
			}
			p.conn.Flush()
		}
	})
}

func TestRoomOpensWhenOutputIsOver(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(w *world, c client, p *probe)
		want error
	}{
		{"reset", func(_ *world, c client, _ *probe) { c.Reset() }, syscall.ECONNRESET},
		{"abort", func(w *world, _ client, p *probe) { w.do(func() { p.conn.Abort(io.ErrNoProgress) }) }, io.ErrNoProgress},
		{"stop", func(w *world, _ client, _ *probe) { w.r.Close() }, reactor.ErrStopped},
	} {
		t.Run(test.name, func(t *testing.T) {
			onMemory(t, func(w *world) {
				w.start(reactor.Config{HighMark: 10, LowMark: 1})
				c, p := w.memory()
				c.SetWindow(0)
				p.send(strings.Repeat("x", 11))
				p.conn.Lock()
				room := p.conn.Room()
				p.conn.Unlock()
				test.end(w, c, p)
				<-room
				if err := p.err(); !errors.Is(err, test.want) {
					w.Errorf("got %v, want %v", err, test.want)
				}
				p.expect(w, "closed")
			})
		})
	}
}

// A peer that takes a byte now and then is slow; one that takes none is cut. // L8
func TestWriteStall(t *testing.T) {
	onMemory(t, func(w *world) {
		w.start(reactor.Config{WriteStall: 30 * time.Second})
		c, p := w.memory()
		c.SetWindow(1)
		p.send("0123456789")
		for range 5 {
			time.Sleep(20 * time.Second) // of the bubble's clock
			c.Read(make([]byte, 1))
			synctest.Wait()
		}
		p.silent(w)
		last := time.Now()
		p.expect(w, "closed")
		if p.cause != reactor.ErrStalled {
			w.Errorf("got cause %v, want ErrStalled", p.cause)
		}
		if got := time.Since(last); got < 30*time.Second || got > 31*time.Second {
			w.Errorf("got cut after %v, want 30 s", got)
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			w.Errorf("client: got %v, want ECONNRESET", err)
		}
	})
}

func TestNoStallWhenTheRestWasTaken(t *testing.T) {
	onMemory(t, func(w *world) {
		w.start(reactor.Config{WriteStall: 30 * time.Second})
		c, p := w.memory()
		c.SetWindow(1)
		p.send("01")
		time.Sleep(29 * time.Second)
		w.reads(c, "01")
		time.Sleep(time.Hour)
		p.silent(w)
		p.send("2")
		w.reads(c, "2")
	})
}

func TestWriteErrorEndsTheConnection(t *testing.T) {
	onMemory(t, func(w *world) {
		w.start(reactor.Config{})
		c, p := w.memory()
		w.do(func() {
			p.conn.Pause()
			c.Reset()
			p.send("into the void") // before the loop hears of the reset
			if err := p.err(); !errors.Is(err, syscall.ECONNRESET) {
				w.Errorf("got %v, want ECONNRESET", err)
			}
		})
		p.expect(w, "peer closed", "closed") // the write took the error away from the event
		if !errors.Is(p.cause, syscall.ECONNRESET) {
			w.Errorf("got cause %v, want ECONNRESET", p.cause)
		}
	})
}

// Kernels announce room when a good part of their buffer is free. A peer that
// is too slow for that, but takes bytes, is not cut.
func TestSlowPeerIsNotStalled(t *testing.T) {
	onMemory(t, func(w *world) {
		w.start(reactor.Config{WriteStall: 30 * time.Second})
		c, p := w.memory()
		c.SetWindow(100)
		c.SetNotice(50)
		p.send(strings.Repeat("x", 1000))
		for range 10 {
			c.Read(make([]byte, 10))
			time.Sleep(29 * time.Second) // of the bubble's clock
			synctest.Wait()
			p.silent(w)
		}
		p.expect(w, "closed")
		if p.cause != reactor.ErrStalled {
			w.Errorf("got cause %v, want ErrStalled", p.cause)
		}
	})
}
