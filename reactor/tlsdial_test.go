package reactor_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/memloop"
	"weir/internal/tlstest"
	"weir/reactor"
)

// upstream is where a farWorld dials in memory.
const upstream = "127.0.0.1:443"

// farWorld is a world whose reactor dials, and whose test is the server.
type farWorld struct {
	*world
	id     *tlstest.Identity
	addr   string
	tls    *reactor.TLS
	server *tls.Config
	taken  chan client // the server's ends
}

// far runs a test with each version, on sockets and on memory.
func far(t *testing.T, test func(w *farWorld)) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(w *world) { test(newFarWorld(w, version)) })
		})
	}
}

// farMemory is far without sockets.
func farMemory(t *testing.T, test func(w *farWorld)) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			onMemory(t, func(w *world) { test(newFarWorld(w, version)) })
		})
	}
}

func newFarWorld(w *world, version uint16) *farWorld {
	w.Helper()
	id := tlstest.New(w, "weir.test")
	f := &farWorld{world: w, id: id, tls: &reactor.TLS{Config: id.Client()}, server: id.Server(), taken: make(chan client, 64)}
	f.server.MinVersion, f.server.MaxVersion = version, version
	if w.kernel != nil {
		f.addr = upstream
		w.kernel.Listen(upstream, func(c *memloop.Client) { f.taken <- c })
		return f
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { ln.Close() })
	f.addr = ln.Addr().String()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			w.Cleanup(func() { c.Close() })
			f.taken <- tcpClient{c.(*net.TCPConn)}
		}
	}()
	return f
}

// raw dials, and returns the server's end without a handshake.
func (w *farWorld) raw() (client, *probe) {
	w.Helper()
	p := newProbe(nil)
	w.dialFor(p)
	return <-w.taken, p
}

func (w *farWorld) dialFor(p *probe) {
	w.Helper()
	w.do(func() {
		var err error
		if p.conn, err = w.loop().DialTLS(w.addr, w.tls, p); err != nil {
			w.Error(err)
		}
	})
}

// dial dials and shakes hands.
func (w *farWorld) dial() (*secureClient, *probe) {
	w.Helper()
	raw, p := w.raw()
	s := &secureClient{tls.Server(raw, w.server), raw}
	if err := s.Handshake(); err != nil {
		w.Fatal(err)
	}
	p.expect(w, "connected")
	return s, p
}

func (w *farWorld) reads(s *secureClient, want string) {
	w.Helper()
	w.world.reads(endless{s.Conn, s.raw}, want)
}

func (w *farWorld) write(s io.Writer, text string) {
	w.Helper()
	if _, err := io.WriteString(s, text); err != nil {
		w.Fatal(err)
	}
}

func (w *farWorld) cut(p *probe, want bool) {
	w.Helper()
	w.do(func() {
		if got := p.conn.InputCut(); got != want {
			w.Errorf("the input is cut: %v, want %v", got, want)
		}
	})
}

// A dialled connection sees plaintext and the server's end; its own end arrives
// as close_notify and FIN.
func TestDialTLS(t *testing.T) {
	far(t, func(w *farWorld) {
		w.start(reactor.Config{})
		s, p := w.dial()
		p.send("hello")
		w.reads(s, "hello")
		w.write(s, "welcome")
		p.expect(w, "data welcome")
		w.do(func() {
			if st := p.conn.TLS(); st == nil || st.Version != w.server.MaxVersion || len(st.PeerCertificates) != 1 {
				w.Errorf("got the state %+v", st)
			}
			p.conn.Close()
		})
		w.reads(s, "$")
		s.Close()
		p.expect(w, "closed")
		if p.cause != reactor.ErrClosed {
			w.Errorf("got the cause %v, want ErrClosed", p.cause)
		}
	})
}

// What Connected does: the handshake is complete, and everything as in the clear.
func TestDialTLSConnected(t *testing.T) {
	for name, test := range map[string]struct {
		do   func(w *farWorld, p *probe)
		want string // what the server reads
		end  string // of the handler's calls
	}{
		"writes at the end of the turn": {func(_ *farWorld, p *probe) { p.echo([]byte("hello")) }, "hello", ""},
		"writes at once":                {func(_ *farWorld, p *probe) { p.send("hello") }, "hello", ""},
		"writes and closes":             {func(_ *farWorld, p *probe) { p.echo([]byte("hello")); p.conn.Close() }, "hello$", "closed"},
		"closes":                        {func(_ *farWorld, p *probe) { p.conn.Close() }, "$", "closed"},
		"drops":                         {func(_ *farWorld, p *probe) { p.conn.Drop(reactor.ErrClosed) }, "$", "closed"},
		"panics":                        {func(*farWorld, *probe) { panic("boom") }, "", "closed"},
	} {
		t.Run(name, func(t *testing.T) {
			farMemory(t, func(w *farWorld) {
				w.start(reactor.Config{})
				p := newProbe(nil)
				h := &connecting{p, func() { test.do(w, p) }}
				w.do(func() {
					var err error
					if p.conn, err = w.loop().DialTLS(w.addr, w.tls, h); err != nil {
						w.Error(err)
					}
				})
				raw := <-w.taken
				s := &secureClient{tls.Server(raw, w.server), raw}
				if err := s.Handshake(); err != nil && name != "panics" { // which resets, perhaps before the server is done
					w.Fatal(err)
				}
				if test.want != "" {
					w.reads(s, test.want)
				}
				s.Close()
				p.expect(w, "connected")
				if test.end != "" {
					p.expect(w, test.end)
				}
			})
		})
	}
}

// connecting does something more in Connected.
type connecting struct {
	*probe
	then func()
}

func (c *connecting) Connected() {
	c.probe.Connected()
	c.then()
}

// What a server ends with close_notify has ended; what ends with FIN alone may
// have been cut. A record that is not whole is not shown.
func TestDialTLSEnds(t *testing.T) {
	for name, test := range map[string]struct {
		leave func(s *secureClient)
		want  []string
		cut   bool
	}{
		"close_notify":         {func(s *secureClient) { s.CloseWrite() }, []string{"data last", "peer closed"}, false},
		"close_notify and FIN": {func(s *secureClient) { s.CloseWrite(); s.raw.CloseWrite() }, []string{"data last", "peer closed"}, false},
		"close":                {func(s *secureClient) { s.Close() }, []string{"data last", "peer closed"}, false},
		"FIN":                  {func(s *secureClient) { s.raw.CloseWrite() }, []string{"data last", "peer closed"}, true},
		"FIN in a record": {func(s *secureClient) {
			s.raw.Write([]byte("\x17\x03\x03\x00\x30half a rec"))
			s.raw.CloseWrite()
		}, []string{"data last", "peer closed"}, true},
		"RST": {func(s *secureClient) { s.raw.Reset() }, []string{"data last", "closed"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			farMemory(t, func(w *farWorld) {
				w.start(reactor.Config{})
				s, p := w.dial()
				w.write(s, "last")
				w.settle()
				test.leave(s)
				p.expect(w, test.want...)
				w.settle()
				p.silent(w)
				if test.want[1] != "closed" {
					w.cut(p, test.cut)
				}
			})
		})
	}
}

// Behind a close_notify nothing is shown, and what was asked may still be
// written.
func TestDialTLSHalfClose(t *testing.T) {
	farMemory(t, func(w *farWorld) {
		w.start(reactor.Config{})
		s, p := w.dial()
		s.CloseWrite()
		s.raw.SetWriteDeadline(time.Time{}) // which crypto/tls lets pass behind a close_notify
		w.write(s.raw, "\x17\x03\x03\x00\x03abc")
		p.expect(w, "peer closed")
		p.send("more")
		w.do(p.conn.Close)
		w.reads(s, "more$")
		s.raw.CloseWrite()
		p.expect(w, "closed")
	})
}

// The stream of bytes from the server is cut at every byte: of its handshake,
// its session tickets, its data and its close_notify.
func TestDialTLSCutAnywhere(t *testing.T) {
	const text = "a first record"
	farMemory(t, func(w *farWorld) {
		w.start(reactor.Config{})
		for at, more := 0, true; more; at++ {
			raw, p := w.raw()
			cut := &cutting{Conn: raw, at: at}
			s := tls.Server(cut, w.server)
			if err := s.Handshake(); err != nil {
				w.Fatalf("cut at %d: %v", at, err)
			}
			w.write(s, text)
			s.Close()
			p.expect(w, "connected", "data "+text, "peer closed")
			w.cut(p, false)
			w.do(func() { p.conn.Drop(reactor.ErrClosed) })
			p.expect(w, "closed")
			more = at < cut.sent
		}
	})
}

// A server that disconnects in the handshake, after any of its bytes: the
// connection has failed, and says so once.
func TestDialTLSDisconnectsInTheHandshake(t *testing.T) {
	farMemory(t, func(w *farWorld) {
		w.start(reactor.Config{})
		for n, more := 0, true; more; n += 1 + n/16 {
			for name, leave := range map[string]func(c client){"FIN": func(c client) { c.Close() }, "RST": client.Reset} {
				raw, p := w.raw()
				cut := &ending{Conn: raw, at: n, then: func() { synctest.Wait(); leave(raw) }}
				err := tls.Server(cut, w.server).Handshake()
				if more = cut.sent > n; !more || err == nil { // it was complete for one of the two
					raw.Close()
					continue
				}
				got := <-p.said
				if got == "connected" { // the last flight of TLS 1.3 is the client's
					got = <-p.said
				}
				if got == "peer closed" {
					continue
				}
				if got != "closed" || p.cause == nil || errors.Is(p.cause, reactor.ErrHandshakeTimeout) {
					w.Errorf("%s after %d bytes: got %q with the cause %v", name, n, got, p.cause)
				}
				w.settle()
				p.silent(w)
			}
		}
	})
}

// ending is a connection that ends when so many bytes were written.
type ending struct {
	net.Conn
	at, sent int
	then     func()
}

func (e *ending) Write(p []byte) (int, error) {
	if e.sent += len(p); e.sent <= e.at {
		return e.Conn.Write(p)
	}
	e.Conn.Write(p[:max(0, len(p)-(e.sent-e.at))])
	e.then()
	return 0, io.ErrClosedPipe
}

// Both directions byte by byte: the server holds one byte unread.
func TestDialTLSByteByByte(t *testing.T) {
	farMemory(t, func(w *farWorld) {
		w.start(reactor.Config{})
		raw, p := w.raw()
		raw.(*memloop.Client).SetWindow(1)
		p.onData = p.echo
		s := tls.Server(byByte{raw}, w.server)
		if err := s.Handshake(); err != nil {
			w.Fatal(err)
		}
		p.expect(w, "connected")
		for i := range 5 {
			text := strings.Repeat(fmt.Sprint(i), 1+400*i)
			w.write(s, text)
			got := make([]byte, len(text))
			if _, err := io.ReadFull(s, got); err != nil || string(got) != text {
				w.Fatalf("got %.20q, %v, want %.20q", got, err, text)
			}
		}
	})
}

// A record that was tampered with ends its connection with an alert, and no
// other. What was sent before is seen.
func TestDialTLSTampered(t *testing.T) {
	far(t, func(w *farWorld) {
		w.start(reactor.Config{})
		other, q := w.dial()
		s, p := w.dial()
		w.write(s, "good")
		p.expect(w, "data good")
		s.raw.Write(append([]byte{23, 3, 3, 0, 40}, make([]byte, 40)...))
		failedTLS(w, p)
		_, err := s.Read(make([]byte, 1))
		if err == nil || !strings.Contains(err.Error(), "bad record MAC") {
			w.Errorf("server: got %v, want an alert", err)
		}
		w.write(other, "still here")
		q.expect(w, "data still here")
	})
}

// A server changes its keys, and asks for ours, in the middle of a stream.
func TestDialTLSKeyUpdate(t *testing.T) {
	everywhere(t, func(w0 *world) {
		w := newFarWorld(w0, tls.VersionTLS13)
		w.server.SessionTicketsDisabled = true // they would come between the records
		var log bytes.Buffer
		w.server.KeyLogWriter = &log
		w.start(reactor.Config{})
		s, p := w.dial()
		if s.ConnectionState().CipherSuite != tls.TLS_AES_128_GCM_SHA256 {
			w.Skip("this machine prefers another cipher than AES-GCM")
		}
		r := takeOver(w, s.raw, log.String())
		r.in, r.out = r.out, r.in
		w.do(func() { p.onData = p.echo })
		expect := func(kind byte, want string) {
			w.Helper()
			if k, got, err := r.next(); k != kind || got != want || err != nil {
				w.Fatalf("got a record %d, %q, %v, want %d, %q", k, got, err, kind, want)
			}
		}
		for i := range 20 {
			r.Write(r.record(23, fmt.Sprint("before ", i)))
			expect(23, fmt.Sprint("before ", i))
			parts := [][]byte{r.record(22, updateAsked[:2]), r.record(22, updateAsked[2:])}
			r.out.update()
			parts = append(parts, r.record(23, "after"))
			for _, part := range parts {
				r.Write(part)
				if i%2 == 0 {
					w.settle()
				}
			}
			expect(22, update)
			r.in.update()
			expect(23, "after")
		}
	})
}

// A connection is resumed, also by another loop. Tickets of TLS 1.3 come behind
// the handshake, and are no data.
func TestDialTLSSessions(t *testing.T) {
	far(t, func(w *farWorld) {
		w.tls.Config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		w.start(reactor.Config{Loops: 2})
		for i := range 2 {
			s, p := w.dial()
			w.write(s, "x")
			p.expect(w, "data x") // and the tickets before it
			w.do(func() {
				if got := p.conn.TLS().DidResume; got != (i == 1) {
					w.Errorf("connection %d: resumed: %v", i, got)
				}
			})
		}
	})
}

// A server that is not the one that was meant, or none of TLS: the connection
// has failed, for a reason that one can act upon, and the server gets an alert.
func TestDialTLSRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		change func(w *farWorld)
		serve  func(w *farWorld, c client) // instead of a handshake
		want   string
		alert  string
	}{
		"another name":         {change: func(w *farWorld) { w.tls.Config.ServerName = "other.test" }, want: "certificate is valid for weir.test, not other.test", alert: "bad certificate"},
		"an unknown authority": {change: func(w *farWorld) { w.tls.Config.RootCAs = x509.NewCertPool() }, want: "signed by unknown authority", alert: "bad certificate"},
		"no name":              {change: func(w *farWorld) { w.tls.Config.ServerName = "" }, want: "ServerName", alert: "EOF"},
		"another protocol": {change: func(w *farWorld) {
			w.tls.Config.NextProtos, w.server.NextProtos = []string{"http/1.1"}, []string{"imap"}
		}, want: "no application protocol", alert: "unsupported application protocols"},
		"in the clear": {serve: func(w *farWorld, c client) {
			w.write(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
		}, want: "the server does not speak TLS on this port"},
		"silence, then FIN": {serve: func(w *farWorld, c client) {
			w.settle()
			c.CloseWrite()
		}, want: "the server closed the connection in the handshake"},
		"an alert": {serve: func(w *farWorld, c client) { w.write(c, "\x15\x03\x03\x00\x02\x02\x28") }, want: "handshake failure"},
	} {
		t.Run(name, func(t *testing.T) {
			far(t, func(w *farWorld) {
				if test.change != nil {
					test.change(w)
				}
				w.start(reactor.Config{})
				raw, p := w.raw()
				if test.serve != nil {
					test.serve(w, raw)
				} else {
					s := tls.Server(raw, w.server)
					err := s.Handshake()
					if err == nil { // of TLS 1.3: the alert comes behind it
						_, err = s.Read(make([]byte, 1))
					}
					if err == nil || !strings.Contains(err.Error(), test.alert) {
						w.Errorf("server: got %v, want %q", err, test.alert)
					}
				}
				failedTLS(w, p)
				if !strings.Contains(fmt.Sprint(p.cause), test.want) {
					w.Errorf("got the cause %v, want %q", p.cause, test.want)
				}
				raw.Close()
				w.settle()
				p.silent(w)
			})
		})
	}
}

// A server without a certificate of the client's: in TLS 1.3 that is known
// behind the handshake only.
func TestDialTLSClientCertificates(t *testing.T) {
	far(t, func(w *farWorld) {
		mine := tlstest.New(w, "client.test")
		w.server.ClientAuth, w.server.ClientCAs = tls.RequireAndVerifyClientCert, mine.Pool
		w.tls.Config.Certificates = []tls.Certificate{mine.Certificate}
		w.start(reactor.Config{})
		s, p := w.dial()
		w.write(s, "hello")
		p.expect(w, "data hello")
		if got := s.ConnectionState().PeerCertificates; len(got) != 1 || got[0].Subject.CommonName != "client.test" {
			w.Errorf("got the certificates %v", got)
		}
		w.tls.Config = w.tls.Config.Clone()
		w.tls.Config.Certificates = nil
		raw, p := w.raw()
		if err := tls.Server(raw, w.server).Handshake(); err == nil {
			w.Error("got a handshake without a certificate")
		}
		if w.server.MaxVersion == tls.VersionTLS13 {
			p.expect(w, "connected")
		}
		failedTLS(w, p)
		raw.Close()
	})
}

// A handshake that takes too long ends. One too many waits until another has
// ended, within the same time; one that was given up does not stand in the way.
func TestDialTLSLimits(t *testing.T) {
	onMemory(t, func(w0 *world) {
		w := newFarWorld(w0, tls.VersionTLS13)
		w.tls.Handshakes = 2
		w.start(reactor.Config{})
		var all []*probe
		var ends []client
		for range 5 {
			c, p := w.raw()
			all, ends = append(all, p), append(ends, c)
		}
		hello := func(i int) bool { return ends[i].(*memloop.Client).Pending() > 0 }
		w.settle()
		if !hello(0) || !hello(1) || hello(2) || hello(3) || hello(4) {
			w.Error("want two handshakes at once")
		}
		w.do(func() { all[2].conn.Drop(reactor.ErrClosed) }) // it waits
		all[2].expect(w, "closed")
		if err := tls.Server(ends[0], w.server).Handshake(); err != nil {
			w.Fatal(err)
		}
		all[0].expect(w, "connected")
		w.settle()
		if !hello(3) || hello(4) {
			w.Error("want the next one that waits, and no other")
		}
		w.do(func() { all[1].conn.Drop(reactor.ErrClosed) }) // it runs
		all[1].expect(w, "closed")
		w.settle()
		if !hello(4) {
			w.Error("want the last one to begin")
		}
		began := time.Now()
		for _, p := range all[3:] {
			p.expect(w, "closed")
			if p.cause != reactor.ErrHandshakeTimeout {
				w.Errorf("got the cause %v, want ErrHandshakeTimeout", p.cause)
			}
		}
		if d := time.Since(began); d < 9*time.Second || d > 11*time.Second {
			w.Errorf("got %v, want 10 s", d)
		}
		w.settle()
		w.dial() // there is room again
	})
}

// Handshakes of accepted connections and of dialled ones do not take each
// other's room.
func TestDialTLSBesideAccepted(t *testing.T) {
	onMemory(t, func(w0 *world) {
		w := newFarWorld(w0, tls.VersionTLS13)
		w.tls.Handshakes = 1
		w.start(reactor.Config{})
		fd, c := w.kernel.Pipe()
		if err := w.r.AttachTLS(w.loop(), fd, noAddr, &reactor.TLS{Config: w.server, Handshakes: 1}); err != nil {
			w.Fatal(err)
		}
		<-w.came
		c.Write(recorded(w, w.tls.Config))
		w.settle()
		w.dial()
	})
}

// A connection can be closed, dropped and aborted while it connects, while it
// waits and in the handshake. Nothing is left.
func TestDialTLSGivenUp(t *testing.T) {
	for _, stage := range []string{"connecting", "waiting", "in the handshake", "behind its first flight"} {
		for name, end := range map[string]func(c *reactor.Conn){
			"Close": (*reactor.Conn).Close, "CloseIdle": (*reactor.Conn).CloseIdle,
			"Drop":  func(c *reactor.Conn) { c.Drop(reactor.ErrClosed) },
			"Abort": func(c *reactor.Conn) { c.Abort(reactor.ErrClosed) },
		} {
			if stage == "connecting" && name == "CloseIdle" {
				continue // there is nothing that could be idle
			}
			t.Run(stage+"/"+name, func(t *testing.T) {
				onMemory(t, func(w0 *world) {
					w := newFarWorld(w0, tls.VersionTLS13)
					w.start(reactor.Config{})
					open := 0
					switch stage {
					case "connecting":
						w.kernel.Hang(upstream)
					case "waiting":
						w.tls.Handshakes = 1
						w.raw()
						open = 1
					}
					p := newProbe(nil)
					w.dialFor(p)
					if stage == "behind its first flight" {
						w.settle()
						raw := <-w.taken
						cut := &ending{Conn: raw, at: 200, then: synctest.Wait}
						tls.Server(cut, w.server).Handshake()
					}
					w.settle()
					w.do(func() { end(p.conn) })
					p.expect(w, "closed")
					if p.cause != reactor.ErrClosed {
						w.Errorf("got the cause %v, want ErrClosed", p.cause)
					}
					w.settle()
					p.silent(w)
					if n := w.kernel.Open() - open; n != 0 {
						w.Errorf("got %d descriptors, want none", n)
					}
				})
			})
		}
	}
}

// A pause is the handler's: the handshake goes on in it, and what came behind
// it is shown afterwards.
func TestDialTLSPaused(t *testing.T) {
	farMemory(t, func(w *farWorld) {
		w.start(reactor.Config{})
		p := newProbe(nil)
		w.do(func() {
			p.conn, _ = w.loop().DialTLS(w.addr, w.tls, p)
			p.conn.Pause()
		})
		raw := <-w.taken
		s := tls.Server(raw, w.server)
		if err := s.Handshake(); err != nil {
			w.Fatal(err)
		}
		w.write(s, "early")
		s.CloseWrite()
		p.expect(w, "connected")
		w.settle()
		p.silent(w)
		w.do(p.conn.Resume)
		p.expect(w, "data early", "peer closed")
		w.cut(p, false)
	})
}

// The end of the handshake, data, close_notify and FIN arrive at once, while the
// handshake's goroutine waits for the first of them.
func TestDialTLSAllAtOnce(t *testing.T) {
	onMemory(t, func(w0 *world) {
		w := newFarWorld(w0, tls.VersionTLS12) // where the last flight is the server's
		w.start(reactor.Config{})
		raw, p := w.raw()
		held := &firstOnly{Conn: raw}
		s := tls.Server(held, w.server)
		if err := s.Handshake(); err != nil {
			w.Fatal(err)
		}
		w.write(s, "data")
		s.CloseWrite()
		raw.Write(held.kept)
		raw.CloseWrite()
		p.expect(w, "connected", "data data", "peer closed")
		w.cut(p, false)
		p.send("more")
		w.do(p.conn.Close)
		w.reads(&secureClient{s, raw}, "more$")
	})
}

// firstOnly keeps back what is written behind the first flight.
type firstOnly struct {
	net.Conn
	begun bool
	kept  []byte
}

// SetWriteDeadline has no effect: crypto/tls lets all writes behind a
// close_notify fail by it.
func (f *firstOnly) SetWriteDeadline(time.Time) error { return nil }

func (f *firstOnly) Write(p []byte) (int, error) {
	if !f.begun {
		f.begun = true
		return f.Conn.Write(p)
	}
	f.kept = append(f.kept, p...)
	return len(p), nil
}

// An idle connection that is closed says so, and is gone at once.
func TestDialTLSCloseIdle(t *testing.T) {
	farMemory(t, func(w *farWorld) {
		w.start(reactor.Config{})
		s, p := w.dial()
		p.send("x")
		w.reads(s, "x")
		w.settle()
		w.do(func() {
			p.conn.CloseIdle()
			if n := w.kernel.Open(); n != 0 {
				w.Errorf("got %d descriptors, want none", n)
			}
		})
		p.expect(w, "closed")
		w.reads(s, "$") // a close_notify: crypto/tls would report a FIN without one
	})
}

// A server that resets the connection in the handshake, and one that is not
// there.
func TestDialTLSNotConnected(t *testing.T) {
	onMemory(t, func(w0 *world) {
		w := newFarWorld(w0, tls.VersionTLS13)
		w.start(reactor.Config{})
		c, p := w.raw()
		c.Reset()
		p.expect(w, "closed")
		if !errors.Is(p.cause, syscall.ECONNRESET) {
			w.Errorf("got the cause %v, want ECONNRESET", p.cause)
		}
		q := newProbe(nil)
		w.do(func() { q.conn, _ = w.loop().DialTLS("127.0.0.1:1", w.tls, q) })
		q.expect(w, "closed")
		if !errors.Is(q.cause, syscall.ECONNREFUSED) {
			w.Errorf("got the cause %v, want ECONNREFUSED", q.cause)
		}
		w.do(func() {
			for _, cfg := range []*reactor.TLS{nil, {}} {
				if _, err := w.loop().DialTLS(w.addr, cfg, q); err == nil {
					w.Error("got no error without a configuration")
				}
			}
		})
	})
}

// The reactor ends while handshakes run and wait.
func TestDialTLSStopped(t *testing.T) {
	onMemory(t, func(w0 *world) {
		w := newFarWorld(w0, tls.VersionTLS13)
		w.tls.Handshakes = 1
		w.start(reactor.Config{})
		_, p := w.raw()
		_, q := w.raw()
		w.settle()
		w.r.Close()
		for _, p := range []*probe{p, q} {
			p.expect(w, "closed")
			if !errors.Is(p.cause, reactor.ErrStopped) {
				w.Errorf("got the cause %v, want ErrStopped", p.cause)
			}
		}
	})
}

// FuzzDialTLS sends bytes that are not from a server of TLS, in place of its
// handshake or behind it, cut at a place. Whatever they are: nothing of them is
// shown, the connection ends once at most, and another one is not disturbed.
func FuzzDialTLS(f *testing.F) {
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), uint8(0), uint16(1))
	f.Add([]byte("\x16\x03\x03\x00\x05\x02\x00\x00\x01\x00"), uint8(0), uint16(3))
	f.Add([]byte("\x15\x03\x03\x00\x02\x02\x28"), uint8(2), uint16(5))
	f.Add([]byte("\x17\x03\x03\x00\x01x\x15\x03\x03\x00\x02\x01\x00"), uint8(1), uint16(2))
	f.Add([]byte("\x17\x03\x03\xff\xff"), uint8(3), uint16(5))
	id := tlstest.New(f, "weir.test")
	f.Fuzz(func(t *testing.T, data []byte, stage uint8, cut uint16) {
		onMemory(t, func(w0 *world) {
			version := uint16(tls.VersionTLS12) + uint16(stage/2%2)
			w := newFarWorld(w0, version)
			w.id, w.server, w.tls = id, id.Server(), &reactor.TLS{Config: id.Client()}
			w.server.MinVersion, w.server.MaxVersion = version, version
			w.start(reactor.Config{})
			var raw client
			var p *probe
			if stage%2 == 0 {
				raw, p = w.raw()
			} else {
				var s *secureClient
				s, p = w.dial()
				raw = s.raw
			}
			at := min(int(cut), len(data))
			for _, part := range [][]byte{data[:at], data[at:]} {
				raw.Write(part)
				synctest.Wait()
			}
			other, q := w.dial()
			w.write(other, "hello")
			q.expect(w, "data hello")
			raw.Close()
			synctest.Wait()
			for closed := false; ; {
				select {
				case got := <-p.said:
					switch {
					case got == "peer closed" && !closed:
					case got == "closed" && !closed:
						closed = true
					default:
						w.Fatalf("handler: got %.80q", got)
					}
					continue
				default:
				}
				break
			}
		})
	})
}
