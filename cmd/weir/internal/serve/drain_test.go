package serve

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/cmd/weir/internal/mock"
	"weir/internal/patience"
)

const (
	firstEvent = "data: {\"choices\":[{\"delta\":{\"content\":\"one\"}}]}\n\n"
	lastEvents = "data: {\"choices\":[{\"delta\":{\"content\":\"two\"}}]}\n\ndata: [DONE]\n\n"
)

// gated is an upstream whose streams stop after the first event until release.
func gated(t *testing.T) (up *httptest.Server, release func()) {
	t.Helper()
	gate := make(chan struct{})
	up = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, firstEvent) // the client's reading shows it
		w.(http.Flusher).Flush()
		select {
		case <-gate:
			_, _ = io.WriteString(w, lastEvents)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(up.Close)
	return up, func() { close(gate) }
}

func toGated(up *httptest.Server) string {
	return fmt.Sprintf("upstreams: {up: {url: %q}}\nmodels: {m: {targets: [{upstream: up}]}}\n", up.URL)
}

// stream asks for one and returns it after its first event.
func (g *instance) stream() io.Reader {
	g.t.Helper()
	res, err := client.Do(asked(g.t, "POST", g.url+chat, askStream, "x-request-id", "running"))
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { res.Body.Close() })
	got := make([]byte, len(firstEvent))
	if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != firstEvent {
		g.t.Fatalf("got %q, %v, want the first event", got, err)
	}
	return res.Body
}

// caller is a client's connection that is used more than once.
type caller struct {
	g *instance
	c net.Conn
	r *bufio.Reader
}

func (g *instance) dial() *caller {
	g.t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience.Limit)); err != nil {
		g.t.Fatal(err)
	}
	return &caller{g, c, bufio.NewReader(c)}
}

func (k *caller) models() (res *http.Response, body string) {
	k.g.t.Helper()
	k.write("GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
	return k.response()
}

func (k *caller) write(text string) {
	k.g.t.Helper()
	if _, err := io.WriteString(k.c, text); err != nil {
		k.g.t.Fatal(err)
	}
}

func (k *caller) response() (res *http.Response, body string) {
	k.g.t.Helper()
	res, err := http.ReadResponse(k.r, nil)
	if err != nil {
		k.g.t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		k.g.t.Fatal(err)
	}
	if res.Close {
		k.c.Close() // or the server waits for it, for two seconds
	}
	return res, string(text)
}

// refused checks an answer that came after the grace (G16, G17).
func refused(t *testing.T, what string, res *http.Response, body string) {
	t.Helper()
	var got struct {
		Error struct{ Message, Type string }
	}
	if res.StatusCode != 503 {
		t.Errorf("%s: got %d %s, want 503", what, res.StatusCode, body)
		return
	}
	decode(t, body, &got)
	if got.Error.Type != "server_error" || !strings.Contains(got.Error.Message, "shutting down") {
		t.Errorf("%s: got %s, want a server_error that says why", what, body)
	}
	if res.Header.Get("Retry-After") != "1" || !res.Close || res.Header.Get("x-request-id") == "" || res.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s: got %v, want Retry-After, a request id and the connection's end", what, res.Header)
	}
}

// G16: /readyz says so at once, requests are served in the grace; after it the
// port is free, what still arrives is refused, and what runs comes to its end.
func TestDrainInStages(t *testing.T) {
	const grace = 2 * time.Second
	up, release := gated(t)
	g := serve(t, toGated(up), "--grace", grace.String())
	running := g.stream()
	idle, kept := g.dial(), g.dial()
	for _, k := range []*caller{idle, kept} {
		if res, body := k.models(); res.StatusCode != 200 || res.Close {
			t.Fatalf("got %d %s %v, want 200 on a connection that is kept", res.StatusCode, body, res.Header)
		}
	}
	begin := time.Now()
	g.signal(syscall.SIGTERM)
	g.log.wait(t, 1, `weir serve: draining.*"grace":"2s"`)
	if res, got := do(t, "GET", g.admin+"/readyz", ""); res.StatusCode != 503 {
		t.Errorf("/readyz: got %d %s, want 503", res.StatusCode, got)
	}
	for what, k := range map[string]*caller{"new connection": g.dial(), "kept connection": kept} {
		if res, body := k.models(); res.StatusCode != 200 || !res.Close {
			t.Errorf("%s: got %d %s, closing: %v, want 200 and the connection's end", what, res.StatusCode, body, res.Close)
		}
	}
	get, post := g.dial(), g.dial()
	get.write("GET /v1/models HTTP/1.1\r\n") // they have ten seconds for the rest
	post.write("POST " + chat + " HTTP/1.1\r\n")
	eventually(t, "connecting is refused", func() bool { return g.refuses() })
	if passed := time.Since(begin); passed < grace {
		t.Errorf("connecting was refused after %v, want %v", passed, grace)
	}
	there := fmt.Sprintf("listen: [%q]\n", strings.TrimPrefix(g.url, "http://"))
	next := serve(t, toGated(up), "--overlay", fileIn(t, t.TempDir(), "there.yaml", there))
	for what, k := range map[string]*caller{"GET": get, "POST": post} {
		k.write("Host: localhost\r\nContent-Length: 0\r\n\r\n")
		res, body := k.response()
		refused(t, what, res, body)
	}
	if n, err := idle.r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("idle connection: got %d bytes, %v, want the end", n, err)
	}
	if res, body := do(t, "GET", next.url+"/v1/models", ""); res.StatusCode != 200 {
		t.Errorf("the next process: got %d %s, want 200", res.StatusCode, body)
	}
	release()
	if rest, err := io.ReadAll(running); err != nil || string(rest) != lastEvents {
		t.Errorf("got %q, %v, want the rest of the stream", rest, err)
	}
	if code := g.code(); code != 0 {
		t.Errorf("got exit code %d, want 0", code)
	}
	g.log.wait(t, 1, `"msg":"weir serve: drained","drained":3,"cut":0,"refused":2,`)
	next.end()
}

// A unix socket is free for the next process when the grace is over, and the
// end of the first process leaves that one's socket alone.
func TestDrainLeavesTheNextSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "weir") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // the system's own cleaning takes what remains
	socket := filepath.Join(dir, "s")
	both := fileIn(t, t.TempDir(), "both.yaml", fmt.Sprintf("listen: [\"127.0.0.1:0\", %q]\n", "unix:"+socket))
	up, release := gated(t)
	first := serve(t, toGated(up), "--overlay", both)
	running := first.stream()
	first.signal(syscall.SIGTERM)
	eventually(t, "the socket is gone", func() bool {
		_, err := os.Lstat(socket)
		return errors.Is(err, fs.ErrNotExist)
	})
	next := serve(t, toGated(up), "--overlay", both)
	release()
	if rest, err := io.ReadAll(running); err != nil || string(rest) != lastEvents {
		t.Errorf("got %q, %v, want the rest of the stream", rest, err)
	}
	if code := first.code(); code != 0 {
		t.Errorf("got exit code %d, want 0", code)
	}
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	k := &caller{next, c, bufio.NewReader(c)}
	if res, body := k.models(); res.StatusCode != 200 {
		t.Errorf("got %d %s, want 200 from the next process", res.StatusCode, body)
	}
	next.end()
	if _, err := os.Lstat(socket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want the socket removed", err)
	}
}

// refuses reports whether nobody listens on the gateway's address.
func (g *instance) refuses() bool {
	c, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
	if err == nil {
		c.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// The drain's time is over: what still runs is cut, so that it looks like no
// whole answer, and that is a clean end of the server.
func TestDrainIsOver(t *testing.T) {
	up, _ := gated(t)
	g := serve(t, toGated(up)+"drain: 100ms\n", "--grace", "1h")
	running := g.stream()
	g.signal(syscall.SIGTERM)
	if rest, err := io.ReadAll(running); err == nil || bytes.Contains(rest, []byte("[DONE]")) {
		t.Errorf("got %q, %v, want the stream cut", rest, err)
	}
	if code := g.code(); code != 0 {
		t.Errorf("got exit code %d, want 0", code)
	}
	g.log.wait(t, 1, `"msg":"weir serve: drained","drained":0,"cut":1,"refused":0,`)
	g.out.wait(t, 1, `"status":200,.*"err":"weir: server closed"`) // and no 499: it was not the client who left
}

// A second signal cuts at once, in the grace and after it.
func TestSecondSignal(t *testing.T) {
	for _, grace := range []string{"0s", "20m"} {
		up, _ := gated(t)
		g := serve(t, toGated(up)+"drain: 1h\n", "--grace", grace)
		running := g.stream()
		g.signal(syscall.SIGTERM)
		g.log.wait(t, 1, `weir serve: draining`)
		g.signal(syscall.SIGTERM)
		if rest, err := io.ReadAll(running); err == nil {
			t.Errorf("grace %s: got %q and a proper end, want the stream cut", grace, rest)
		}
		if code := g.code(); code != 0 {
			t.Errorf("grace %s: got exit code %d, want 0", grace, code)
		}
		g.log.wait(t, 1, `"msg":"weir serve: drained","drained":0,"cut":1,`)
	}
}

// Who presses Ctrl-C does not wait for load balancers.
func TestInterruptHasNoGrace(t *testing.T) {
	g := serve(t, toMock(mock.Start(t, mock.Config{}))+"drain: 1h\n", "--grace", "20m")
	g.signal(syscall.SIGINT)
	if code := g.code(); code != 0 {
		t.Errorf("got exit code %d, want 0", code)
	}
}
