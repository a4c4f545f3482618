//go:build !race && !invariants

package reactor_test

import (
	"crypto/tls"
	"testing"

	"weir/internal/memloop"
	"weir/internal/tlstest"
	"weir/reactor"
)

// A token over TLS allocates nothing.
func TestTLSAllocations(t *testing.T) {
	id := tlstest.New(t, "weir.test")
	k := memloop.New()
	came := make(chan *reactor.Conn, 1)
	r, err := reactor.New(reactor.Config{Loops: 1, System: k, Accept: func(c *reactor.Conn) reactor.Handler {
		came <- c
		return nothing{}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	fd, client := k.Pipe()
	if err := r.AttachTLS(r.Loops()[0], fd, noAddr, &reactor.TLS{Config: id.Server()}); err != nil {
		t.Fatal(err)
	}
	if err := tls.Client(client, id.Client()).Handshake(); err != nil {
		t.Fatal(err)
	}
	client.Discard()
	c, frame := <-came, make([]byte, 70)
	for c.TLS() == nil { // the server's side is complete a moment later
	}
	n := testing.AllocsPerRun(1000, func() {
		c.Lock()
		b := c.Buffer()
		*b = append(*b, frame...)
		c.Flush()
	})
	if n != 0 {
		t.Errorf("got %v allocations, want none", n)
	}
}
