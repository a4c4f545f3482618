package ways

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"weir"
	"weir/internal/leak"
	"weir/internal/patience"
	"weir/internal/tlstest"
	"weir/nethttp"
	"weir/weirtest"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // ToHTTP's
	os.Exit(leak.Check(m))
}

// dialer connects a client to a server.
type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// overTCP starts srv on a socket.
func overTCP(t *testing.T, srv *weir.Server) dialer { return onSocket(t, srv, "127.0.0.1:0") }

// overUnix starts srv on a unix socket.
func overUnix(t *testing.T, srv *weir.Server) dialer {
	return onSocket(t, srv, "unix:"+filepath.Join(t.TempDir(), "weir.sock"))
}

// overTLS starts srv on a socket with TLS. Clients speak HTTP/1.1.
func overTLS(t *testing.T, srv *weir.Server) dialer {
	id := tlstest.New(t, "weir.test")
	srv.TLS = &weir.TLS{Config: id.Server()}
	return secured(onSocket(t, srv, "tls:127.0.0.1:0"), id.Client())
}

// overHTTP2 starts srv on a socket with TLS. Clients speak HTTP/2, which net/http
// serves.
func overHTTP2(t *testing.T, srv *weir.Server) dialer {
	id := tlstest.New(t, "weir.test")
	srv.TLS = &weir.TLS{Config: id.Server(), HTTP2: nethttp.OfServer(srv)}
	dial, cfg := onSocket(t, srv, "tls:127.0.0.1:0"), id.Client()
	cfg.NextProtos = []string{"h2"}
	return secured(dial, cfg)
}

func secured(dial dialer, cfg *tls.Config) dialer {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return tls.Client(c, cfg), nil
	}
}

func onSocket(t *testing.T, srv *weir.Server, addr string) dialer {
	t.Helper()
	if err := srv.Start(addr); err != nil {
		t.Fatal(err)
	}
	at := srv.Addrs()[0]
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, at.Network(), at.String())
	}
}

// inMemory starts srv on weirtest's kernel, in a bubble with a fake clock.
func inMemory(t *testing.T, srv *weir.Server) dialer { return weirtest.Start(t, srv).DialContext }

// underHTTP runs the handler of srv on net/http's server. srv is not started.
func underHTTP(t *testing.T, srv *weir.Server) dialer {
	host := httptest.NewUnstartedServer(nethttp.ToHTTP(srv.Handler))
	host.Config.ErrorLog = log.New(io.Discard, "", 0)
	host.Start()
	t.Cleanup(host.Close)
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", host.Listener.Addr().String())
	}
}

// withoutReports is a record without what a weir.Server reports and counts.
func withoutReports(record string) string {
	var lines strings.Builder
	for line := range strings.Lines(record) {
		if topic, _, _ := strings.Cut(line, ":"); topic != "OnError" && topic != "trace" && topic != "stats" {
			lines.WriteString(line)
		}
	}
	return lines.String()
}

// A record is what the client and the server's callbacks have seen, by topic.
// Within a topic the order of events is fixed, between topics it is not.
type record struct {
	mu     sync.Mutex
	topics map[string][]string
	vague  bool       // how much was sent is not noted
	due    int        // callbacks that are promised
	none   *sync.Cond // due is 0
}

func newRecord() *record {
	r := &record{topics: map[string][]string{}}
	r.none = sync.NewCond(&r.mu)
	return r
}

// promise notes that n callbacks will come, each of which calls kept.
func (r *record) promise(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.due += n
}

func (r *record) kept() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.due--; r.due == 0 {
		r.none.Broadcast()
	}
}

func (r *record) await() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.due > 0 {
		r.none.Wait()
	}
}

// uncounted leaves out how much was sent.
func (r *record) uncounted() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.vague = true
}

func (r *record) counts(sent weir.ResponseStats, traced int) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.vague {
		return "some bytes"
	}
	return fmt.Sprintf("%d bytes, %d chunks, %d traced", sent.Bytes, sent.Chunks, traced)
}

func (r *record) note(topic, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.topics[topic] = append(r.topics[topic], fmt.Sprintf(format, args...))
}

// String has a line for each event, the topics in alphabetical order.
func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var lines []string
	for topic, events := range r.topics {
		for _, e := range events {
			lines = append(lines, topic+": "+e)
		}
	}
	slices.SortStableFunc(lines, func(a, b string) int {
		a, _, _ = strings.Cut(a, ":")
		b, _, _ = strings.Cut(b, ":")
		return strings.Compare(a, b)
	})
	return strings.Join(lines, "\n") + "\n"
}

// watched is h with a note of the end of its request, which is reported once.
func (r *record) watched(h func(*weir.Response, *weir.Request)) func(*weir.Response, *weir.Request) {
	return func(w *weir.Response, req *weir.Request) {
		r.promise(2)
		defer r.kept()
		req.OnClose(func(cause error) {
			r.note("request", "closed: %s", name(cause))
			r.kept()
		})
		h(w, req)
	}
}

// watchStream notes the end of a stream.
func (r *record) watchStream(s *weir.Stream) {
	r.promise(1)
	s.OnClose(func(cause error) {
		r.note("stream", "closed: %s", name(cause))
		r.kept()
	})
}

// name is an error as every way reports it.
func name(err error) string {
	if err == nil {
		return "complete"
	}
	if p, ok := errors.AsType[*weir.PanicError](err); ok {
		return fmt.Sprint("panic: ", p.Value)
	}
	for _, known := range []error{weir.ErrClientGone, weir.ErrServerClosed, weir.ErrBodyTooLarge, context.Canceled, io.ErrUnexpectedEOF} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return err.Error()
}

// observe notes what a server reports of its own.
func (r *record) observe(srv *weir.Server) {
	srv.OnError = func(w *weir.Response, req *weir.Request, err error) {
		r.note("OnError", "%s %s: %s, status %d, committed %v", req.Method(), req.Path(), name(err), w.Status(), w.Committed())
	}
	srv.Trace = &weir.Trace{
		Start: func(req *weir.Request) any {
			r.promise(1)
			r.note("trace", "start %s %s", req.Method(), req.Path())
			return new(int)
		},
		Head:  func(_ *weir.Request, _ any, sent weir.ResponseStats) { r.note("trace", "head %d", sent.Status) },
		Chunk: func(_ *weir.Request, state any, _ weir.ResponseStats, n int) { *state.(*int) += n },
		End: func(_ *weir.Request, state any, sent weir.ResponseStats, cause error) {
			r.note("trace", "end %d: %s: %s", sent.Status, r.counts(sent, *state.(*int)), name(cause))
			r.kept()
		},
	}
}

// A peer is the client of one case.
type peer struct {
	*testing.T
	*record
	*http.Client
	srv *weir.Server
}

// ask sends a request and notes its response.
func (p *peer) ask(method, path, body string) {
	p.Helper()
	var from io.Reader
	if body != "" {
		from = strings.NewReader(body)
	}
	p.read(p.open(p.Context(), method, path, from))
}

// open sends a request and returns the response when its head is there.
func (p *peer) open(ctx context.Context, method, path string, body io.Reader) *http.Response {
	p.Helper()
	req, err := http.NewRequestWithContext(ctx, method, "http://weir.test"+path, body)
	if err != nil {
		p.Fatal(err)
	}
	res, err := p.Do(req)
	if err != nil {
		p.Fatal(err)
	}
	return res
}

// read notes a response and reads it to its end.
func (p *peer) read(res *http.Response) {
	p.Helper()
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	end := "whole"
	if err != nil {
		end = "truncated"
	}
	p.note("client", "%d, length %d, %s", res.StatusCode, res.ContentLength, fields(res.Header))
	p.note("client", "%s: %s", end, shown(body))
	if len(res.Trailer) > 0 {
		p.note("client", "trailer: %s", fields(res.Trailer))
	}
}

// shown is a body, or how long and what a large one is.
func shown(body []byte) string {
	if len(body) <= 200 {
		return fmt.Sprintf("%q", body)
	}
	return fmt.Sprintf("%d bytes with the checksum %08x", len(body), crc32.ChecksumIEEE(body))
}

// fields are those of a header, but for the date.
func fields(h http.Header) string {
	var all []string
	for name, values := range h {
		if name != "Date" {
			all = append(all, fmt.Sprintf("%s=%q", name, values))
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// await waits for an event of the other side.
func await[T any](p *peer, events <-chan T) (event T) {
	p.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience.Limit)
	defer cancel()
	select {
	case event = <-events:
	case <-ctx.Done():
		p.Fatalf("nothing has happened after\n%s", p.record)
	}
	return event
}

// run runs one case over one way and returns what was seen.
func run(t *testing.T, w way, c aCase) (seen string) {
	t.Helper()
	one := func(t *testing.T) {
		m, r := new(weir.Mux), newRecord()
		srv := &weir.Server{Handler: m, Loops: 1, Logger: slog.New(slog.DiscardHandler)}
		r.observe(srv)
		client := c.serve(m, r)
		if client == nil {
			client = (*peer).askOnce
		}
		if c.set != nil {
			c.set(srv)
		}
		transport := &http.Transport{DialContext: w.start(t, srv), DisableCompression: true, ExpectContinueTimeout: patience.Limit}
		if w.http2 {
			transport.Protocols = new(http.Protocols)
			transport.Protocols.SetUnencryptedHTTP2(true) // what encrypts is the dialer
		}
		p := &peer{t, r, &http.Client{Transport: transport, CheckRedirect: asItIs}, srv}
		client(p)
		p.awaitCallbacks()
		transport.CloseIdleConnections()
		if w.guest {
			seen = r.String()
			return
		}
		shutdown(t, srv)
		s := srv.Stats()
		r.note("stats", "%d requests; streams: %d, %d cancelled, %d failed, %d running", s.Requests, s.StreamsTotal, s.StreamsCancelled, s.StreamsFailed, s.StreamsActive)
		seen = r.String()
	}
	if w.bubble {
		synctest.Test(t, one)
	} else {
		one(t)
	}
	return seen
}

// awaitCallbacks waits until everything that was promised has been reported.
func (p *peer) awaitCallbacks() {
	p.Helper()
	all := make(chan struct{})
	go func() {
		p.record.await()
		close(all)
	}()
	await(p, all)
}

func asItIs(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func (p *peer) askOnce() { p.ask("GET", "/", "") }

// shutdown ends a server, if its case has not done so.
func shutdown(t *testing.T, srv *weir.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience.Limit)
	defer cancel()
	if _, err := srv.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}
