package reactor_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/memloop"
	"weir/reactor"
)

// detaching is a handler that gives its connection away if the client wants it
// so: by asking for HTTP/2.
type detaching struct {
	*probe
	conns chan *tls.Conn
}

func (d *detaching) Secured() {
	d.said <- "secured " + d.conn.TLS().NegotiatedProtocol
	if d.conn.TLS().NegotiatedProtocol == "h2" {
		d.conns <- d.conn.Detach()
	}
}

// detach makes the world's connections detaching ones.
func (w *secureWorld) detach(cfg reactor.Config) chan *tls.Conn {
	conns := make(chan *tls.Conn, 10)
	w.tls.Config.NextProtos = []string{"h2", "http/1.1"}
	cfg.Accept = func(c *reactor.Conn) reactor.Handler {
		p := newProbe(c)
		w.came <- p
		return &detaching{p, conns}
	}
	w.start(cfg)
	return conns
}

// handed is a listener of the connections that were given away.
type handed struct {
	conns chan *tls.Conn
	over  chan struct{}
	once  sync.Once
}

func (l *handed) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.over:
		return nil, net.ErrClosed
	}
}

func (l *handed) Close() error   { l.once.Do(func() { close(l.over) }); return nil }
func (l *handed) Addr() net.Addr { return &net.TCPAddr{} }

// One port speaks HTTP/2 with net/http's server and anything else with its
// handler on the loop.
func TestDetachToHTTP2(t *testing.T) {
	onSockets(t, func(w0 *world) {
		w := newSecureWorld(w0, tls.VersionTLS13)
		lis := &handed{conns: w.detach(reactor.Config{}), over: make(chan struct{})}
		srv := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				w.Error(err)
			}
			for i := range 5 {
				fmt.Fprintf(rw, "%s %d %d\n", r.Proto, len(body), i)
				rw.(http.Flusher).Flush()
			}
			io.WriteString(rw, strings.Repeat("x", 1<<20))
		})}
		served := make(chan error, 1)
		go func() { served <- srv.Serve(lis) }()
		transport := &http.Transport{TLSClientConfig: w.client, ForceAttemptHTTP2: true}
		client := &http.Client{Transport: transport}
		for range 3 {
			res, err := client.Post("https://"+w.addr, "text/plain", strings.NewReader(strings.Repeat("u", 300_000)))
			if err != nil {
				w.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			res.Body.Close()
			if text := string(body); err != nil || !strings.HasPrefix(text, "HTTP/2.0 300000 0\nHTTP/2.0 300000 1\n") || len(text) != 5*18+1<<20 {
				w.Errorf("got %.40q, %d bytes, %v", text, len(text), err)
			}
		}
		p := <-w.came
		p.expect(w, "secured h2")
		w.client = w.client.Clone()
		w.client.NextProtos = []string{"http/1.1"}
		c, q := w.dial()
		w.write(c, "hello")
		q.expect(w, "secured http/1.1", "data hello")

		if err := srv.Shutdown(context.Background()); err != nil {
			w.Error(err)
		}
		transport.CloseIdleConnections()
		p.expect(w, "closed")
		if p.cause != reactor.ErrClosed {
			w.Errorf("got the cause %v, want ErrClosed", p.cause)
		}
		if err := <-served; err != http.ErrServerClosed {
			w.Error(err)
		}
	})
}

// dialDetached returns both ends of a connection that was given away.
func (w *secureWorld) dialDetached(conns chan *tls.Conn) (c *secureClient, mine *tls.Conn, p *probe) {
	w.client.NextProtos = []string{"h2"}
	c, p = w.dial()
	p.expect(w, "secured h2")
	return c, <-conns, p
}

// A detached connection is a net.Conn like others: it waits, has deadlines, is
// held up by a client that does not read, and ends.
func TestDetached(t *testing.T) {
	securedMemory(t, func(w *secureWorld) {
		conns := w.detach(reactor.Config{HighMark: 64 << 10, WriteStall: time.Hour})
		c, mine, p := w.dialDetached(conns)
		buf := make([]byte, 100<<10)

		mine.SetReadDeadline(time.Now().Add(time.Minute))
		began := time.Now()
		if _, err := mine.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != time.Minute {
			w.Errorf("a read without input: got %v after %v", err, time.Since(began))
		}
		mine.SetReadDeadline(time.Time{})
		go io.WriteString(c, strings.Repeat("x", len(buf)))
		if n, err := io.ReadFull(mine, buf); err != nil {
			w.Fatalf("got %d bytes, %v", n, err)
		}
		go io.Copy(io.Discard, mine)

		c.memory().SetWindow(0)
		written := make(chan int, 1)
		go func() {
			n := 0
			for n < 1<<20 {
				k, err := mine.Write(buf[:8<<10])
				n += k
				if err != nil {
					break
				}
			}
			written <- n
		}()
		synctest.Wait()
		if n := p.pending(); n < 64<<10 || n > 90<<10 {
			w.Errorf("got %d bytes pending, want about the high mark", n)
		}
		c.memory().SetWindow(memloop.DefaultWindow)
		if _, err := io.ReadFull(c, make([]byte, 1<<20)); err != nil {
			w.Fatal(err)
		}
		if n := <-written; n != 1<<20 {
			w.Errorf("got %d bytes written", n)
		}
		mine.Close()
		w.reads(c, "$")
		c.Close()
		p.expect(w, "closed")
	})
}

// What waits on a detached connection returns when the client disconnects.
func TestDetachedDisconnects(t *testing.T) {
	for name, leave := range map[string]func(c *secureClient){
		"FIN": func(c *secureClient) { c.raw.CloseWrite() }, "RST": func(c *secureClient) { c.raw.Reset() },
	} {
		t.Run(name, func(t *testing.T) {
			securedMemory(t, func(w *secureWorld) {
				conns := w.detach(reactor.Config{HighMark: 64 << 10, WriteStall: time.Hour})
				c, mine, p := w.dialDetached(conns)
				c.memory().SetWindow(0)
				wrote, read := make(chan error), make(chan error)
				go func() {
					for {
						if _, err := mine.Write(make([]byte, 8<<10)); err != nil {
							wrote <- err
							return
						}
					}
				}()
				go func() {
					_, err := mine.Read(make([]byte, 1))
					read <- err
				}()
				synctest.Wait()
				leave(c)
				if err := <-read; err == nil {
					w.Error("Read: got no error")
				}
				if name == "FIN" { // only half of it has ended
					mine.Close()
				}
				if err := <-wrote; err == nil {
					w.Error("Write: got no error")
				}
				mine.Close()
				c.raw.Close()
				p.expect(w, "closed")
			})
		})
	}
}
