package client_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/client"
	"weir/internal/memloop"
	"weir/internal/tlstest"
	"weir/reactor"
)

// tlsDesk is a desk whose Origin speaks TLS.
type tlsDesk struct {
	*originDesk
	server *tls.Config
}

func atTLS(t *testing.T, o *client.Origin, f func(d *tlsDesk)) {
	t.Helper()
	for name, version := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			id := tlstest.New(t, "llm.test")
			server := id.Server()
			server.MinVersion, server.MaxVersion, server.NextProtos = version, version, []string{"h2", "http/1.1"}
			fresh := &client.Origin{Roots: id.Pool, Attempt: o.Attempt, Idle: o.Idle}
			atOrigin(t, "https://llm.test:8000", fresh, func(d *originDesk) {
				f(&tlsDesk{d, server})
			})
		})
	}
}

// peer is the server's end of a connection.
type peer struct {
	*tls.Conn
	raw *memloop.Client
}

// accept takes the connection that was dialled next, and shakes hands.
func (d *tlsDesk) accept() *peer {
	d.Helper()
	return d.greet(d.desk.server())
}

func (d *tlsDesk) greet(raw *memloop.Client) *peer {
	d.Helper()
	s := &peer{tls.Server(raw, d.server), raw}
	if err := s.Handshake(); err != nil {
		d.Errorf("server: %v", err)
	}
	synctest.Wait()
	return s
}

// hears expects bytes.
func (d *tlsDesk) hears(s *peer, want string) {
	d.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(s, got); err != nil || string(got) != want {
		d.Errorf("the server got %q, %v, want %q", got[:n], err, want)
	}
}

func (d *tlsDesk) says(s *peer, text string) {
	d.Helper()
	if _, err := io.WriteString(s, text); err != nil {
		d.Error(err)
	}
	synctest.Wait()
}

// whole answers p's request, which has come to s.
func (d *tlsDesk) whole(s *peer, p *probe) {
	d.Helper()
	d.hears(s, onTLS)
	d.says(s, answer)
	p.ended("200 hello", nil)
}

// bid expects the client's close_notify.
func (d *tlsDesk) bid(s *peer) {
	d.Helper()
	synctest.Wait()
	if n := s.raw.Pending(); n == 0 {
		d.Error("got a FIN alone, want a close_notify before it")
	}
	if n, err := s.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		d.Errorf("got %d bytes, %v, want the end", n, err)
	}
}

const onTLS = "GET /x HTTP/1.1\r\nHost: llm.test:8000\r\n\r\n"

// Calls stay on their loop, connections are pooled as in the clear, and one
// that is made anew is resumed.
func TestTLSCalls(t *testing.T) {
	atTLS(t, new(client.Origin), func(d *tlsDesk) {
		if !d.origin.OnLoop() {
			t.Error("got an Origin that is not on the loop")
		}
		p := d.send(getX)
		if p.call.Connected() {
			t.Error("got a connection before the handshake")
		}
		s := d.accept()
		if got := s.ConnectionState(); got.NegotiatedProtocol != "http/1.1" || got.ServerName != "llm.test" || got.DidResume {
			t.Errorf("got protocol %q for %q, resumed: %v", got.NegotiatedProtocol, got.ServerName, got.DidResume)
		}
		d.whole(s, p)
		p = d.send(getX)
		d.whole(s, p)
		if !p.call.Reused() {
			t.Error("got a fresh connection, want the pooled one")
		}
		p, q := d.send(getX), d.send(getX)
		d.whole(s, p)
		s2 := d.accept()
		if !s2.ConnectionState().DidResume {
			t.Error("got a whole handshake, want a resumed one")
		}
		d.whole(s2, q)
		time.Sleep(5 * time.Second)
		d.bid(s)
		d.bid(s2)
		if n := d.kernel.Open(); n != 0 {
			t.Errorf("got %d connections, want none", n)
		}
	})
}

// How a response ends. What only the end of the connection delimits is whole
// if the server has said so, and else may have been cut (RFC 9112 9.8).
func TestTLSTruncation(t *testing.T) {
	const untilClose = ok + "\r\nhello"
	fin := func(s *peer) { s.raw.CloseWrite() }
	notify := func(s *peer) { s.CloseWrite() }
	both := func(s *peer) { s.CloseWrite(); s.raw.CloseWrite() }
	reset := func(s *peer) { s.raw.Reset() }
	tampered := func(s *peer) { s.raw.Write(append([]byte{23, 3, 3, 0, 40}, make([]byte, 40)...)) }
	inRecord := func(s *peer) { s.raw.Write([]byte("\x17\x03\x03\x00\x40half a record")); s.raw.CloseWrite() }
	for _, tt := range []struct {
		name, sent string
		leave      func(s *peer)
		want       string
		end        error
	}{
		{"until close, close_notify", untilClose, notify, "200 hello", nil},
		{"until close, close_notify and FIN", untilClose, both, "200 hello", nil},
		{"until close, FIN", untilClose, fin, "200 hello", client.ErrTruncated},
		{"until close, FIN in a record", untilClose, inRecord, "200 hello", client.ErrTruncated},
		{"until close, RST", untilClose, reset, "200 hello", client.ErrTruncated},
		{"until close, tampered", untilClose, tampered, "200 hello", client.ErrTruncated},
		{"length, FIN", answer, fin, "200 hello", nil},
		{"length, half, close_notify", answer[:len(answer)-1], notify, "200 hell", client.ErrTruncated},
		{"length, half, FIN", answer[:len(answer)-1], fin, "200 hell", client.ErrTruncated},
		{"chunks, FIN", inChunks + "5\r\nhello\r\n0\r\n\r\n", fin, "200 hello", nil},
		{"chunks, half, close_notify", inChunks + "5\r\nhello\r\n", notify, "200 hello", client.ErrTruncated},
		{"chunks, half, tampered", inChunks + "5\r\nhello\r\n", tampered, "200 hello", client.ErrTruncated},
		{"in the head, close_notify", ok, notify, "", client.ErrTruncated},
		{"before the head, close_notify", "", notify, "", client.ErrNoResponse},
		{"before the head, FIN", "", fin, "", client.ErrNoResponse},
		{"before the head, tampered", "", tampered, "", client.ErrNoResponse},
	} {
		t.Run(tt.name, func(t *testing.T) {
			atTLS(t, new(client.Origin), func(d *tlsDesk) {
				p := d.send(getX)
				s := d.accept()
				d.hears(s, onTLS)
				if tt.sent != "" {
					d.says(s, tt.sent)
				}
				tt.leave(s)
				p.ended(tt.want, tt.end)
				var bad *reactor.TLSError
				if strings.Contains(tt.name, "tampered") && !errors.As(p.done[0], &bad) {
					t.Errorf("got %v, want the failure of TLS", p.done[0])
				}
				d.alone()
			})
		})
	}
}

// G6: a pooled connection that closes before any byte of the response is
// replaced, once.
func TestTLSStaleConnection(t *testing.T) {
	for name, leave := range map[string]func(s *peer){
		"close_notify": func(s *peer) { s.Close() },
		"FIN":          func(s *peer) { s.raw.Close() },
		"RST":          func(s *peer) { s.raw.Reset() },
	} {
		t.Run(name, func(t *testing.T) {
			atTLS(t, new(client.Origin), func(d *tlsDesk) {
				p := d.send(getX)
				s := d.accept()
				d.whole(s, p)
				p = &probe{d: d.desk}
				d.probes = append(d.probes, p)
				d.crossing(func() { leave(s) }, func() {
					var err error
					if p.call, err = d.origin.Do(d.loop(), &getX, p); err != nil {
						t.Error(err)
					}
				})
				d.whole(d.accept(), p)
				d.alone()
			})
		})
	}
}

// A pooled connection of which the server tells its end is dropped at once.
func TestTLSIdleConnectionClosed(t *testing.T) {
	atTLS(t, &client.Origin{Idle: -1}, func(d *tlsDesk) {
		p := d.send(getX)
		s := d.accept()
		d.whole(s, p)
		s.CloseWrite()
		synctest.Wait()
		if n := d.kernel.Open(); n != 0 {
			t.Errorf("got %d connections, want none", n)
		}
	})
}

// A call can be cancelled at every stage of the handshake: nothing is left.
func TestTLSCancel(t *testing.T) {
	for _, stage := range []string{"as soon as it is made", "connecting", "behind the hello", "connected"} {
		t.Run(stage, func(t *testing.T) {
			atTLS(t, new(client.Origin), func(d *tlsDesk) {
				if stage == "connecting" {
					d.kernel.Hang(addr)
				}
				p := d.send(getX)
				switch stage {
				case "behind the hello":
					synctest.Wait()
				case "connected":
					d.accept()
				}
				d.do(p.call.Cancel)
				p.ended("", client.ErrCancelled)
				if n := d.kernel.Open(); n != 0 {
					t.Errorf("got %d connections, want none", n)
				}
				d.do(func() { useUp(p.call) })
			})
		})
	}
}

// A handshake that fails is a connection that cannot be made: the next address
// is tried, and in the end the call says why.
func TestTLSHandshakeFails(t *testing.T) {
	for name, tt := range map[string]struct {
		serve func(d *tlsDesk, raw *memloop.Client)
		want  string
	}{
		"in the clear": {func(d *tlsDesk, raw *memloop.Client) { io.WriteString(raw, "HTTP/1.1 400 Bad Request\r\n\r\n") }, "the server does not speak TLS on this port"},
		"it is closed": {func(d *tlsDesk, raw *memloop.Client) { raw.CloseWrite() }, "the server closed the connection in the handshake"},
		"another name": {func(d *tlsDesk, raw *memloop.Client) {
			tls.Server(raw, tlstest.New(d, "other.test").Server()).Handshake()
		}, "certificate"},
		"it is silent":  {func(d *tlsDesk, raw *memloop.Client) { time.Sleep(11 * time.Second) }, "not complete in time"},
		"another proto": {func(d *tlsDesk, raw *memloop.Client) { raw.Write([]byte("\x15\x03\x03\x00\x02\x02\x78")) }, "no application protocol"},
	} {
		t.Run(name, func(t *testing.T) {
			atTLS(t, &client.Origin{Attempt: -1}, func(d *tlsDesk) {
				d.names.addrs = []string{"10.0.0.1", "127.0.0.1"}
				bad, stop := d.listenAt("10.0.0.1:8000")
				defer stop()
				p := d.send(getX)
				tt.serve(d, <-bad)
				d.whole(d.accept(), p)

				stop() // and alone
				d.refuse()
				d.names.addrs = []string{"10.0.0.9"}
				time.Sleep(time.Minute)
				d.send(getX).ended("", client.ErrConnect) // the pool of the old address is gone with the look-up
				bad, stop = d.listenAt("10.0.0.9:8000")
				defer stop()
				p = d.send(getX)
				tt.serve(d, <-bad)
				p.ended("", client.ErrConnect)
				if got := fmt.Sprint(p.done[0]); !strings.Contains(got, tt.want) {
					t.Errorf("got %v, want %q", got, tt.want)
				}
			})
		})
	}
}

// An address that accepts a connection and says nothing is not waited for long
// while there is another.
func TestTLSAddressHangs(t *testing.T) {
	atTLS(t, new(client.Origin), func(d *tlsDesk) {
		d.names.addrs = []string{"10.0.0.1", "127.0.0.1"}
		bad, stop := d.listenAt("10.0.0.1:8000")
		defer stop()
		p := d.send(getX)
		<-bad
		time.Sleep(client.DefaultAttempt - time.Millisecond)
		d.alone()
		time.Sleep(3 * time.Millisecond)
		d.whole(d.accept(), p)
	})
}

// What is written before the handshake is complete is sent behind it, and a
// call that is paused meanwhile is sent, and not shown.
func TestTLSBeforeTheHandshake(t *testing.T) {
	atTLS(t, new(client.Origin), func(d *tlsDesk) {
		p := d.send(client.Request{Method: "PUT", Path: []byte("/"), Body: []byte("01"), More: true, Length: 5})
		if p.write("234") {
			t.Error("got room, want none before there is a connection")
		}
		d.do(func() {
			p.call.EndBody()
			p.call.Pause()
		})
		s := d.accept()
		if p.drained != 1 {
			t.Errorf("got Drained %d times, want once", p.drained)
		}
		d.hears(s, "PUT / HTTP/1.1\r\nHost: llm.test:8000\r\nContent-Length: 5\r\n\r\n01234")
		d.says(s, answer)
		p.shown("")
		d.do(p.call.Resume)
		p.ended("200 hello", nil)
	})
}

// A Pool fills in what the configuration lacks, and leaves it as it is.
func TestTLSPool(t *testing.T) {
	id := tlstest.New(t, "127.0.0.1")
	cfg := &tls.Config{RootCAs: id.Pool}
	atDesk(t, client.Config{TLS: cfg}, func(d *desk) {
		p := d.ask(get)
		server := id.Server()
		server.NextProtos = []string{"http/1.1"}
		s := tls.Server(d.server(), server)
		if _, err := io.ReadFull(s, make([]byte, len(getHead))); err != nil {
			t.Fatal(err)
		}
		if got := s.ConnectionState().NegotiatedProtocol; got != "http/1.1" {
			t.Errorf("got the protocol %q", got)
		}
		io.WriteString(s, answer)
		p.ended("200 hello", nil)
		d.do(d.pool.Close)
		if n := d.kernel.Open(); n != 0 {
			t.Errorf("got %d connections, want none", n)
		}
	})
	if cfg.ServerName != "" || cfg.NextProtos != nil || cfg.ClientSessionCache != nil {
		t.Errorf("got the caller's configuration changed: %+v", cfg)
	}
}

// https through a proxy of the environment is net/http's, as the loop cannot do
// that. The environment is read once a process.
func TestProxiedIsNetHTTPs(t *testing.T) {
	const mark = "WEIR_TEST_PROXIED"
	if os.Getenv(mark) == "" {
		child(t, "TestProxiedIsNetHTTPs", mark+"=1", "HTTPS_PROXY=http://127.0.0.1:1", "NO_PROXY=direct.test")
		return
	}
	for url, want := range map[string]bool{
		"https://llm.test": false, "https://direct.test": true, "https://127.0.0.1:8443": true, "http://llm.test": true, "unix:/run/x": true,
	} {
		if got := (&client.Origin{Endpoint: endpoint(t, url)}).OnLoop(); got != want {
			t.Errorf("%s: on the loop: %v, want %v", url, got, want)
		}
	}
	if (&client.Origin{Endpoint: endpoint(t, "https://direct.test"), NetHTTP: true}).OnLoop() {
		t.Error("NetHTTP: got a call on the loop")
	}
}

// child runs a test in a process of its own, with more in its environment.
func child(t *testing.T, test string, env ...string) {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run", "^"+test+"$")
	c.Env = append(os.Environ(), env...)
	if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS") {
		t.Errorf("%v\n%s", err, out)
	}
}
