package weir_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/internal/memloop"
	"weir/internal/patience"
	"weir/weirtest"
)

// desk is a server on the kernel in memory, in a bubble with a fake clock.
type desk struct {
	*testing.T
	*weirtest.Server
	srv *weir.Server
}

// atDesk runs f with a server that serves h; set changes the server before it starts.
func atDesk(t *testing.T, h weir.Handler, set func(*weir.Server), f func(d *desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		srv := &weir.Server{Handler: h, Logger: slog.New(slog.DiscardHandler)}
		if set != nil {
			set(srv)
		}
		f(&desk{t, weirtest.Start(t, srv), srv})
	})
}

// kernel is what the server runs on, for what no client of a user's does.
func (d *desk) kernel() *memloop.Kernel { return d.srv.System.(*memloop.Kernel) }

// cut shuts the server down at once.
func (d *desk) cut() weir.DrainReport {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	report, _ := d.srv.Shutdown(ctx) // shut down before: then there is nothing to do
	return report
}

// dial opens a connection; what text are its first bytes.
func (d *desk) dial(text string) *weirtest.Client {
	c := d.Dial()
	d.write(c, text)
	return c
}

func (d *desk) write(c peer, text string) {
	d.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		d.Error(err)
	}
}

// get opens a connection with one request on it.
func (d *desk) get(path string) *weirtest.Client {
	return d.dial("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n")
}

// peer is a client's end of a connection: weirtest's, or the kernel's own for
// what users' clients do not do.
type peer interface {
	net.Conn
	CloseWrite() error
	Reset()
}

// seen is what has come to the client once nothing moves any more.
func (d *desk) seen(c peer) string {
	if c, ok := c.(*weirtest.Client); ok {
		return c.Received()
	}
	var b strings.Builder
	for raw, buf := c.(*memloop.Client), make([]byte, 64<<10); ; {
		synctest.Wait()
		if raw.Pending() == 0 {
			return b.String()
		}
		n, _ := raw.Read(buf) // there is something
		b.Write(buf[:n])
	}
}

// exchange sends one request and returns the status line and the body.
func (d *desk) exchange(request string) (status, body string) {
	d.Helper()
	c := d.dial(request)
	defer c.Close()
	head, body, _ := strings.Cut(d.seen(c), "\r\n\r\n")
	status, _, _ = strings.Cut(head, "\r\n")
	return strings.TrimPrefix(status, "HTTP/1.1 "), body
}

// truncated is the body of a response that has failed when all that has come is
// read: what was accepted, without its last chunk, and FIN behind it.
func (d *desk) truncated(c *weirtest.Client) (body string) {
	d.Helper()
	got := d.seen(c)
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		d.Errorf("got %v behind %q, want FIN", err, got)
	}
	if _, body = cutHead(got); strings.HasSuffix(body, "0\r\n\r\n") {
		d.Errorf("got %q, want it without the last chunk", body)
	}
	return body
}

// response reads one answer from a connection.
func response(t testing.TB, r *bufio.Reader) (*http.Response, string) {
	t.Helper()
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

// tally notes what handlers are told, and when.
type tally struct {
	mu     sync.Mutex
	causes []error
	at     []time.Time
}

func (y *tally) tell(cause error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.causes, y.at = append(y.causes, cause), append(y.at, time.Now())
}

func (y *tally) told() []error {
	y.mu.Lock()
	defer y.mu.Unlock()
	return append([]error(nil), y.causes...)
}

func (y *tally) times() []time.Time {
	y.mu.Lock()
	defer y.mu.Unlock()
	return append([]time.Time(nil), y.at...)
}

// mux makes a Mux of handler functions that run on goroutines.
func mux(routes map[string]func(*weir.Response, *weir.Request)) *weir.Mux {
	m := new(weir.Mux)
	for pattern, f := range routes {
		m.HandleFunc(pattern, f)
	}
	return m
}

// shutdown ends a server that runs on sockets.
func shutdown(t *testing.T, srv *weir.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience.Limit)
	defer cancel()
	if _, err := srv.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

// receiver is a weir.BodyReceiver of functions; nil ones are nothing.
type receiver struct {
	data    func(p []byte)
	end     func(err error)
	drained func()
	closed  func(cause error)
}

func (r *receiver) Data(p []byte) {
	if r.data != nil {
		r.data(p)
	}
}

func (r *receiver) End(err error) {
	if r.end != nil {
		r.end(err)
	}
}

func (r *receiver) Drained() {
	if r.drained != nil {
		r.drained()
	}
}

func (r *receiver) Closed(cause error) {
	if r.closed != nil {
		r.closed(cause)
	}
}

// looped is a handler on the loop with a receiver.
func looped(f func(x *weir.LoopExchange) *receiver) weir.LoopHandler {
	return weir.LoopHandlerFunc(func(x *weir.LoopExchange) weir.BodyReceiver { return f(x) })
}

// atOnce is a handler on the loop that h responds for, without the body.
func atOnce(h weir.Handler) weir.LoopHandler {
	return weir.LoopHandlerFunc(func(x *weir.LoopExchange) weir.BodyReceiver {
		h.Serve(x.Response(), x.Request())
		return nil
	})
}
