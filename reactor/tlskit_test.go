package reactor_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"

	"weir/internal/memloop"
	"weir/internal/tlstest"
	"weir/reactor"
)

// versions are those of TLS that are spoken.
var versions = map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

// secured runs a test with each version, on sockets and on memory.
func secured(t *testing.T, test func(w *secureWorld)) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(w *world) { test(newSecureWorld(w, version)) })
		})
	}
}

// securedMemory is secured without sockets.
func securedMemory(t *testing.T, test func(w *secureWorld)) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			onMemory(t, func(w *world) { test(newSecureWorld(w, version)) })
		})
	}
}

// secureWorld is a world whose connections speak TLS.
type secureWorld struct {
	*world
	id     *tlstest.Identity
	tls    *reactor.TLS
	client *tls.Config
}

func newSecureWorld(w *world, version uint16) *secureWorld {
	id := tlstest.New(w, "weir.test")
	s := &secureWorld{world: w, id: id, tls: &reactor.TLS{Config: id.Server()}, client: id.Client()}
	s.client.MinVersion, s.client.MaxVersion = version, version
	return s
}

func (w *secureWorld) start(cfg reactor.Config) {
	w.Helper()
	w.world.start(cfg)
	if w.kernel == nil {
		addr, err := w.r.ListenTLS("127.0.0.1:0", w.tls)
		if err != nil {
			w.Fatal(err)
		}
		w.addr = addr.String()
	}
}

// raw connects without a handshake.
func (w *secureWorld) raw() (client, *probe) {
	w.Helper()
	if w.kernel == nil {
		return w.world.dial()
	}
	fd, c := w.kernel.Pipe()
	if err := w.r.AttachTLS(w.loop(), fd, c.LocalAddr().(*net.TCPAddr).AddrPort(), w.tls); err != nil {
		w.Fatal(err)
	}
	return c, <-w.came
}

// secureClient is the test's end of a connection that speaks TLS.
type secureClient struct {
	*tls.Conn
	raw client
}

func (c *secureClient) memory() *memloop.Client { return c.raw.(*memloop.Client) }

// dial connects and shakes hands.
func (w *secureWorld) dial() (*secureClient, *probe) {
	w.Helper()
	raw, p := w.raw()
	c := &secureClient{tls.Client(raw, w.client), raw}
	if err := c.Handshake(); err != nil {
		w.Fatal(err)
	}
	return c, p
}

// reads expects exactly want, then the end when it ends with "$".
func (w *secureWorld) reads(c *secureClient, want string) {
	w.Helper()
	w.world.reads(endless{c.Conn, c.raw}, want)
}

// endless lends a tls.Conn the methods of a client.
type endless struct {
	*tls.Conn
	raw client
}

func (e endless) Reset() { e.raw.Reset() }

// write sends without waiting for more than the kernel.
func (w *secureWorld) write(c io.Writer, text string) {
	w.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		w.Fatal(err)
	}
}

func (w *secureWorld) settle() {
	if w.kernel != nil {
		synctest.Wait()
	}
}

// failedTLS expects the handler's last call, with an error of TLS.
func failedTLS(t testing.TB, p *probe) {
	t.Helper()
	p.expect(t, "closed")
	if e := new(reactor.TLSError); !errors.As(p.cause, &e) {
		t.Errorf("got the cause %v, want a TLSError", p.cause)
	}
}
