package serve

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"weir/cmd/weir/internal/mock"
	"weir/internal/leak"
	"weir/internal/patience"
)

// asServe is set in the environment of a process that is to be weir serve, and
// not its tests.
const asServe = "WEIR_TEST_AS_SERVE"

func TestMain(m *testing.M) {
	if os.Getenv(asServe) != "" {
		if path := os.Getenv(hostsFile); path != "" {
			lookupHost = func(_ context.Context, host string) ([]string, error) { return lookIn(path, host) }
		}
		os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr))
	}
	code := leak.Check(m)
	if built.dir != "" {
		_ = os.RemoveAll(built.dir) // the system's own cleaning takes what remains
	}
	os.Exit(code)
}

// lines is the output of a process as far as it was written.
type lines struct {
	mu   sync.Mutex
	cond sync.Cond
	all  []string
	over bool
}

func (l *lines) read(r io.Reader) {
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		l.mu.Lock()
		l.all = append(l.all, in.Text())
		l.cond.Broadcast()
		l.mu.Unlock()
	}
	l.mu.Lock()
	l.over = true
	l.cond.Broadcast()
	l.mu.Unlock()
}

// wait waits until n lines match, and returns them all.
func (l *lines) wait(t *testing.T, n int, pattern string) (found []string) {
	t.Helper()
	match := regexp.MustCompile(pattern)
	late := false
	timer := time.AfterFunc(patience.Limit, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		late = true
		l.cond.Broadcast()
	})
	defer timer.Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for from := 0; ; l.cond.Wait() {
		for ; from < len(l.all); from++ {
			if match.MatchString(l.all[from]) {
				found = append(found, l.all[from])
			}
		}
		if len(found) >= n {
			return found
		}
		if l.over || late {
			t.Fatalf("got %d lines that match %q, want %d; all:\n%s", len(found), pattern, n, tail(l.all))
		}
	}
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.all, "\n")
}

func tail(all []string) string { return strings.Join(all[max(0, len(all)-40):], "\n") }

// process is a program that a test has started.
type process struct {
	t        *testing.T
	cmd      *exec.Cmd
	out, log *lines
	over     chan struct{} // it has ended, and all its output is there
}

// start starts a program; it is killed when it outlives the test.
func start(t *testing.T, env []string, program string, args ...string) *process {
	t.Helper()
	ctx, kill := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), env...)
	p := &process{t: t, cmd: cmd, out: new(lines), log: new(lines), over: make(chan struct{})}
	p.out.cond.L, p.log.cond.L = &p.out.mu, &p.log.mu
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
	go func() {
		defer close(p.over)
		var read sync.WaitGroup
		read.Go(func() { p.out.read(stdout) })
		read.Go(func() { p.log.read(stderr) })
		read.Wait()
		_ = cmd.Wait() // the exit code says it
	}()
	t.Cleanup(func() {
		kill()
		<-p.over
	})
	return p
}

func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// code waits for the end and returns the exit code.
func (p *process) code() int {
	p.t.Helper()
	select {
	case <-p.over:
	case <-time.After(patience.Limit):
		p.t.Fatalf("the process runs on; its log:\n%s", p.log)
	}
	return p.cmd.ProcessState.ExitCode()
}

// instance is a weir serve that runs.
type instance struct {
	*process
	file       string // its configuration
	url, admin string
}

// common is the beginning of the tests' configurations.
const common = `
listen: ["127.0.0.1:0"]
admin: {listen: "127.0.0.1:0"}
log: {access: stdout, format: json}
`

// serve runs the test's binary, with the race detector if that has it, as weir
// serve. It drains without a grace, unless the test asks for one.
func serve(t *testing.T, config string, args ...string) *instance {
	t.Helper()
	return launch(t, os.Args[0], nil, config, args...)
}

func launch(t *testing.T, program string, first []string, config string, args ...string) *instance {
	t.Helper()
	g := &instance{file: filepath.Join(t.TempDir(), "weir.yaml")}
	g.write(t, config)
	g.process = start(t, []string{asServe + "=1", "GORACE=atexit_sleep_ms=0"}, program, append(append(first, "--config", g.file, "--grace", "0s"), args...)...)
	g.url = strings.Fields(g.out.wait(t, 1, `^weir serve: ready on https?://127\.[\d.]+:\d+( unix:\S+)?$`)[0])[4]
	var entry struct{ On string }
	decode(t, g.log.wait(t, 1, `"msg":"admin"`)[0], &entry)
	g.admin = "http://" + entry.On
	return g
}

// write replaces the configuration file at once, as a deployment would.
func (g *instance) write(t *testing.T, config string) {
	t.Helper()
	if err := os.WriteFile(g.file+".new", []byte(common+config), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(g.file+".new", g.file); err != nil {
		t.Fatal(err)
	}
}

// end has the gateway drain, and wants a clean end.
func (g *instance) end() {
	g.t.Helper()
	g.signal(syscall.SIGTERM)
	if code := g.code(); code != 0 {
		g.t.Errorf("got exit code %d, want 0; log:\n%s", code, g.log)
	}
}

// built is the weir binary, without the race detector, for figures.
var built struct {
	once sync.Once
	dir  string
	err  error
}

// serveBuilt runs weir serve as users do.
func serveBuilt(t *testing.T, config string, args ...string) *instance {
	t.Helper()
	return launch(t, builtWeir(t), []string{"serve"}, config, args...)
}

// builtWeir is the path of the weir binary.
func builtWeir(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "weir"); built.err != nil {
			return
		}
		out, err := exec.Command("go", "build", "-o", filepath.Join(built.dir, "weir"), "weir/cmd/weir").CombinedOutput()
		if err != nil {
			built.err = fmt.Errorf("go build: %w: %s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.dir, "weir")
}

// toMock is a configuration with model m behind one mock.
func toMock(up *mock.Server) string {
	return fmt.Sprintf("upstreams: {up: {url: %q}}\nmodels: {m: {targets: [{upstream: up}]}}\n", up.URL())
}

// client keeps no connection.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}

// asked is a request of the tests; fields are names and values in turn.
func asked(t *testing.T, method, url, body string, fields ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	return r
}

// do makes a request and returns the whole answer.
func do(t *testing.T, method, url, body string, fields ...string) (*http.Response, string) {
	t.Helper()
	res, err := client.Do(asked(t, method, url, body, fields...))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: got %q, %v", method, url, text, err)
	}
	return res, string(text)
}

const (
	chat      = "/v1/chat/completions"
	askStream = `{"model":"m","stream":true,"messages":[]}`
	askWhole  = `{"model":"m","messages":[]}`
)

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("got %q: %v", text, err)
	}
}

// wait waits until the mock's counts are such.
func wait(t *testing.T, up *mock.Server, holds func(mock.Counts) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience.Limit)
	defer cancel()
	if err := up.Wait(ctx, holds); err != nil {
		t.Fatal(err)
	}
}

// eventually asks again and again, for what nobody tells.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	if err := until(func() (bool, error) { return holds(), nil }); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// until is eventually for other goroutines than the test's.
func until(holds func() (bool, error)) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience.Limit)
	for {
		if ok, err := holds(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-late:
			return fmt.Errorf("not within %v", patience.Limit)
		}
	}
}

// blamed matches metrics by which an attempt has come to nothing.
var blamed = regexp.MustCompile(`(?m)^weir_upstream_failures_total\{.*\} [^0]`)

// gauge is one of the gateway's metrics that have no labels.
func (g *instance) gauge(name string) (value float64, err error) {
	res, err := client.Get(g.admin + "/metrics")
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(text), "\n"+name+" ")
	_, err = fmt.Sscan(after, &value)
	return value, err
}

// call runs Main in this process, for commands that end by themselves.
func call(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = Main(args, &out, &errs)
	return code, out.String(), errs.String()
}
