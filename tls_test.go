package weir_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/internal/memloop"
	"weir/internal/tlstest"
)

// secureDesk is a desk whose server speaks TLS, too.
type secureDesk struct {
	*desk
	id *tlstest.Identity
}

func atSecureDesk(t *testing.T, h weir.Handler, set func(*weir.Server), f func(d *secureDesk)) {
	t.Helper()
	id := tlstest.New(t, "weir.test")
	atDesk(t, h, func(s *weir.Server) {
		s.TLS = &weir.TLS{Config: id.Server()}
		if set != nil {
			set(s)
		}
	}, func(d *desk) { f(&secureDesk{d, id}) })
}

// raw connects without a handshake.
func (d *secureDesk) raw() *memloop.Client {
	d.Helper()
	fd, c := d.kernel().Pipe()
	r := d.srv.Reactor()
	if err := r.AttachTLS(r.Loops()[0], fd, c.LocalAddr().(*net.TCPAddr).AddrPort(), weir.Secured(d.srv)); err != nil {
		d.Fatal(err)
	}
	return c
}

// secure connects and sends text as its first bytes.
func (d *secureDesk) secure(text string) (*tls.Conn, *memloop.Client) {
	d.Helper()
	raw := d.raw()
	c := tls.Client(raw, d.id.Client())
	if _, err := io.WriteString(c, text); err != nil {
		d.Fatal(err)
	}
	return c, raw
}

// seenSecure is what has come to the client once nothing moves any more.
func (d *secureDesk) seenSecure(c *tls.Conn) string {
	var b strings.Builder
	buf := make([]byte, 64<<10)
	for {
		c.SetReadDeadline(time.Now().Add(time.Millisecond)) // passes when nothing moves any more
		n, err := c.Read(buf)
		b.Write(buf[:n])
		if err != nil {
			c.SetReadDeadline(time.Time{})
			return b.String()
		}
	}
}

// L19: the same responses as in the clear, byte by byte.
func TestTLSResponses(t *testing.T) {
	m := new(weir.Mux)
	m.HandleFunc("GET /inline", func(w *weir.Response, r *weir.Request) { io.WriteString(w, "inline") }).Inline()
	m.HandleFunc("/echo", func(w *weir.Response, r *weir.Request) { w.Write(r.Body()) })
	m.HandleFunc("GET /big", func(w *weir.Response, r *weir.Request) { io.WriteString(w, strings.Repeat("0123456789", 30_000)) })
	m.HandleFunc("GET /stream", func(w *weir.Response, r *weir.Request) {
		s := w.Stream()
		for range 100 {
			if err := s.Send([]byte("a token\n")); err != nil {
				t.Error(err)
			}
		}
		s.Close()
	})
	m.HandleFunc("GET /fail", func(w *weir.Response, r *weir.Request) {
		w.Stream().Send([]byte("begun"))
		w.Stream().Abort(errors.New("test"))
	})
	get := func(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n" }
	for _, request := range []string{
		get("/inline"), get("/inline") + get("/inline") + get("/stream"), get("/big"), get("/stream"), get("/fail"), get("/none"),
		"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
		"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 100_000),
		"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + get("/inline"),
		"GET /stream HTTP/1.0\r\n\r\n", "HEAD /big HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /inline HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "nonsense\r\n\r\n",
	} {
		atSecureDesk(t, m, nil, func(d *secureDesk) {
			want := d.seen(d.dial(request))
			c, _ := d.secure(request)
			if got := d.seenSecure(c); got != want {
				d.Errorf("%.60q: got %.200q, want %.200q", request, got, want)
			}
		})
	}
}

// L21: how a client disconnects makes no difference to a stream.
func TestTLSDisconnects(t *testing.T) {
	for name, leave := range map[string]func(c *tls.Conn, raw *memloop.Client){
		"close_notify":         func(c *tls.Conn, _ *memloop.Client) { c.CloseWrite() },
		"close_notify and FIN": func(c *tls.Conn, _ *memloop.Client) { c.Close() },
		"FIN":                  func(_ *tls.Conn, raw *memloop.Client) { raw.CloseWrite() },
		"RST":                  func(_ *tls.Conn, raw *memloop.Client) { raw.Reset() },
		"a broken record": func(_ *tls.Conn, raw *memloop.Client) {
			raw.Write([]byte("\x17\x03\x03\x00\x20" + strings.Repeat("x", 32)))
		},
	} {
		causes := make(chan error, 10)
		h := weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
			w.Stream().OnClose(func(cause error) { causes <- cause })
			w.Stream().Send([]byte("begun"))
			<-w.Stream().Done()
		})
		atSecureDesk(t, h, nil, func(d *secureDesk) {
			c, raw := d.secure("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			if got := d.seenSecure(c); !strings.Contains(got, "begun") {
				d.Fatalf("%s: got %q", name, got)
			}
			leave(c, raw)
			synctest.Wait()
			select {
			case cause := <-causes:
				if !errors.Is(cause, weir.ErrClientGone) {
					d.Errorf("%s: got the cause %v, want ErrClientGone", name, cause)
				}
			default:
				d.Errorf("%s: the stream goes on", name)
			}
		})
	}
}

// L21: a request that is cut is not complete, with close_notify or without.
func TestTLSTruncatedRequests(t *testing.T) {
	for _, request := range []string{
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n",
	} {
		for _, notify := range []bool{true, false} {
			h := weir.HandlerFunc(func(*weir.Response, *weir.Request) { t.Errorf("%q (%v): served", request, notify) })
			atSecureDesk(t, h, nil, func(d *secureDesk) {
				c, raw := d.secure(request)
				synctest.Wait()
				if notify {
					c.CloseWrite()
				}
				raw.CloseWrite()
				if got := d.seenSecure(c); strings.Contains(got, "200 OK") {
					d.Errorf("%q (%v): got %q", request, notify, got)
				}
			})
		}
	}
}

// The body's pace counts bytes as they arrive, also in records that are larger
// than what arrives in the grace.
func TestTLSBodyPace(t *testing.T) {
	for _, test := range []struct {
		rate int // bytes a second
		want int
	}{{1000, 200}, {100, 408}} {
		atSecureDesk(t, weir.HandlerFunc(func(w *weir.Response, r *weir.Request) { w.Write(nil) }), nil, func(d *secureDesk) {
			raw := d.raw()
			slow := &paced{Conn: raw}
			cfg := d.id.Client()
			cfg.DynamicRecordSizingDisabled = true // the body is one record
			c := tls.Client(slow, cfg)
			io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 16000\r\n\r\n")
			synctest.Wait()
			slow.rate = test.rate
			written := make(chan struct{})
			go func() {
				defer close(written)
				io.WriteString(c, strings.Repeat("x", 16_000))
			}()
			if res, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || res.StatusCode != test.want {
				d.Errorf("%d bytes a second: got %+v, %v, want %d", test.rate, res, err, test.want)
			}
			raw.Close()
			<-written
		})
	}
}

// paced is a client's end that sends so many bytes a second; 0 is at once.
type paced struct {
	net.Conn
	rate int
}

func (p *paced) Write(b []byte) (int, error) {
	if p.rate == 0 {
		return p.Conn.Write(b)
	}
	for i := range b {
		if _, err := p.Conn.Write(b[i : i+1]); err != nil {
			return i, err
		}
		time.Sleep(time.Second / time.Duration(p.rate))
	}
	return len(b), nil
}

// The idle time, the handshake's and the stall time pass as in the clear.
func TestTLSTimeouts(t *testing.T) {
	atSecureDesk(t, says("hi"), nil, func(d *secureDesk) {
		silent := d.raw()
		began := time.Now()
		if _, err := silent.Read(make([]byte, 1)); err != io.EOF || time.Since(began) != 10*time.Second {
			d.Errorf("no handshake: got %v after %v", err, time.Since(began))
		}
		c, _ := d.secure("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		d.seenSecure(c)
		began = time.Now()
		if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF || time.Since(began).Round(time.Second) != 75*time.Second {
			d.Errorf("idle: got %d, %v after %v", n, err, time.Since(began))
		}
	})
	var causes chan error
	h := weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
		w.Stream().OnClose(func(cause error) { causes <- cause })
		for w.Stream().Send(make([]byte, 1000)) == nil {
		}
	})
	atSecureDesk(t, h, nil, func(d *secureDesk) {
		causes = make(chan error, 1)
		_, raw := d.secure("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		raw.SetWindow(0)
		if cause := <-causes; !errors.Is(cause, weir.ErrSlowClient) {
			d.Errorf("stalled: got the cause %v", cause)
		}
	})
}

// A drain: idle connections and those in a handshake are closed, streams end.
func TestTLSDrain(t *testing.T) {
	h := weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
		if string(r.Path()) == "/" {
			return
		}
		w.Stream().Send([]byte("begun"))
		<-w.Stream().Draining()
		w.Stream().Send([]byte("ended"))
		w.Stream().Close()
	})
	atSecureDesk(t, h, nil, func(d *secureDesk) {
		d.raw()
		idle, _ := d.secure("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		stream, _ := d.secure("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
		d.seenSecure(idle)
		d.seenSecure(stream)
		report, err := d.srv.Shutdown(context.Background())
		if err != nil || report.Drained != 1 || report.Cut != 0 || report.Took > 3*time.Second {
			d.Errorf("got %+v, %v", report, err)
		}
		if got := d.seenSecure(stream); !strings.Contains(got, "ended\r\n0\r\n\r\n") {
			d.Errorf("the stream ended with %q", got)
		}
	})
}

// At the limit of connections an idle one makes way, and one that is in its
// handshake does not.
func TestTLSConnLimit(t *testing.T) {
	atSecureDesk(t, says("hi"), func(s *weir.Server) { s.Limits.Conns = 2 }, func(d *secureDesk) {
		shaking := d.raw()
		shaking.Write([]byte("\x16\x03\x01\x00\x01\x01"))
		idle, _ := d.secure("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		d.seenSecure(idle)
		next, _ := d.secure("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if got := d.seenSecure(next); !strings.Contains(got, "200 OK") {
			d.Errorf("got %q", got)
		}
		if n, err := idle.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			d.Errorf("the idle one: got %d, %v, want the end", n, err)
		}
		if err := shaking.End(); err != nil {
			d.Errorf("the one in its handshake: got %v", err)
		}
	})
}

// L23: HTTP in the clear gets a response in the clear.
func TestClearRequestOnTLSPort(t *testing.T) {
	for request, want := range map[string]int{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n": 400, "POST /x HTTP/1.1\r\nHost: a\r\n\r\n": 400, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": 0, "\x00\x01\x02\x03\x04\x05": 0,
	} {
		atSecureDesk(t, says("hi"), nil, func(d *secureDesk) {
			c := d.raw()
			io.WriteString(c, request)
			got := d.seen(c)
			if want == 0 {
				if got != "" {
					d.Errorf("%q: got %q", request, got)
				}
			} else if res, err := http.ReadResponse(bufio.NewReader(strings.NewReader(got)), nil); err != nil || res.StatusCode != want || !res.Close {
				d.Errorf("%q: got %q, %v", request, got, err)
			} else if body, err := io.ReadAll(res.Body); err != nil || len(body) == 0 {
				d.Errorf("%q: got the body %q, %v", request, body, err)
			}
			if c.End() != io.EOF {
				d.Errorf("%q: got %v, want the end", request, c.End())
			}
			c.Close()
		})
	}
}

// Request.TLS, also of a clone, and nil in the clear.
func TestRequestTLS(t *testing.T) {
	states := make(chan *tls.ConnectionState, 2)
	clones := make(chan *weir.Request, 1)
	h := weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
		states <- r.TLS()
		select {
		case clones <- r.Clone():
		default:
		}
	})
	atSecureDesk(t, h, nil, func(d *secureDesk) {
		c, _ := d.secure("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		d.seenSecure(c)
		if st := <-states; st == nil || st.ServerName != "weir.test" || st.NegotiatedProtocol != "" {
			d.Errorf("got %+v", st)
		}
		c.Close()
		synctest.Wait()
		if st := (<-clones).TLS(); st == nil || st.ServerName != "weir.test" {
			d.Errorf("a clone: got %+v", st)
		}
		d.seen(d.get("/"))
		if st := <-states; st != nil {
			d.Errorf("in the clear: got %+v, want nil", st)
		}
	})
}
