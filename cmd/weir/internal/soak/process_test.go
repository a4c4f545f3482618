//go:build soak && linux

package soak

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/patience"
)

func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "weir")
	if out, err := exec.Command("go", "build", "-o", path, "weir/cmd/weir").CombinedOutput(); err != nil {
		t.Fatalf("building weir: %v\n%s", err, out)
	}
	return path
}

// process is a weir of its own.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	url  string
	over chan struct{} // closed when it has ended
}

var ready = regexp.MustCompile(`^weir \w+: ready on (https?://\S+)\n$`)

// start starts weir, and returns when it is ready. It is killed when it outlives
// the test.
func start(t *testing.T, env []string, binary string, args ...string) *process {
	t.Helper()
	p, out := launch(t, env, os.Stderr, binary, args...)
	p.await(out)
	return p
}

func launch(t *testing.T, env []string, stderr *os.File, binary string, args ...string) (*process, *bufio.Reader) {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: cmd, over: make(chan struct{})}
	t.Cleanup(func() {
		p.signal(syscall.SIGCONT)
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()         // likewise
	})
	return p, bufio.NewReader(out)
}

// await reads the ready line.
func (p *process) await(out *bufio.Reader) {
	p.t.Helper()
	line, err := out.ReadString('\n')
	m := ready.FindStringSubmatch(line)
	if m == nil {
		p.t.Fatalf("got the first line %q, %v, want the ready line", line, err)
	}
	p.url = m[1]
}

func (p *process) signal(sig syscall.Signal) { _ = p.cmd.Process.Signal(sig) } // it may have ended

// pause stops the process for a while, with all that comes meanwhile left to
// the kernel.
func (p *process) pause(d time.Duration) {
	p.signal(syscall.SIGSTOP)
	time.Sleep(d)
	p.signal(syscall.SIGCONT)
}

// descriptors is how many files the process has open.
func (p *process) descriptors() int {
	names, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		p.t.Error(err)
	}
	return len(names)
}

// resident is the process' memory, in bytes.
func (p *process) resident() int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	var size, pages int64
	if _, scan := fmt.Sscan(string(text), &size, &pages); err != nil || scan != nil {
		p.t.Errorf("statm: %v, %v", err, scan)
	}
	return pages * int64(os.Getpagesize())
}

// limit sets the process' soft limit of open files, and returns the one before.
func (p *process) limit(n uint64) (before uint64) {
	pid := p.cmd.Process.Pid
	var old unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &old); err != nil {
		p.t.Error(err)
		return n
	}
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: old.Max}, nil); err != nil {
		p.t.Error(err)
	}
	return old.Cur
}

// gateway is weir serve, whose log goes to a reader that can be made to hang or
// to die.
type gateway struct {
	*process
	admin string
	file  string // its configuration

	log *reader
}

const config = `
listen: ["127.0.0.1:0"]
admin: {listen: "127.0.0.1:0"}
log: {access: stderr, format: json}
drain: 5s
upstreams:
%smodels:
  m:
    targets: [{upstream: u0}, {upstream: u1}, {upstream: u2}]
    policy: least_outstanding
    retries: %d
`

// write writes the configuration; n is what differs from one to the next.
func (g *gateway) write(mocks []*process, n int) {
	var ups strings.Builder
	for i, m := range mocks {
		fmt.Fprintf(&ups, "  u%d: {url: %q, health: {path: /health, interval: 500ms, timeout: 500ms}, "+
			"timeouts: {connect: 30s, first_event: 30s, idle: 30s}}\n", i, m.url)
	}
	text := fmt.Sprintf(config, ups.String(), 1+n%3)
	if err := os.WriteFile(g.file+".new", []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
	if err := os.Rename(g.file+".new", g.file); err != nil {
		g.t.Fatal(err)
	}
}

func serve(t *testing.T, binary, certificate string, mocks []*process) *gateway {
	t.Helper()
	g := &gateway{file: filepath.Join(t.TempDir(), "weir.yaml")}
	g.process = &process{t: t}
	g.write(mocks, 0)
	from, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	g.log = newReader(from)
	var out *bufio.Reader
	g.process, out = launch(t, []string{"SSL_CERT_FILE=" + certificate}, to, binary,
		"serve", "--config", g.file, "--stall", stall.String(), "--grace", "1s")
	_ = to.Close() // the process has it
	g.await(out)
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
	g.admin = "http://" + g.log.wait(t, regexp.MustCompile(`"msg":"admin","on":"([^"]+)"`))
	return g
}

// reader reads a log, while it is allowed to.
type reader struct {
	from  *os.File
	done  chan struct{}
	hang  sync.Mutex // held while the reader is to hang
	mu    sync.Mutex
	lines []string // the last ones
}

func newReader(from *os.File) *reader {
	r := &reader{from: from, done: make(chan struct{})}
	go r.read()
	return r
}

func (r *reader) read() {
	defer close(r.done)
	in := bufio.NewScanner(r.from)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		r.hang.Lock()
		r.mu.Lock()
		if r.lines = append(r.lines, in.Text()); len(r.lines) > 10_000 {
			r.lines = r.lines[5_000:]
		}
		r.mu.Unlock()
		r.hang.Unlock()
	}
}

// die closes the reader's end for good: the next write of a line is EPIPE.
func (r *reader) die() {
	_ = r.from.Close() // what was not read is lost
	<-r.done
}

// wait returns what the pattern's group has matched in a line.
func (r *reader) wait(t *testing.T, pattern *regexp.Regexp) string {
	t.Helper()
	for late := time.Now().Add(patience.Limit); ; time.Sleep(10 * time.Millisecond) {
		r.mu.Lock()
		text := strings.Join(r.lines, "\n")
		r.mu.Unlock()
		if m := pattern.FindStringSubmatch(text); m != nil {
			return m[1]
		}
		if time.Now().After(late) {
			t.Fatalf("got the log\n%s\nwant %v in it", text, pattern)
		}
	}
}
