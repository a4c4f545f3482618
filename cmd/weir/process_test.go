package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"weir/internal/patience"
)

// process is weir in a process of its own.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout *bufio.Reader
	stderr *bufio.Reader
}

// launch starts weir; it is killed when it outlives the test.
func launch(t *testing.T, args ...string) *process {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asWeir+"=1")
	cmd.WaitDelay = patience.Limit
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // its context has ended: an error is expected
	return &process{t, cmd, bufio.NewReader(stdout), bufio.NewReader(stderr)}
}

// ready reads the ready line and returns what it matches.
func (p *process) ready(pattern string) []string {
	p.t.Helper()
	line, err := p.stdout.ReadString('\n')
	m := regexp.MustCompile(`^` + pattern + `\n$`).FindStringSubmatch(line)
	if m == nil {
		p.t.Fatalf("got the first line %q (%v), want %s", line, err, pattern)
	}
	return m
}

func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// logged reads the log up to the entry with that message.
func (p *process) logged(msg string) map[string]any {
	p.t.Helper()
	for {
		line, err := p.stderr.ReadString('\n')
		if err != nil {
			p.t.Fatalf("got %q, then %v, want %q logged", line, err, msg)
		}
		entry := map[string]any{}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			p.t.Fatalf("got %q, want JSON: %v", line, err)
		}
		if entry["msg"] == msg {
			return entry
		}
	}
}

// end waits for the process and returns its exit code and what it still wrote
// to stdout.
func (p *process) end() (code int, rest string) {
	p.t.Helper()
	out, err := io.ReadAll(p.stdout)
	if err != nil {
		p.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, p.stderr) // nobody asks for it
	_ = p.cmd.Wait()                     // the exit code says it
	return p.cmd.ProcessState.ExitCode(), string(out)
}

// client keeps no connection.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience.Limit}

func get(t *testing.T, url string) string {
	t.Helper()
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("%s: got %d %q, %v", url, res.StatusCode, text, err)
	}
	return string(text)
}

// The ready line names all listeners; nothing else is on stdout.
func TestTourListensOnSeveral(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "t.sock")
	p := launch(t, "tour", "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--listen", "unix:"+socket+"?mode=0600", "--pprof", "127.0.0.1:0")
	profiles := p.logged("profiles")["on"].(string)
	urls := p.ready(`weir tour: ready on (http://127\.0\.0\.1:\d+) (http://127\.0\.0\.1:\d+) unix:` + regexp.QuoteMeta(socket))
	for _, url := range urls[1:] {
		if got := get(t, url+"/plaintext"); got != "Hello, World!" {
			t.Errorf("%s: got %q", url, got)
		}
	}
	if got := get(t, profiles+"cmdline"); !strings.Contains(got, "tour\x00--listen") {
		t.Errorf("got the command line %q from /debug/pprof/", got)
	}
	if info, err := os.Stat(socket); err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("got %v, %v, want a socket with mode 0600", info, err)
	}
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /plaintext HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(got), "\r\n\r\nHello, World!") {
		t.Errorf("got %q, %v", got, err)
	}
	c.Close() // or the server waits for it, for two seconds
	p.signal(syscall.SIGINT)
	if e := p.logged("weir tour: drained"); e["cut"] != 0.0 {
		t.Errorf("got the report %v, want nothing cut", e)
	}
	if code, rest := p.end(); code != 0 || rest != "" {
		t.Errorf("got exit code %d and %q on stdout, want 0 and nothing", code, rest)
	}
	if _, err := os.Stat(socket); !os.IsNotExist(err) {
		t.Errorf("got %v, want the socket removed", err)
	}
}

// L12: the first signal lets a stream end, and no new client in.
func TestTourDrains(t *testing.T) {
	p := launch(t, "tour", "--listen", "127.0.0.1:0")
	url := p.ready(`weir tour: ready on (\S+)`)[1]
	res, err := client.Get(url + "/tokens?n=20&interval=10ms")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	p.signal(syscall.SIGTERM)
	p.logged("weir tour: draining")
	if text, err := io.ReadAll(res.Body); err != nil || !strings.HasSuffix(string(text), "data: [DONE]\n\n") {
		t.Errorf("got %q, %v, want the stream to its end", text, err)
	}
	if e := p.logged("weir tour: drained"); e["drained"] != 1.0 || e["cut"] != 0.0 {
		t.Errorf("got the report %v, want one drained", e)
	}
	if code, _ := p.end(); code != 0 {
		t.Errorf("got exit code %d, want 0", code)
	}
	if c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://")); err == nil {
		c.Close()
		t.Error("the port is still open")
	}
}

// The second signal cuts what does not end by itself.
func TestTourIsCut(t *testing.T) {
	p := launch(t, "tour", "--listen", "127.0.0.1:0", "--drain", "1h")
	url := p.ready(`weir tour: ready on (\S+)`)[1]
	res, err := client.Get(url + "/clock?interval=10ms")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	p.signal(syscall.SIGTERM)
	p.logged("weir tour: draining")
	p.signal(syscall.SIGTERM)
	if text, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("got %q and a proper end, want the stream cut", text)
	}
	if e := p.logged("weir tour: drained"); e["drained"] != 0.0 || e["cut"] != 1.0 {
		t.Errorf("got the report %v, want one cut", e)
	}
	if code, _ := p.end(); code != 0 {
		t.Errorf("got exit code %d, want 0", code)
	}
}

// G16: SIGHUP before the first line of main is a reload after the start. It ends
// what does not reload.
func TestEarlyHangup(t *testing.T) {
	taken := make(chan os.Signal, 1)
	signal.Notify(taken, syscall.SIGHUP) // else under nohup the child would inherit that it is ignored
	defer signal.Stop(taken)
	t.Setenv(hungUp, "1")
	config := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(config, []byte("listen: [\"127.0.0.1:0\"]\nadmin: {listen: \"\"}\nmodels: {m: {native: demo/babble}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := launch(t, "serve", "--config", config, "--grace", "0s")
	p.ready(`weir serve: ready on (\S+)`)
	if e := p.logged("configuration reloaded"); e["because"] != "SIGHUP" {
		t.Errorf("got %v, want SIGHUP", e)
	}
	p.signal(syscall.SIGTERM)
	if code, _ := p.end(); code != 0 {
		t.Errorf("got exit code %d, want 0", code)
	}
	p = launch(t, "tour", "--listen", "127.0.0.1:0")
	if code, out := p.end(); code != -1 || out != "" {
		t.Errorf("tour: got exit code %d and %q, want the signal's end", code, out)
	}
}

// A port that is taken is an error that says so.
func TestTourCannotStart(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	p := launch(t, "tour", "--listen", ln.Addr().String())
	if e := p.logged("weir tour: cannot start"); !strings.Contains(e["err"].(string), ln.Addr().String()) || !strings.Contains(e["err"].(string), "in use") {
		t.Errorf("got %v, want the address and that it is in use", e)
	}
	if code, rest := p.end(); code != 1 || rest != "" {
		t.Errorf("got exit code %d and %q on stdout, want 1 and no ready line", code, rest)
	}
}
