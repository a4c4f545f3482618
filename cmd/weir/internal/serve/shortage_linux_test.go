package serve

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/cmd/weir/internal/mock"
)

// keeper is a client whose connection stays open.
type keeper struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func (g *instance) connect(t *testing.T) *keeper {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute)) // a test that hangs fails
	return &keeper{t, c, bufio.NewReader(c)}
}

func (k *keeper) ask(body string) {
	k.t.Helper()
	if _, err := fmt.Fprintf(k, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", chat, len(body), body); err != nil {
		k.t.Fatal(err)
	}
}

// answer reads a response; 0 = the connection was closed instead.
func (k *keeper) answer() (status int, header http.Header, body string) {
	k.t.Helper()
	res, err := http.ReadResponse(k.in, nil)
	if err != nil {
		return 0, nil, ""
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		k.t.Errorf("got %q, %v", text, err)
	}
	return res.StatusCode, res.Header, string(text)
}

// limited runs weir serve with a limit on open files.
func limited(t *testing.T, files int, config string) *instance {
	t.Helper()
	return launch(t, "/bin/sh", []string{"-c", fmt.Sprintf(`ulimit -n %d && exec "$0" "$@"`, files), os.Args[0]}, config)
}

// When clients want more connections than there are descriptors for, each that is let in gets its upstream; the others are
// told, nobody is blamed, and whoever asks the admin endpoints is answered.
func TestMoreClientsThanDescriptors(t *testing.T) {
	const files, clients = 160, 120
	up := mock.Start(t, mock.Config{TTFT: time.Hour})
	g := limited(t, files, toMock(up)+"limits: {streams: 1000}\n")
	var all []*keeper
	for range clients {
		k := g.connect(t)
		k.ask(askStream)
		all = append(all, k)
	}
	refused := make(chan bool, clients)
	for _, k := range all {
		go func() {
			status, header, _ := k.answer()
			if status != 0 && (status != 503 || header.Get("Retry-After") == "") {
				t.Errorf("got %d with %v, want 503 with Retry-After", status, header)
			}
			refused <- status == 503
		}()
	}
	in := g.room(t, up, refused, clients)
	if in < 16 || in > files/2 {
		t.Errorf("got %d clients in with %d descriptors", in, files)
	}
	for range 3 {
		for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
			if res, text := do(t, "GET", g.admin+path, ""); res.StatusCode != 200 {
				t.Errorf("%s: got %d %q", path, res.StatusCode, text)
			}
		}
	}
	g.blamesNobody(t)
	for _, k := range all {
		k.Close()
	}
	wait(t, up, func(c mock.Counts) bool { return c.Open == 0 })
	eventually(t, "a client after the crowd", func() bool {
		res, _ := do(t, "POST", g.url+chat, askWhole, "x-mock-ttft", "1ms")
		return res.StatusCode == 200
	})
	g.end()
}

// room waits until every client is with the upstream or refused, and returns how many are there.
func (g *instance) room(t *testing.T, up *mock.Server, refused chan bool, clients int) (in int) {
	t.Helper()
	out := 0
	eventually(t, "every client is in or refused", func() bool {
		for {
			select {
			case <-refused:
				out++
			default:
				in = up.Counts().Open
				return in+out >= clients
			}
		}
	})
	return in
}

// blamesNobody wants no failure of an upstream counted.
func (g *instance) blamesNobody(t *testing.T) {
	t.Helper()
	_, text := do(t, "GET", g.admin+"/metrics", "")
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "weir_upstream_failures_total{") && !strings.HasSuffix(line, " 0\n") && !strings.Contains(line, `"shortage"`) {
			t.Errorf("got %q, want no failure charged", line)
		}
	}
}

// An attempt for which there is no descriptor is answered so. It is not the upstream's failure: once there are descriptors it
// is asked again at once, though it would be left alone after a single failure.
func TestNoDescriptorForAnUpstream(t *testing.T) {
	for _, tls := range []bool{false, true} {
		up := mock.Start(t, mock.Config{TLS: tls})
		if tls {
			file := filepath.Join(t.TempDir(), "mock.pem")
			if err := os.WriteFile(file, up.Certificate(), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("SSL_CERT_FILE", file)
		}
		g := serve(t, toMock(up))
		k := g.connect(t)
		fmt.Fprint(k, "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n") // the client is in, no upstream was asked
		if status, _, body := k.answer(); status != 200 {
			t.Fatalf("got %d %q, want 200", status, body)
		}
		var all unix.Rlimit
		pid := g.cmd.Process.Pid
		if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &all); err != nil {
			t.Fatal(err)
		}
		if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: all.Max}, nil); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			k.ask(askWhole)
			status, header, body := k.answer()
			if status != 503 || header.Get("Retry-After") == "" || !strings.Contains(body, `"code":"local_shortage"`) {
				t.Fatalf("tls %v: got %d %v %q, want 503, when to come again and that the gateway is short", tls, status, header, body)
			}
		}
		if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &all, nil); err != nil {
			t.Fatal(err)
		}
		k.ask(askWhole)
		if status, _, body := k.answer(); status != 200 {
			t.Errorf("tls %v: got %d %q once there are descriptors, want 200", tls, status, body)
		}
		g.blamesNobody(t)
		if n, err := g.gauge("weir_local_shortages_total"); err != nil || n != 20 {
			t.Errorf("tls %v: got %v shortages counted, %v, want 20", tls, n, err)
		}
		g.log.wait(t, 1, `"level":"ERROR","msg":"cannot connect to upstreams for now`)
		k.Close()
		g.end()
	}
}
