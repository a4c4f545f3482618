//go:build !race && !invariants

package reactor_test

import (
	"crypto/tls"
	"testing"

	"weir/internal/memloop"
	"weir/internal/tlstest"
	"weir/reactor"
)

// What TLS costs without the kernel: a token of 64 bytes is sealed, and what is
// written is discarded. The clear is the same without TLS.
//
//	go test -run xxx -bench Seal ./reactor
func BenchmarkSeal(b *testing.B) {
	for _, secure := range []bool{false, true} {
		name := map[bool]string{false: "clear", true: "tls"}[secure]
		b.Run(name, func(b *testing.B) {
			k := memloop.New()
			came := make(chan *reactor.Conn, 1)
			r, err := reactor.New(reactor.Config{Loops: 1, System: k, Accept: func(c *reactor.Conn) reactor.Handler {
				came <- c
				return nothing{}
			}})
			if err != nil {
				b.Fatal(err)
			}
			defer r.Close()
			fd, client := k.Pipe()
			if secure {
				id := tlstest.New(b, "weir.test")
				if err := r.AttachTLS(r.Loops()[0], fd, noAddr, &reactor.TLS{Config: id.Server()}); err != nil {
					b.Fatal(err)
				}
				if err := tls.Client(client, id.Client()).Handshake(); err != nil {
					b.Fatal(err)
				}
			} else {
				r.Attach(r.Loops()[0], fd, noAddr)
			}
			client.Discard()
			c, frame := <-came, make([]byte, 70)
			for secure && c.TLS() == nil { // the server's side is complete a moment later
			}
			b.ReportAllocs()
			for b.Loop() {
				c.Lock()
				buf := c.Buffer()
				*buf = append(*buf, frame...)
				c.Flush()
			}
		})
	}
}
