package serve

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"weir/cmd/weir/internal/mock"
)

// A pause of the process is charged to nobody: what has come while it was
// stopped is read before any deadline passes. Every deadline here passes during
// the pause, and what meets it arrives then. An upstream with http2 is read
// by goroutines of net/http, which cannot have run before the loop does.
func TestPause(t *testing.T) {
	const (
		paused  = 8 * time.Second
		limit   = 6 * time.Second // more than the preparations take
		streams = 20              // of each upstream
		wholes  = 40
	)
	plain, secure := mock.Start(t, mock.Config{}), mock.Start(t, mock.Config{TLS: true})
	trust(t, secure)
	g := serve(t, fmt.Sprintf(`
upstreams:
  http:  {url: %[1]q, timeouts: {first_event: %[3]v, idle: %[3]v}}
  https: {url: %[2]q, timeouts: {first_event: %[3]v, idle: %[3]v}}
  http2: {url: %[2]q, http2: true, timeouts: {first_event: %[3]v, idle: %[3]v}}
models:
  http:  {targets: [{upstream: http}], retries: 0}
  https: {targets: [{upstream: https}], retries: 0}
  http2: {targets: [{upstream: http2}], retries: 0}
`, plain.URL(), secure.URL(), limit))

	var all sync.WaitGroup
	for _, model := range []string{"http", "https", "http2"} {
		for range streams {
			res, err := client.Do(asked(t, "POST", g.url+chat, fmt.Sprintf(`{"model":%q,"stream":true,"messages":[]}`, model),
				"x-mock-ttft", "0s", "x-mock-pace", "50ms", "x-mock-tokens", "60"))
			if err != nil {
				t.Fatal(err)
			}
			all.Go(func() {
				defer res.Body.Close()
				text, err := io.ReadAll(res.Body)
				if err != nil || !strings.HasSuffix(string(text), "data: [DONE]\n\n") || strings.Contains(string(text), `"error"`) {
					t.Errorf("%s: a stream was broken: %v, it ends with %q", model, err, text[max(0, len(text)-300):])
				}
			})
		}
		for range wholes {
			all.Go(func() {
				res, err := client.Do(asked(t, "POST", g.url+chat, fmt.Sprintf(`{"model":%q,"messages":[]}`, model), "x-mock-fault", "slow-head=1s"))
				if err != nil {
					t.Error(err)
					return
				}
				defer res.Body.Close()
				if text, err := io.ReadAll(res.Body); res.StatusCode != 200 || err != nil {
					t.Errorf("%s: a response became %d: %q, %v", model, res.StatusCode, text, err)
				}
			})
		}
	}
	for up, models := range map[*mock.Server]int{plain: 1, secure: 2} {
		wait(t, up, func(c mock.Counts) bool { return c.Bodies >= models*(streams+wholes) })
	}

	g.signal(syscall.SIGSTOP)
	<-time.After(paused)
	g.signal(syscall.SIGCONT)
	all.Wait()
	g.end()
}

// trust makes the gateways that the test starts trust the mock's certificate.
func trust(t *testing.T, up *mock.Server) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, up.Certificate(), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", file)
}
