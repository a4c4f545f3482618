package pages_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"weir"
	"weir/cmd/weir/internal/admin"
	"weir/cmd/weir/internal/demo"
	"weir/cmd/weir/internal/tour"
	"weir/internal/patience"
	"weir/internal/tlstest"
	"weir/nethttp"
)

// Chromium uses the pages: scripts/browser/cases.mjs is what it does. The
// screenshots are in .tools/screenshots.
func TestChromium(t *testing.T) {
	b := startBrowser(t)
	t.Run("tour", func(t *testing.T) { chromiumTour(t, b) })
	t.Run("killed", func(t *testing.T) { chromiumKilled(t, b) })
	t.Run("tour over HTTP2", func(t *testing.T) { chromiumHTTP2(t, b) })
	t.Run("playground", func(t *testing.T) { chromiumPlayground(t, b) })
}

func chromiumTour(t *testing.T, b *chromium) {
	var asked recorder
	srv := tour.New(slog.New(slog.DiscardHandler))
	admit := srv.OnHeaders
	srv.OnHeaders = func(w *weir.Response, r *weir.Request) bool {
		asked.add(r)
		return admit(w, r)
	}
	base := begin(t, srv, "127.0.0.1:0")

	var pressed []string
	b.run(t, "buttons", base, &pressed)
	if len(pressed) < 31 {
		t.Errorf("got %d buttons, want one for each feature: %q", len(pressed), pressed)
	}
	b.run(t, "six", base, nil)
	b.run(t, "topic", base, nil)
	b.run(t, "room", base, nil)
	b.run(t, "refusals", base, nil)
	b.run(t, "early", base, nil)
	b.run(t, "looks", base, nil)

	asked.take()
	b.run(t, "reconnect", base, nil)
	// What arrives in one piece with the cut is lost in Chromium, and asked for again: the page checks that nothing is missing.
	ids := asked.take()
	if !slices.IsSorted(ids) || len(ids) < 5 || ids[0] != 0 || ids[len(ids)-1] != 10 {
		t.Errorf("got requests of EventSource with Last-Event-ID %d, want 0 (none), then at least 3 on the way to 10", ids)
	}
}

// A page says when its server is killed, and reconnects when there is one again.
func chromiumKilled(t *testing.T, b *chromium) {
	first, second := tour.New(slog.New(slog.DiscardHandler)), tour.New(slog.New(slog.DiscardHandler))
	base := begin(t, first, "127.0.0.1:0")
	now, cancel := context.WithCancel(context.Background())
	cancel()
	stop := func(srv *weir.Server) {
		if _, err := srv.Shutdown(now); err != nil {
			t.Error(err)
		}
	}
	defer stop(second)
	control := http.NewServeMux()
	control.HandleFunc("POST /stop", func(http.ResponseWriter, *http.Request) { stop(first) })
	control.HandleFunc("POST /start", func(http.ResponseWriter, *http.Request) {
		if err := second.Start(strings.TrimPrefix(base, "http://")); err != nil {
			t.Error(err)
		}
	})
	c := httptest.NewServer(control)
	defer c.Close()
	b.run(t, "killed", base, nil, c.URL)
}

// Seven event streams are more than the connections that a browser opens to a
// server of HTTP/1.1.
func chromiumHTTP2(t *testing.T, b *chromium) {
	srv := tour.New(slog.New(slog.DiscardHandler))
	srv.TLS = &weir.TLS{Config: tlstest.New(t, "127.0.0.1").Server(), HTTP2: nethttp.OfServer(srv)}
	base := begin(t, srv, "tls:127.0.0.1:0")
	b.run(t, "seven", base, nil)
	b.run(t, "reconnect", base, nil)
	b.run(t, "buttons", base, nil)
}

func chromiumPlayground(t *testing.T, b *chromium) {
	demo.Pace{First: time.Millisecond, Rate: 200}.Set()
	srv := demo.New(new(admin.Probes))
	ended := make(chan error, 1000)
	srv.Trace = &weir.Trace{End: func(_ *weir.Request, _ any, _ weir.ResponseStats, cause error) { ended <- cause }}
	base := begin(t, srv, "127.0.0.1:0")

	var commands []string
	b.run(t, "dialects", base, &commands)
	b.run(t, "refusal", base, nil)
	b.run(t, "honesty", base, nil)
	b.run(t, "events", base, nil)
	b.run(t, "meter", base, nil)
	b.run(t, "flood", base, nil)
	b.run(t, "looks", base, nil)
	for _, command := range commands {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", command).Output()
		if err != nil || strings.Contains(string(out), `"error":{`) || len(out) < 100 {
			t.Errorf("%s: got %.200q, %v, want a response", command, out, err)
		}
	}

	demo.Pace{Rate: 5}.Set() // the streams do not end before they are stopped
	gone := func() {
		t.Helper()
		for limit := time.After(patience.Limit); ; {
			select {
			case cause := <-ended:
				if errors.Is(cause, weir.ErrClientGone) {
					return
				}
			case <-limit:
				t.Fatal("no stream has ended because its client has disconnected")
			}
		}
	}
	b.run(t, "keyboard", base, nil)
	gone()
	before := srv.Stats().CancelLatency.Count
	b.run(t, "stop", base, nil)
	gone()
	after := srv.Stats()
	if n := after.CancelLatency.Count - before; n != 1 || after.StreamsActive != 0 {
		t.Errorf("got %d streams cancelled and %d that run, want 1 and 0", n, after.StreamsActive)
	}
	t.Logf("a handler is notified of a disconnect within %v, %v at the median", after.CancelLatency.Max, after.CancelLatency.P50)
	if slow := after.CancelLatency.P50; slow > 10*time.Millisecond { // not the longest: this machine has other things to do
		t.Errorf("a handler was notified %v after its client had disconnected, want 10ms at most", slow)
	}
}

// begin starts a server and returns its URL.
func begin(t *testing.T, srv *weir.Server, addr string) string {
	t.Helper()
	srv.Timeouts.Drain, srv.Timeouts.Mercy = time.Second, 10*time.Millisecond
	if err := srv.Start(addr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := srv.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if addrs := srv.TLSAddrs(); len(addrs) > 0 {
		return "https://" + addrs[0].String()
	}
	return "http://" + srv.Addrs()[0].String()
}

// recorder has the Last-Event-ID of each request for /sse, 0 where there is
// none.
type recorder struct {
	mu  sync.Mutex
	ids []int
}

func (r *recorder) add(req *weir.Request) {
	if req.Path() != "/sse" {
		return
	}
	id, err := strconv.Atoi(req.LastEventID())
	if err != nil {
		id = 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ids = append(r.ids, id)
}

// take returns what was recorded since it was called last.
func (r *recorder) take() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := r.ids
	r.ids = nil
	return ids
}

// chromium is a running browser, and the program that uses it.
type chromium struct {
	cases io.Writer
	lines *bufio.Reader
	shots string
}

// startBrowser skips the test if scripts/install.sh has not been run.
func startBrowser(t *testing.T) *chromium {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "..", "scripts", "browser")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "playwright-core")); err != nil {
		t.Skip("playwright-core is not installed: run scripts/install.sh")
	}
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed: run scripts/install.sh")
	}
	shots, err := filepath.Abs(filepath.Join(dir, "..", "..", ".tools", "screenshots"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", filepath.Join(dir, "run.mjs"), program)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close() // then the program ends, and its browser
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	return &chromium{stdin, bufio.NewReader(stdout), shots}
}

// run does a case at a server, and decodes what it returned into data. control
// is for cases that stop and start the server.
func (b *chromium) run(t *testing.T, name, base string, data any, control ...string) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		err := json.NewEncoder(b.cases).Encode(map[string]any{
			"name": name, "base": base, "shots": b.shots, "patience": patience.Limit.Milliseconds(), "control": strings.Join(control, ""),
		})
		if err != nil {
			t.Fatal(err)
		}
		line, err := b.lines.ReadBytes('\n')
		if err != nil {
			t.Fatalf("got %q, %v, want a result", line, err)
		}
		result := struct {
			Error string
			Noise []string
			Data  any
		}{Data: data}
		if err := json.Unmarshal(line, &result); err != nil {
			t.Fatalf("got %q: %v", line, err)
		}
		if result.Error != "" {
			t.Error(result.Error)
		}
		for _, noise := range result.Noise {
			t.Errorf("the browser says: %s", noise)
		}
	})
}
