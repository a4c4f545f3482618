package nethttp_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/http/pprof"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"weir"
	"weir/internal/patience"
	"weir/nethttp"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func TestNilHandler(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("got no panic, want one")
		}
	}()
	nethttp.FromHTTP(nil)
}

// A path that only net/http's mux would change arrives as it is.
func TestPathAsItCame(t *testing.T) {
	addr := serve(t, nethttp.FromHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.RequestURI, " ", r.URL.Path)
	})))
	c := dial(t, addr)
	c.send("GET //x/../y?z HTTP/1.1\r\nHost: a\r\n\r\n")
	if got := c.response("GET"); !strings.HasSuffix(got, "\n\n//x/../y?z //x/../y") {
		t.Errorf("got %q", got)
	}
}

// A target that weir takes and net/http does not is its client's mistake.
func TestBadTarget(t *testing.T) {
	addr := serve(t, nethttp.FromHTTP(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler was called") })))
	for _, target := range []string{"/%zz", "/a%"} {
		c := dial(t, addr)
		c.send("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n")
		if got := c.response("GET"); !strings.HasPrefix(got, "HTTP/1.1 400 ") {
			t.Errorf("%s: got %q, want a 400", target, got)
		}
		want(t, target, c.next(), "closed")
	}
}

// What middleware has set is in the handler's header, to be seen, changed, added
// to and removed, and is sent once.
func TestFieldsOfMiddleware(t *testing.T) {
	mux := new(weir.Mux)
	mux.Use(func(next weir.Handler) weir.Handler {
		return weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
			for _, f := range [...][2]string{{"x-request-id", "7"}, {"Vary", "Origin"}, {"X-Frame-Options", "DENY"}, {"Set-Cookie", "a=1"}, {"X-Gone", "1"}, {"Connection", "close"}} {
				w.Header().Add(f[0], f[1])
			}
			next.Serve(w, r)
		})
	})
	mux.Handle("GET /", nethttp.FromHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Seen", h.Get("X-Request-Id"))
		h.Add("Vary", "Accept")
		h.Set("X-Frame-Options", "SAMEORIGIN")
		h.Add("Set-Cookie", "b=2")
		h.Del("X-Gone")
	})))
	mux.Handle("GET /silent", nethttp.FromHTTP(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	addr := serve(t, mux)
	for path, want := range map[string]string{
		"/":       "Connection: close|Content-Length: 0|Set-Cookie: a=1|Set-Cookie: b=2|Vary: Accept|Vary: Origin|X-Frame-Options: SAMEORIGIN|X-Request-Id: 7|X-Seen: 7",
		"/silent": "Connection: close|Content-Length: 0|Set-Cookie: a=1|Vary: Origin|X-Frame-Options: DENY|X-Gone: 1|x-request-id: 7",
	} {
		c := dial(t, addr)
		c.send("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n")
		if got := strings.ReplaceAll(strings.TrimSpace(c.response("GET")), "\n", "|"); got != "HTTP/1.1 200 OK|"+want {
			t.Errorf("%s: got %q, want %s", path, got, want)
		}
	}
}

// What the pattern of the Mux has found is the request's.
func TestPathValues(t *testing.T) {
	mux := new(weir.Mux)
	h := nethttp.FromHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s|%s|%s|%s", r.Pattern, r.PathValue("id"), r.PathValue("rest"), r.PathValue("$"))
	}))
	mux.Handle("GET /v/{id}/in/{rest...}", h)
	mux.Handle("GET /exact/{id}/{$}", h)
	addr := serve(t, mux)
	for target, body := range map[string]string{
		"/v/a%2Fb/in/c/d": "GET /v/{id}/in/{rest...}|a/b|c/d|",
		"/exact/7/":       "GET /exact/{id}/{$}|7||",
	} {
		c := dial(t, addr)
		c.send("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n")
		if got := c.response("GET"); !strings.HasSuffix(got, "\n\n"+body) {
			t.Errorf("%s: got %q, want %q", target, got, body)
		}
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	srv := &weir.Server{Handler: nethttp.FromHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.RemoteAddr, " ", r.Context().Value(http.LocalAddrContextKey), " ", r.Context().Value(http.ServerContextKey))
	}))}
	if err := srv.Start("unix:" + path); err != nil {
		t.Fatal(err)
	}
	defer srv.Shutdown(context.Background())
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	got, err := io.ReadAll(conn)
	if err != nil || !strings.HasSuffix(string(got), "\r\n\r\n@ "+path+" <nil>") {
		t.Errorf("got %q, %v", got, err)
	}
}

// A mistake of the handler's is logged with its place, some times a second.
func TestSuperfluousWriteHeader(t *testing.T) {
	var log lines
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	nethttp.ForgetLogged()
	c := dial(t, onWeir(t, http.HandlerFunc(twice)))
	c.send(get)
	want(t, "response", c.response("GET"), "HTTP/1.1 201 Created\nContent-Length: 0\n\n") // the handler has returned
	if got := log.String(); !strings.Contains(got, "superfluous") || !strings.Contains(got, "nethttp_test.twice") || !strings.Contains(got, "nethttp_test.go") {
		t.Errorf("got %q, want a line with the caller", got)
	}
	for range 100 {
		c.send(get)
		c.response("GET")
	}
	if n := strings.Count(log.String(), "superfluous"); n > 60 { // ten a second, on a machine that takes five
		t.Errorf("got %d lines for 101 mistakes", n)
	}
}

func twice(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(201)
	w.WriteHeader(500)
}

// Informational responses are sent with the fields as they are, which stay for the final one.
func TestInformational(t *testing.T) {
	addr := onWeir(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</a.css>")
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusAccepted)
	}))
	c := dial(t, addr)
	c.send(get)
	head, err := c.head()
	if err != nil || strings.Join(head, "\n") != "HTTP/1.1 103 Early Hints\nLink: </a.css>" {
		t.Errorf("got %q, %v, want 103", head, err)
	}
	want(t, "response", c.response("GET"), "HTTP/1.1 202 Accepted\nContent-Length: 0\nLink: </a.css>\n\n")
}

func TestInvalidStatus(t *testing.T) {
	var log lines
	addr := onWeir(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(42) }), log.of)
	c := dial(t, addr)
	c.send(get)
	if got := c.response("GET"); !strings.HasPrefix(got, "HTTP/1.1 500 ") {
		t.Errorf("got %q, want a 500", got)
	}
	log.wait(t, "invalid WriteHeader code 42")
}

// lines is what a server has logged.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	select {
	case l.more <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (l *lines) of(srv *weir.Server) {
	l.more = make(chan struct{}, 1)
	srv.Logger = slog.New(slog.NewTextHandler(l, nil))
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// wait returns the log once it has text.
func (l *lines) wait(t *testing.T, text string) string {
	t.Helper()
	for {
		if all := l.String(); strings.Contains(all, text) {
			return all
		}
		soon(t, "log with "+text, l.more)
	}
}

// A panic is logged with the stack of the handler; http.ErrAbortHandler is not.
func TestPanicsAreLogged(t *testing.T) {
	var log lines
	addr := onWeir(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/abort" {
			panic(http.ErrAbortHandler)
		}
		culprit()
	}), log.of)
	for _, path := range []string{"/abort", "/panic"} {
		c := dial(t, addr)
		c.send("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n")
		if got := c.response("GET"); !strings.HasPrefix(got, "HTTP/1.1 500 ") {
			t.Errorf("%s: got %q, want a 500", path, got)
		}
	}
	all := log.wait(t, "panicked")
	if !strings.Contains(all, "culprit") || !strings.Contains(all, "panic=oops") {
		t.Errorf("got %q, want the panic and the handler's stack", all)
	}
	if strings.Contains(all, "abort") {
		t.Errorf("got %q, want nothing of the abort", all)
	}
}

//go:noinline
func culprit() { panic("oops") }

// The context ends with the client, and context.Cause says why.
func TestContextOfAClientThatDisconnects(t *testing.T) {
	causes, running := make(chan error), make(chan bool)
	addr := onWeir(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		running <- true
		<-ctx.Done()
		causes <- context.Cause(ctx)
		_, err := io.WriteString(w, strings.Repeat("x", 10_000))
		causes <- err
	}))
	c := dial(t, addr)
	c.send(get)
	soon(t, "the handler", running)
	c.Close()
	wantIs(t, "cause", soon(t, "cause", causes), weir.ErrClientGone)
	wantIs(t, "Write", soon(t, "Write", causes), weir.ErrClientGone)
}

// A response without a body is complete when its head is flushed; what the
// handler writes after that is discarded, as it would have been.
func TestContextOfAFlushedHead(t *testing.T) {
	causes := make(chan error, 2)
	addr := onWeir(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "HEAD" {
			return
		}
		causes <- http.NewResponseController(w).Flush()
		<-r.Context().Done()
		causes <- context.Cause(r.Context())
		if n, err := io.WriteString(w, "discarded"); n != 9 || err != nil {
			t.Errorf("Write: got %d, %v", n, err)
		}
	}))
	c := dial(t, addr)
	c.send(headOf)
	c.response("HEAD")
	wantIs(t, "Flush", soon(t, "Flush", causes), nil)
	wantIs(t, "cause", soon(t, "cause", causes), weir.ErrNoBody)
	want(t, "connection", c.next(), "open: HTTP/1.1 200 OK")
}

// Clients that disconnect at any time leave no handler behind.
func TestDisconnectsAtAnyTime(t *testing.T) {
	var handlers sync.WaitGroup
	ended := make(chan struct{})
	addr := onWeir(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer handlers.Done()
		body, _ := io.ReadAll(r.Body)
		for range 200 {
			if _, err := w.Write(body); err != nil {
				return
			}
			w.(http.Flusher).Flush()
		}
	}))
	for i := range 100 {
		handlers.Add(1)
		c := dial(t, addr)
		c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + strings.Repeat("x", 10*i)) // some of them not whole
		if i%2 == 0 {
			c.send(strings.Repeat("x", 1000-10*i))
			if _, err := io.CopyN(io.Discard, c.r, int64(i)*100); err != nil {
				t.Error(err)
			}
		}
		c.Close()
	}
	go func() { handlers.Wait(); close(ended) }()
	soon(t, "the end of all handlers", ended)
}

func TestContextAtTheEnd(t *testing.T) {
	ctxs := make(chan context.Context, 1)
	addr := onWeir(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.Context().Err(); err != nil {
			t.Errorf("got %v while the handler runs", err)
		}
		ctxs <- r.Context()
	}))
	c := dial(t, addr)
	c.send(get)
	c.response("GET")
	ctx := soon(t, "context", ctxs)
	soon(t, "its end", ctx.Done())
	wantIs(t, "Err", ctx.Err(), context.Canceled)
}

// A handler that reads gets what has arrived, before the rest has.
func TestBodyWhileItArrives(t *testing.T) {
	for _, framing := range []struct{ head, a, b, end string }{
		{"Content-Length: 6", "one", "two", ""},
		{"Transfer-Encoding: chunked", "3\r\none\r\n", "3\r\ntwo\r\n", "0\r\n\r\n"},
	} {
		pieces := make(chan string)
		addr := onWeir(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Body == http.NoBody {
				return
			}
			buf := make([]byte, 3)
			for range 2 {
				_, err := io.ReadFull(r.Body, buf)
				pieces <- fmt.Sprint(string(buf), err)
			}
			_, err := r.Body.Read(buf)
			pieces <- fmt.Sprint(err)
		}))
		c := dial(t, addr)
		c.send("POST / HTTP/1.1\r\nHost: a\r\n" + framing.head + "\r\n\r\n" + framing.a)
		want(t, framing.head, soon(t, "piece", pieces), "one<nil>")
		c.send(framing.b)
		want(t, framing.head, soon(t, "piece", pieces), "two<nil>")
		c.send(framing.end)
		want(t, framing.head, soon(t, "end", pieces), "EOF")
		c.response("POST")
		want(t, framing.head, c.next(), "open: HTTP/1.1 200 OK")
	}
}

func TestUploadThatBreaksOff(t *testing.T) {
	errs := make(chan error, 2)
	addr := onWeir(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		errs <- err
		<-r.Context().Done()
		errs <- context.Cause(r.Context())
	}))
	c := dial(t, addr)
	c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf")
	c.Close()
	err := soon(t, "Read", errs)
	wantIs(t, "Read", err, io.ErrUnexpectedEOF)
	wantIs(t, "Read", err, weir.ErrClientGone)
	wantIs(t, "cause", soon(t, "cause", errs), weir.ErrClientGone)
}

// Mounted where the body does not come to it, a handler gets no empty one
// instead.
func TestMountedWrongly(t *testing.T) {
	errs := make(chan error, 1)
	mux := new(weir.Mux)
	h := nethttp.FromHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		errs <- err
	}))
	mux.HandleLoop("/", weir.LoopHandlerFunc(func(x *weir.LoopExchange) weir.BodyReceiver {
		h.Serve(x.Response(), x.Request())
		return nil
	}))
	c := dial(t, serve(t, mux))
	c.send(post)
	wantIs(t, "Read", soon(t, "Read", errs), io.ErrUnexpectedEOF)
}

// 100 Continue is sent when the handler reads.
func TestContinue(t *testing.T) {
	addr := onWeir(t, http.HandlerFunc(echo))
	c := dial(t, addr)
	c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	head, err := c.head()
	if err != nil || head[0] != "HTTP/1.1 100 Continue" {
		t.Fatalf("got %q, %v", head, err)
	}
	c.send("hello")
	if got := c.response("POST"); !strings.HasSuffix(got, "\n\nhello") {
		t.Errorf("got %q", got)
	}
}

// A response that is made after its deadline is none.
func TestWriteDeadlineBefore(t *testing.T) {
	for path, prefix := range map[string]string{"/small": "HTTP/1.1 500 ", "/large": "HTTP/1.1 500 ", "/flush": "HTTP/1.1 500 ", "/none": "HTTP/1.1 200 "} {
		addr := onWeir(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c := http.NewResponseController(w)
			if r.URL.Path == "/none" {
				_ = c.SetWriteDeadline(time.Now().Add(time.Hour))
				_ = c.SetWriteDeadline(time.Time{})
			} else {
				_ = c.SetWriteDeadline(time.Now().Add(-time.Second))
			}
			switch r.URL.Path {
			case "/large":
				_, err := w.Write(make([]byte, 10_000))
				wantIs(t, path, err, os.ErrDeadlineExceeded)
			case "/flush":
				wantIs(t, path, c.Flush(), os.ErrDeadlineExceeded)
			default:
				_, _ = io.WriteString(w, "x")
			}
		}))
		c := dial(t, addr)
		c.send("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n")
		if got := c.response("GET"); !strings.HasPrefix(got, prefix) {
			t.Errorf("%s: got %q, want %s", path, got, prefix)
		}
	}
}

// A handler that keeps its ResponseWriter writes nothing after its return.
func TestWriteAfterReturn(t *testing.T) {
	kept := make(chan http.ResponseWriter, 1)
	addr := onWeir(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "x")
		kept <- w
	}))
	c := dial(t, addr)
	c.send(get)
	c.response("GET")
	w := soon(t, "the writer", kept)
	if n, err := w.Write([]byte("y")); n != 0 || err == nil {
		t.Errorf("Write: got %d, %v", n, err)
	}
	if err := http.NewResponseController(w).Flush(); err == nil {
		t.Error("Flush: got nil")
	}
	if n, err := io.Copy(w, strings.NewReader("y")); n != 0 || err == nil {
		t.Errorf("ReadFrom: got %d, %v", n, err)
	}
	want(t, "connection", c.next(), "open: HTTP/1.1 200 OK")
}

// A stream through net/http's reverse proxy, in front of net/http's server: each
// flush comes through, and both ends learn of a disconnect.
func TestReverseProxy(t *testing.T) {
	step, left := make(chan bool), make(chan error, 1)
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for i := 0; ; i++ {
			fmt.Fprintf(w, "line %d\n", i)
			w.(http.Flusher).Flush()
			select {
			case <-step:
			case <-r.Context().Done():
				left <- r.Context().Err()
				return
			}
		}
	}))
	defer origin.Close()
	target, err := url.Parse(origin.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	addr := onWeir(t, &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		FlushInterval: -1,
		Transport:     transport,
		ErrorLog:      slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	})
	c := dial(t, addr)
	c.send(get)
	if _, err := c.head(); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		for _, part := range []string{"7\r\n", fmt.Sprintf("line %d\n", i), "\r\n"} {
			line, err := c.r.ReadString('\n')
			if err != nil || line != part {
				t.Fatalf("got %q, %v, want %q", line, err, part)
			}
		}
		step <- true
	}
	c.Close()
	wantIs(t, "origin", soon(t, "origin", left), context.Canceled)
}

// Uploads and error responses of the reverse proxy.
func TestReverseProxyUpload(t *testing.T) {
	origin := httptest.NewServer(http.HandlerFunc(echo))
	target, err := url.Parse(origin.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport = &http.Transport{DisableKeepAlives: true}
	proxy.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	addr := onWeir(t, proxy)
	for _, request := range []string{post, chunky} {
		c := dial(t, addr)
		c.send(request)
		if got := c.response("POST"); !strings.Contains(got, "hello") {
			t.Errorf("got %q", got)
		}
		want(t, "connection", c.next(), "open: HTTP/1.1 200 OK")
	}
	origin.Close()
	c := dial(t, addr)
	c.send(post)
	if got := c.response("POST"); !strings.HasPrefix(got, "HTTP/1.1 502 ") {
		t.Errorf("got %q, want a 502", got)
	}
}

func TestPprof(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	addr := onWeir(t, mux)
	for path, text := range map[string]string{
		"/debug/pprof/":                  "goroutine",
		"/debug/pprof/goroutine?debug=1": "goroutine profile: total",
		"/debug/pprof/heap":              "",
		"/debug/pprof/cmdline":           os.Args[0],
		"/debug/pprof/none":              "Unknown profile",
	} {
		res, body := fetch(t, "http://"+addr+path)
		if !strings.Contains(body, text) || body == "" {
			t.Errorf("%s: got %s %.100q, want %q", path, res.Status, body, text)
		}
	}
}

func TestPromhttp(t *testing.T) {
	reg := prometheus.NewRegistry()
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests_total"}, []string{"code", "method"})
	reg.MustRegister(requests)
	addr := onWeir(t, promhttp.InstrumentHandlerCounter(requests, promhttp.HandlerFor(reg, promhttp.HandlerOpts{})))
	fetch(t, "http://"+addr)
	if _, body := fetch(t, "http://"+addr); !strings.Contains(body, `requests_total{code="200",method="get"} 1`) {
		t.Errorf("got %q", body)
	}
}

// fetch gets a URL with net/http's client, which asks for compression.
func fetch(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience.Limit}
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}
