package reactor_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/internal/memloop"
	"weir/internal/tlstest"
	"weir/reactor"
)

// The headers of these tests, both of the same client.
const (
	proxyLine   = "PROXY TCP4 203.0.113.9 192.0.2.2 4711 80\r\n"
	proxyBinary = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0f\xcb\x00\x71\x09\xc0\x00\x02\x02\x12\x67\x00\x50\x04\x00\x00"
	proxyLocal  = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
)

// behind connects a client in memory to a listener with those parameters.
func (w *world) behind(params string, t *reactor.TLS) *memloop.Client {
	w.Helper()
	fd, c := w.kernel.Pipe()
	if err := w.r.AttachBehind(w.loop(), fd, netip.MustParseAddrPort("192.0.2.1:40000"), params, t); err != nil {
		w.Fatal(err)
	}
	return c
}

// M9: the header is cut at every byte, with and without what follows in the same
// piece. The handler is made behind it, and knows the client.
func TestProxyHeader(t *testing.T) {
	for _, tt := range []struct{ header, remote string }{
		{proxyLine, "203.0.113.9:4711"}, {proxyBinary, "203.0.113.9:4711"}, {proxyLocal, "192.0.2.1:40000"}, {"PROXY UNKNOWN\r\n", "192.0.2.1:40000"},
	} {
		onMemory(t, func(w *world) {
			w.start(reactor.Config{})
			for cut := range len(tt.header) + 1 {
				for _, rest := range []string{"", "hello"} {
					c := w.behind("proxy=192.0.2.0/24", nil)
					_, _ = io.WriteString(c, tt.header[:cut])
					w.settle()
					if cut < len(tt.header) {
						select {
						case <-w.came:
							w.Fatalf("a handler after %d bytes", cut)
						default:
						}
					}
					_, _ = io.WriteString(c, tt.header[cut:]+rest)
					p := <-w.came
					if got := p.conn.RemoteAddr().String(); got != tt.remote {
						w.Errorf("got %s, want %s", got, tt.remote)
					}
					if rest == "" {
						_, _ = io.WriteString(c, "hello")
					}
					p.expect(w, "data hello")
					_ = c.CloseWrite()
					p.expect(w, "peer closed")
					w.do(p.conn.Close)
					p.expect(w, "closed")
				}
			}
		})
	}
}

// M9: what a handler does not consume behind the header is shown again.
func TestProxyUnconsumed(t *testing.T) {
	for _, cut := range []int{0, 20} {
		onMemory(t, func(w *world) {
			w.setup = func(p *probe) { p.onData = func(b []byte) int { return len(b) / 2 } }
			w.start(reactor.Config{})
			c := w.behind("proxy=192.0.2.1", nil)
			_, _ = io.WriteString(c, proxyLine[:cut])
			w.settle()
			_, _ = io.WriteString(c, proxyLine[cut:]+"abcd")
			p := <-w.came
			w.settle()
			var got int
			w.do(func() { got = p.conn.Buffered() })
			if got != 2 {
				w.Errorf("got %d bytes kept, want 2", got)
			}
			c.Reset()
		})
	}
}

// M9: who is not a proxy is closed without a handler; so is one who says nothing
// in time, something else, half of it, or too much.
func TestProxyRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		params, sent string
		wait         time.Duration
	}{
		"a stranger":              {"proxy=10.0.0.0/8", proxyLine + "hello", 0},
		"a stranger, of loopback": {"proxy=loopback,unix", proxyLine + "hello", 0},
		"a request":               {"proxy=*", "GET / HTTP/1.1\r\n\r\n", 0},
		"silence":                 {"proxy=*", "", 5 * time.Second},
		"half a header":           {"proxy=*&proxy-timeout=2s", proxyLine[:20], 2 * time.Second},
		"half a header, binary":   {"proxy=*", proxyBinary[:20], 5 * time.Second},
		"too much":                {"proxy=*", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\xff\xff", 0},
	} {
		onMemory(t, func(w *world) {
			w.start(reactor.Config{})
			c := w.behind(tt.params, nil)
			_, _ = io.WriteString(c, tt.sent)
			if w.settle(); tt.wait > 0 {
				if c.End() != nil {
					w.Errorf("%s: closed too early", name)
				}
				time.Sleep(tt.wait)
				w.settle()
			}
			if c.End() == nil || len(w.came) > 0 {
				w.Errorf("%s: got %v and %d handlers, want that it is closed", name, c.End(), len(w.came))
			}
			_ = c.Close()
		})
	}
	onMemory(t, func(w *world) { // FIN behind a part
		w.start(reactor.Config{})
		c := w.behind("proxy=*", nil)
		_, _ = io.WriteString(c, proxyLine[:9])
		_ = c.CloseWrite()
		w.settle()
		if c.End() == nil || w.r.Connections() != 0 {
			w.Error("a connection of half a header is still there")
		}
	})
}

// M9: TLS begins behind the header, in the same segment or another.
func TestProxyTLS(t *testing.T) {
	identity := tlstest.New(t, "test")
	for _, header := range []string{proxyLine, proxyBinary} {
		onMemory(t, func(w *world) {
			w.start(reactor.Config{})
			c := w.behind("proxy=*", &reactor.TLS{Config: identity.Server()})
			cfg := identity.Client()
			cfg.ServerName = "test"
			client := tls.Client(&prefixed{Conn: c, prefix: header}, cfg)
			if err := client.Handshake(); err != nil {
				w.Fatal(err)
			}
			p := <-w.came
			_, _ = io.WriteString(client, "hello")
			p.expect(w, "data hello")
			if got := p.conn.RemoteAddr().String(); got != "203.0.113.9:4711" || p.conn.TLS() == nil {
				w.Errorf("got %s, %v", got, p.conn.TLS())
			}
			_ = client.Close()
		})
	}
}

// prefixed is a connection whose first Write has something in front.
type prefixed struct {
	net.Conn
	prefix string
}

func (c *prefixed) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(append([]byte(c.prefix), p...))
	n, c.prefix = max(0, n-len(c.prefix)), ""
	return n, err
}

// M9: the parameters of addresses, over TCP and unix sockets.
func TestProxyListen(t *testing.T) {
	w := &world{T: t, came: make(chan *probe, 64)}
	w.start(reactor.Config{})
	for _, addr := range []string{"127.0.0.1:0?proxy=loopback", "unix:" + filepath.Join(t.TempDir(), "s") + "?proxy=unix&mode=0600"} {
		at, err := w.r.Listen(addr)
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial(at.Network(), at.String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, proxyLine+"hello")
		p := <-w.came
		p.expect(w, "data hello")
		if got := p.conn.RemoteAddr().String(); got != "203.0.113.9:4711" {
			t.Errorf("%s: got %s", addr, got)
		}
		_ = c.Close()
	}
	for addr, want := range map[string]string{
		"127.0.0.1:0?proxy=":                                    "is not an address",
		"127.0.0.1:0?proxy=everybody":                           "is not an address",
		"127.0.0.1:0?proxy=10.0.0.0/8,":                         "is not an address",
		"127.0.0.1:0?proxy-timeout=5s":                          "without proxy",
		"127.0.0.1:0?proxy=*&proxy-timeout=-1s":                 "want a duration",
		"127.0.0.1:0?proxy=*&proxy-timeout=x":                   "want a duration",
		"127.0.0.1:0?proxy=*&proxy-timeout=1s&proxy-timeout=2s": "twice",
		"127.0.0.1:0?mode=0600":                                 `unknown parameter "mode"`,
		"127.0.0.1:0?proxy=%":                                   "invalid URL escape",
		"unix:/a?proxy=*&owner=x":                               `unknown parameter "owner"`,
	} {
		if _, err := w.r.Listen(addr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", addr, err, want)
		}
	}
	if rest, err := reactor.TrimProxy("unix:/a?mode=0600&proxy=unix"); rest != "unix:/a?mode=0600" || err != nil {
		t.Errorf("got %q, %v", rest, err)
	}
}
