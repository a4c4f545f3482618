package nethttp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/internal/patience"
	"weir/nethttp"
)

const (
	askEcho  = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
	switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
)

// hijack takes the connection, and continues with f.
func hijack(t testing.TB, w http.ResponseWriter, f func(net.Conn, io.Reader)) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Errorf("got %v", err)
		return
	}
	defer conn.Close()
	f(conn, rw)
}

// A handler that hijacks is what it is under net/http: it writes the head itself, or has had WriteHeader send it, reads
// what came behind the request first, and sees the client's FIN, behind which it can still write.
func TestHijack(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"raw": func(w http.ResponseWriter, r *http.Request) {
			hijack(t, w, func(c net.Conn, r io.Reader) {
				_, _ = io.WriteString(c, switched)
				b, err := io.ReadAll(r)
				fmt.Fprintf(c, "%s, %v", b, err)
			})
		},
		"behind WriteHeader": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "echo")
			w.WriteHeader(http.StatusSwitchingProtocols)
			hijack(t, w, func(c net.Conn, r io.Reader) {
				b, err := io.ReadAll(r)
				fmt.Fprintf(c, "%s, %v", b, err)
			})
		},
		"detached": func(w http.ResponseWriter, r *http.Request) {
			conn, rw, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			go func() {
				defer conn.Close()
				<-r.Context().Done() // when the handler has returned, or on weir when the connection has ended
			}()
			go func() {
				_, _ = io.WriteString(conn, switched)
				b, err := io.ReadAll(rw)
				fmt.Fprintf(conn, "%s, %v", b, err)
				_ = conn.Close()
			}()
			if _, err := w.Write([]byte("x")); err != http.ErrHijacked {
				t.Errorf("Write: got %v, want ErrHijacked", err)
			}
			if _, _, err := w.(http.Hijacker).Hijack(); err != http.ErrHijacked {
				t.Errorf("Hijack: got %v, want ErrHijacked", err)
			}
			w.WriteHeader(500) // is only logged
		},
	} {
		t.Run(name, func(t *testing.T) {
			servers := map[string]string{"weir": onWeir(t, h)}
			if name != "detached" {
				servers["net/http"] = onStd(t, h)
			}
			for server, addr := range servers {
				c := dial(t, addr)
				c.send(askEcho + "one ")
				head, err := c.head() // net/http adds a Date
				head = slices.DeleteFunc(head, func(line string) bool { return strings.HasPrefix(line, "Date: ") })
				if got := strings.Join(head, "\r\n") + "\r\n\r\n"; err != nil || got != switched {
					t.Fatalf("%s: got %q, %v", server, got, err)
				}
				c.send("two")
				_ = c.Conn.(*net.TCPConn).CloseWrite()
				if rest, err := io.ReadAll(c.r); err != nil || string(rest) != "one two, <nil>" {
					t.Errorf("%s: got %q, %v", server, rest, err)
				}
			}
		})
	}
}

// Where the connection is not to be had, the response is what the handler makes of it.
func TestHijackRefused(t *testing.T) {
	late := func(prepare func(w http.ResponseWriter)) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			prepare(w)
			_, _, err := http.NewResponseController(w).Hijack()
			fmt.Fprint(w, errors.Is(err, http.ErrNotSupported))
		})
	}
	nothing := func(http.ResponseWriter) {}
	for name, tt := range map[string]struct {
		h       http.Handler
		request string
	}{
		"flushed":           {late(func(w http.ResponseWriter) { w.(http.Flusher).Flush() }), askEcho},
		"with a status":     {late(func(w http.ResponseWriter) { w.WriteHeader(201) }), askEcho},
		"a body not read":   {late(nothing), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx"},
		"under net/http":    {nethttp.ToHTTP(weir.HandlerFunc(nethttp.FromHTTP(late(nothing)).Serve)), askEcho},
		"no head to be had": {late(func(w http.ResponseWriter) { w.(http.Flusher).Flush() }), "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
	} {
		addr := ""
		if name == "under net/http" {
			addr = onStd(t, tt.h)
		} else {
			addr = onWeir(t, tt.h)
		}
		c := dial(t, addr)
		c.send(tt.request)
		if got := c.response("GET"); !strings.Contains(got, "true") {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

// Deadlines of the connection are those of a net.Conn.
func TestHijackDeadline(t *testing.T) {
	addr := onWeir(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hijack(t, w, func(c net.Conn, r io.Reader) {
			_ = c.SetReadDeadline(time.Now().Add(-time.Second))
			_, err := r.Read(make([]byte, 1))
			var late net.Error
			fmt.Fprint(c, errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &late) && late.Timeout())
			_ = c.SetReadDeadline(time.Time{})
			b := make([]byte, 3)
			_, err = io.ReadFull(c, b)
			fmt.Fprint(c, string(b), err)
		})
	}))
	c := dial(t, addr)
	c.send(askEcho + "abc")
	if got, err := io.ReadAll(c.r); string(got) != "true trueabc<nil>" {
		t.Errorf("got %q, %v", got, err)
	}
}

// httputil.ReverseProxy relays upgrades, on the reactor and to it.
func TestReverseProxyUpgrades(t *testing.T) {
	ends := make(chan error, 1)
	mux := new(weir.Mux)
	mux.HandleFunc("/", func(w *weir.Response, _ *weir.Request) {
		w.Header().Set("X-Backend", "weir")
		p, err := w.Upgrade("echo")
		if err != nil {
			t.Error(err)
			return
		}
		_, err = io.Copy(p, p)
		ends <- err
	})
	backend, err := url.Parse("http://" + serve(t, mux))
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(backend)
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	proxy.Transport = transport
	addr := onWeir(t, proxy)
	for _, half := range []bool{true, false} {
		c := dial(t, addr)
		payload := bytes.Repeat([]byte("0123456789"), 100<<10)
		go func() {
			_, _ = c.Write([]byte(askEcho))
			_, _ = c.Write(payload)
			if half {
				_ = c.Conn.(*net.TCPConn).CloseWrite()
			}
		}()
		res, err := http.ReadResponse(c.r, nil)
		if err != nil || res.StatusCode != 101 || res.Header.Get("X-Backend") != "weir" || res.Header.Get("Upgrade") != "echo" {
			t.Fatalf("got %+v, %v", res, err)
		}
		got := make([]byte, len(payload))
		if _, err := io.ReadFull(c.r, got); err != nil || !bytes.Equal(got, payload) {
			t.Fatalf("got %d bytes, %v", len(got), err)
		}
		if !half {
			c.Close()
		}
		select {
		case err := <-ends:
			if err != nil {
				t.Errorf("the backend got %v, want the end", err)
			}
		case <-time.After(patience.Limit):
			t.Fatal("the backend has not learned that the client is gone")
		}
		if _, err := io.ReadAll(c.r); half && err != nil {
			t.Errorf("got %v behind the last byte", err)
		}
	}
}

// Each side of a relayed connection can end its sending alone.
func TestReverseProxyHalfCloses(t *testing.T) {
	mux := new(weir.Mux)
	got := make(chan string, 1)
	mux.HandleFunc("/", func(w *weir.Response, _ *weir.Request) {
		p, err := w.Upgrade("echo")
		if err != nil {
			t.Error(err)
			return
		}
		_ = p.Send([]byte("all"))
		_ = p.CloseWrite()
		b, err := io.ReadAll(p)
		got <- fmt.Sprintf("%s %v", b, err)
	})
	backend, err := url.Parse("http://" + serve(t, mux))
	if err != nil {
		t.Fatal(err)
	}
	proxy, transport := httputil.NewSingleHostReverseProxy(backend), new(http.Transport)
	defer transport.CloseIdleConnections()
	proxy.Transport = transport
	c := dial(t, onWeir(t, proxy))
	c.send(askEcho)
	if _, err := c.head(); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c.r); string(b) != "all" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
	c.send("more")
	_ = c.Conn.(*net.TCPConn).CloseWrite()
	if text := <-got; text != "more <nil>" {
		t.Errorf("the backend got %q", text)
	}
}

// A hijacked connection counts as a stream: a shutdown waits for it, and then cuts it.
func TestHijackDrains(t *testing.T) {
	srv := &weir.Server{Handler: nethttp.FromHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hijack(t, w, func(c net.Conn, r io.Reader) {
			_, _ = io.WriteString(c, "up")
			if _, err := io.ReadAll(r); !errors.Is(err, weir.ErrServerClosed) {
				t.Errorf("got %v, want ErrServerClosed", err)
			}
		})
	})), Loops: 1}
	srv.Timeouts.Drain, srv.Timeouts.Mercy = time.Millisecond, -1
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	c := dial(t, srv.Addrs()[0].String())
	c.send(askEcho)
	if _, err := io.ReadFull(c.r, make([]byte, 2)); err != nil {
		t.Fatal(err)
	}
	if st := srv.Stats(); st.StreamsActive != 1 {
		t.Errorf("got %d streams, want 1", st.StreamsActive)
	}
	report, err := srv.Shutdown(context.Background())
	if err != nil || report.Cut != 1 {
		t.Errorf("got %+v, %v", report, err)
	}
}
