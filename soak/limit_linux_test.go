//go:build soak

package soak

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"weir/internal/patience"
)

const (
	fileLimit = 256  // descriptors of the server
	attempts  = 1000 // connections
	atATime   = 50
	clockTick = 10 * time.Millisecond // of the kernel's CPU clock, on every architecture of ours
)

// A server with few descriptors serves the clients that it has, sends the
// surplus a 503, does not spin, and recovers within a second, whether the limit
// on connections is its own choice or far too high: a reserve is kept.
func TestDescriptorLimit(t *testing.T) {
	binary := build(t)
	served := fileLimit - 64 - 4*runtime.GOMAXPROCS(0) - 1 // one has a stream already
	for _, test := range []struct {
		name string
		args []string
	}{
		{"by default", nil},
		{"max-conns is too high", []string{"--max-conns", "100000"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := launch(t, binary, test.args...)
			defer p.end()
			p.asks(t, 0)
			first := p.alone(t) // stays, and is served all the time

			c := p.crowd(t)
			t.Logf("%d attempts: %d served, %d answered 503, %d without an answer", attempts, len(c.served), c.refused, len(c.failures))
			complain(t, "clients", c.failures)
			if n := len(c.served); n != served {
				t.Errorf("got %d clients served, want %d", n, served)
			}
			if len(c.served)+c.refused != attempts {
				t.Errorf("got %d clients served and %d refused, want %d in all", len(c.served), c.refused, attempts)
			}
			first.listen(t)
			c.listen(t)

			used := p.cpuOver(t, time.Second)
			t.Logf("CPU of the full server over one second: %v", used)
			if used > 200*time.Millisecond {
				t.Errorf("got %v of CPU used in a second, want a server that rests", used)
			}

			c.leave()
			again, took := p.recover(t, 100)
			t.Logf("%d new clients served within %v after all had left, %d refused meanwhile", len(again.served), took, again.refused)
			again.listen(t)
			p.asks(t, len(again.served)+1)
			first.listen(t)
			again.leave()
			first.leave()
		})
	}
}

func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "weir")
	cmd := exec.Command("go", "build", "-o", path, "../cmd/weir")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building weir: %v\n%s", err, out)
	}
	return path
}

// server is `weir tour` in a process of its own, with few descriptors.
type server struct {
	t    *testing.T
	cmd  *exec.Cmd
	addr string
}

func launch(t *testing.T, binary string, args ...string) *server {
	t.Helper()
	script := fmt.Sprintf(`ulimit -n %d; exec "$0" tour --listen 127.0.0.1:0 "$@"`, fileLimit)
	cmd := exec.CommandContext(t.Context(), "sh", append([]string{"-c", script, binary}, args...)...)
	cmd.Stderr = io.Discard // it complains once a second
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	m := regexp.MustCompile(`ready on http://(\S+)\n`).FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("got %q, %v, want weir tour to be ready", line, err)
	}
	return &server{t, cmd, m[1]}
}

func (p *server) end() {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Error(err)
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("weir tour: %v", err)
	}
}

// cpuOver is what the server's process uses in that time (proc_pid_stat(5)).
func (p *server) cpuOver(t *testing.T, d time.Duration) time.Duration {
	t.Helper()
	used := func() time.Duration {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(string(text), ") ") // of the name; what follows is field 3
		fields := strings.Fields(after)
		user, err1 := strconv.Atoi(fields[14-3])
		system, err2 := strconv.Atoi(fields[15-3])
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		return time.Duration(user+system) * clockTick
	}
	before := used()
	<-time.After(d)
	return used() - before
}

// asks has the server say how many streams it has.
func (p *server) asks(t *testing.T, streams int) {
	t.Helper()
	w, err := connect(p.addr, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.SetDeadline(time.Now().Add(patience.Limit)); err != nil {
		t.Fatal(err)
	}
	w.say([]byte("GET /stats HTTP/1.1\r\nHost: soak\r\n\r\n"))
	res, err := w.answer()
	if err != nil {
		t.Fatalf("/stats: %v", err)
	}
	defer res.Body.Close()
	var got struct {
		StreamsActive int `json:"streams_active"`
	}
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil || res.StatusCode != 200 {
		t.Fatalf("/stats: got %d, %v", res.StatusCode, err)
	}
	if err := drain(res.Body); err != nil {
		t.Fatal(err)
	}
	if got.StreamsActive != streams {
		t.Errorf("/stats: got %d active streams, want %d", got.StreamsActive, streams)
	}
}

// crowd is what became of the attempts.
type crowd struct {
	mu       sync.Mutex
	served   []*guest
	refused  int
	failures []string
}

// guest is a client with a stream.
type guest struct {
	w    *wire
	body *bufio.Reader
}

const clock1s = "GET /clock?interval=1s HTTP/1.1\r\nHost: soak\r\n\r\n"

// crowd has everyone come, some at a time, and those who get a stream stay.
func (p *server) crowd(t *testing.T) *crowd {
	t.Helper()
	c := new(crowd)
	turns := make(chan struct{}, atATime)
	var all sync.WaitGroup
	for range attempts {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			g, refused, err := p.attempt()
			c.mu.Lock()
			defer c.mu.Unlock()
			switch {
			case err != nil:
				c.failures = append(c.failures, err.Error())
			case refused:
				c.refused++
			default:
				c.served = append(c.served, g)
			}
		})
	}
	all.Wait()
	return c
}

// alone is a crowd of one, who is served.
func (p *server) alone(t *testing.T) *crowd {
	t.Helper()
	g, refused, err := p.attempt()
	if refused || err != nil {
		t.Fatalf("got %v, %v, want a stream", refused, err)
	}
	return &crowd{served: []*guest{g}}
}

// attempt asks for a stream. A refusal is a proper answer, which says when to
// come back.
func (p *server) attempt() (g *guest, refused bool, err error) {
	w, err := connect(p.addr, 0)
	if err != nil {
		return nil, false, err
	}
	w.say([]byte(clock1s))
	res, err := w.answer()
	if err != nil {
		w.reset()
		return nil, false, fmt.Errorf("no answer: %w", err)
	}
	if res.StatusCode == 200 {
		return &guest{w, bufio.NewReader(res.Body)}, false, nil
	}
	defer w.Close()
	if err := refusal(res); err != nil {
		return nil, false, err
	}
	return nil, true, drain(res.Body)
}

func refusal(res *http.Response) error {
	after, err := strconv.Atoi(res.Header.Get("Retry-After"))
	if res.StatusCode != 503 || err != nil || after < 1 || !res.Close {
		return fmt.Errorf("got %d, Retry-After %q, close %v, want 503, some seconds and close", res.StatusCode, res.Header.Get("Retry-After"), res.Close)
	}
	return nil
}

// listen has everyone take two events more.
func (c *crowd) listen(t *testing.T) {
	t.Helper()
	for _, g := range c.served {
		for range 4 { // an event is a line and an empty one
			if err := g.w.SetDeadline(time.Now().Add(patience.Limit)); err != nil {
				t.Fatal(err)
			}
			if _, err := g.body.ReadString('\n'); err != nil {
				t.Fatalf("a client that is served: %v", err)
			}
		}
	}
}

func (c *crowd) leave() {
	for _, g := range c.served {
		_ = g.w.Close() // there may be unread input
	}
}

// recover has n clients come who are served within a second after the others
// have left. Until the server has seen them all go it may refuse some.
func (p *server) recover(t *testing.T, n int) (c *crowd, took time.Duration) {
	t.Helper()
	c = new(crowd)
	left := time.Now()
	for len(c.served) < n {
		g, refused, err := p.attempt()
		switch {
		case err != nil:
			t.Fatal(err)
		case refused:
			c.refused++
			<-time.After(5 * time.Millisecond)
		default:
			c.served = append(c.served, g)
		}
		if took = time.Since(left); took > time.Second {
			t.Fatalf("got %d of %d clients served %v after the others had left", len(c.served), n, took)
		}
	}
	return c, took
}
