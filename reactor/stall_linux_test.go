package reactor_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"weir/reactor"
)

// A peer that stalls holds half a mebibyte at most, in the connection and in
// the kernel together, whatever the size of the pieces.
func TestStalledReaderIsBounded(t *testing.T) {
	const bound = 512 << 10
	for _, size := range []int{200, 4000, 64 << 10} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			onSockets(t, func(w *world) {
				w.start(reactor.Config{})
				piece := make([]byte, size)
				for range 3 {
					c, p := w.dial()
					kernel := 0
					for kernel == 0 || p.roomy() { // until the peer's kernel takes no more
						for p.roomy() {
							p.conn.Lock()
							p.conn.FlushWith(piece, nil)
						}
						w.settle()
						kernel = sendQueue(t, c)
						if err := p.err(); err != nil { // or there would be room for ever
							t.Fatalf("got %d bytes in the kernel, and %v, before the peer's kernel was full", kernel, err)
						}
					}
					p.conn.Lock()
					own := cap(*p.conn.Buffer())
					p.conn.Unlock()
					if kernel+own > bound {
						t.Errorf("got %d bytes in the kernel and a buffer of %d, want %d together", kernel, own, bound)
					}
				}
			})
		})
	}
}

// roomy reports whether a producer may go on.
func (p *probe) roomy() bool {
	p.conn.Lock()
	defer p.conn.Unlock()
	return p.conn.Err() == nil && p.conn.Room() == nil
}

// sendQueue is what the kernel holds for the peer, whose end c is. A port alone
// may belong to connections of other processes too.
func sendQueue(t *testing.T, c net.Conn) (bytes int) {
	t.Helper()
	table, err := os.ReadFile("/proc/self/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	local, remote := inTable(c.RemoteAddr()), inTable(c.LocalAddr())
	for _, line := range strings.Split(string(table), "\n") {
		// number, local and remote address, state, send queue:receive queue
		if f := strings.Fields(line); len(f) > 4 && f[1] == local && f[2] == remote {
			if _, err := fmt.Sscanf(f[4], "%X:", &bytes); err != nil {
				t.Fatal(err)
			}
			return bytes
		}
	}
	t.Fatalf("no connection from %v to %v is in /proc/self/net/tcp", c.RemoteAddr(), c.LocalAddr())
	return 0
}

func inTable(a net.Addr) string { return fmt.Sprintf("0100007F:%04X", a.(*net.TCPAddr).Port) }
