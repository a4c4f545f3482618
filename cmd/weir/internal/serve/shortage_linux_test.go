package serve

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"weir/cmd/weir/internal/mock"
)

// keeper is a client whose connection stays open.
type keeper struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func (g *gateway) connect(t *testing.T) *keeper {
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
	if _, err := fmt.Fprintf(k, "POST %s HTTP/1.1\r\nHost: weir\r\nContent-Length: %d\r\n\r\n%s", chat, len(body), body); err != nil {
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
func limited(t *testing.T, files int, config string) *gateway {
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
func (g *gateway) room(t *testing.T, up *mock.Server, refused chan bool, clients int) (in int) {
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
func (g *gateway) blamesNobody(t *testing.T) {
	t.Helper()
	_, text := do(t, "GET", g.admin+"/metrics", "")
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "weir_upstream_failures_total{") && !strings.HasSuffix(line, " 0\n") && !strings.Contains(line, `"shortage"`) {
			t.Errorf("got %q, want no failure charged", line)
		}
	}
}
