package reactor_test

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"weir/reactor"
)

// Room in the kernel's buffer is not progress of the peer: a peer that reads
// nothing is cut although the buffer grows.
func TestRoomIsNotProgress(t *testing.T) {
	onMemory(t, func(w *world) {
		w.start(reactor.Config{WriteStall: 30 * time.Second})
		c, p := w.memory()
		c.SetWindow(10)
		begin := time.Now()
		p.send(string(make([]byte, 1000)))
		for window := 20; window < 40; window += 10 {
			time.Sleep(12 * time.Second) // of the bubble's clock
			c.SetWindow(window)
			synctest.Wait()
		}
		p.silent(w)
		p.expect(w, "closed")
		if got := time.Since(begin); p.cause != reactor.ErrStalled || got < 30*time.Second || got > 31*time.Second {
			w.Errorf("got cause %v after %v, want ErrStalled after 30 s", p.cause, got)
		}
	})
}

// A peer that took nothing before output was blocked has its time from then on.
func TestStallCountsFromTheBlock(t *testing.T) {
	onMemory(t, func(w *world) {
		w.start(reactor.Config{WriteStall: 30 * time.Second})
		c, p := w.memory()
		c.SetWindow(10)
		p.send("0123456789")
		p.send("x")
		time.Sleep(time.Second)
		w.reads(c, "0123456789x")
		p.send("0123456789")
		time.Sleep(time.Hour) // nothing waits in the output
		begin := time.Now()
		p.send("y")
		p.expect(w, "closed")
		if got := time.Since(begin); got < 30*time.Second || got > 31*time.Second {
			w.Errorf("got cut after %v, want 30 s", got)
		}
	})
}

// On sockets: who reads slowly, but steadily, is not cut; who stops is, once he
// has taken nothing for the stall time.
func TestSlowReaderOnSockets(t *testing.T) {
	const stall = 2 * time.Second
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			onSockets(t, func(w *world) {
				w.start(reactor.Config{WriteStall: stall})
				addr := w.addr
				if network == "unix" {
					addr = filepath.Join(w.TempDir(), "s")
					if _, err := w.r.Listen("unix:" + addr); err != nil {
						w.Fatal(err)
					}
				}
				c, err := net.Dial(network, addr)
				if err != nil {
					w.Fatal(err)
				}
				defer c.Close()
				if tcp, ok := c.(*net.TCPConn); ok {
					tcp.SetReadBuffer(64 << 10)
				}
				p := <-w.came
				p.onDrained = func() {}
				go func() { // as much as the connection takes
					piece := make([]byte, 16<<10)
					for p.err() == nil {
						p.conn.Lock()
						room := p.conn.Room()
						p.conn.Unlock()
						if room != nil {
							<-room
							continue
						}
						p.send(string(piece))
					}
				}()
				tick := time.NewTicker(stall / 16)
				defer tick.Stop()
				piece := make([]byte, 16<<10)
				for range 3 * 16 { // three times the stall time
					<-tick.C
					if _, err := io.ReadFull(c, piece); err != nil {
						w.Fatalf("a slow reader was cut: %v", err)
					}
				}
				last := time.Now()
				for said := ""; said != "closed"; {
					said = <-p.said
				}
				if got := time.Since(last); p.cause != reactor.ErrStalled || got < stall/2 {
					w.Errorf("got cause %v %v after the last read, want ErrStalled", p.cause, got)
				}
				w.Logf("cut %v after the last read", time.Since(last))
				if _, err := io.Copy(io.Discard, c); network == "tcp" && !errors.Is(err, syscall.ECONNRESET) {
					w.Errorf("client: got %v, want ECONNRESET", err)
				}
			})
		})
	}
}
