package serve

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/cmd/weir/internal/mock"
	"weir/internal/patience"
)

// stuck is a weir serve of which nobody reads what it writes. It listens on
// unix sockets, as its ready line may be lost.
type stuck struct {
	t      *testing.T
	cmd    *exec.Cmd
	over   chan struct{}
	client *http.Client // of its own address
	admin  *http.Client
}

// at is a client of a unix socket.
func at(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
}

// serveStuck starts it, with the descriptors that set gives it; access is where
// the access log goes.
func serveStuck(t *testing.T, access string, set func(cmd *exec.Cmd)) *stuck {
	t.Helper()
	dir := t.TempDir()
	front, back, cfg := filepath.Join(dir, "f"), filepath.Join(dir, "a"), filepath.Join(dir, "c.yaml")
	up := mock.Start(t, mock.Config{})
	text := fmt.Sprintf("listen: [\"unix:%s\"]\nadmin: {listen: \"unix:%s\"}\nlog: {access: %s, format: json}\n%s", front, back, access, toMock(up))
	if err := os.WriteFile(cfg, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &stuck{t: t, client: at(front), admin: at(back), over: make(chan struct{})}
	t.Cleanup(s.client.CloseIdleConnections)
	t.Cleanup(s.admin.CloseIdleConnections)
	ctx, kill := context.WithCancel(context.Background())
	s.cmd = exec.CommandContext(ctx, os.Args[0], "--config", cfg, "--grace", "0s")
	s.cmd.Env = append(os.Environ(), asServe+"=1", "GORACE=atexit_sleep_ms=0")
	set(s.cmd)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.over)
		_ = s.cmd.Wait() // the exit code says it
	}()
	t.Cleanup(func() {
		kill()
		<-s.over
	})
	eventually(t, "it serves", func() bool {
		res, err := s.client.Get("http://weir/v1/models")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == 200
	})
	return s
}

// ask makes a request and wants it served.
func (s *stuck) ask() {
	s.t.Helper()
	res, err := s.client.Post("http://weir"+chat, "application/json", strings.NewReader(askWhole))
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || res.StatusCode != 200 {
		s.t.Fatalf("got %d %q, %v", res.StatusCode, text, err)
	}
}

// lost is the metric of lost lines.
func (s *stuck) lost() (n float64) {
	s.t.Helper()
	res, err := s.admin.Get("http://weir/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "\nweir_log_lines_lost_total ")
	if _, err := fmt.Sscan(after, &n); err != nil {
		s.t.Fatalf("weir_log_lines_lost_total: %v", err)
	}
	return n
}

// end wants the process to end by itself after SIGTERM: its end waits a second
// for readers, and a client's connection two.
func (s *stuck) end() {
	s.t.Helper()
	s.client.CloseIdleConnections()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	select {
	case <-s.over:
	case <-time.After(patience.Limit):
		s.t.Fatal("the process does not end")
	}
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		s.t.Errorf("got exit code %d (%v), want 0", code, s.cmd.ProcessState)
	}
}

// unread is a pipe as small as pipes get; nobody reads it.
func unread(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	raw, err := w.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { _, err = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 4096) }); err != nil {
		t.Fatal(err)
	}
	return r, w
}

func full(t *testing.T) *os.File {
	t.Helper()
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// Whatever becomes of those who read what weir writes, every request is served,
// SIGTERM ends the process in time, and lost lines are counted.
func TestOutputThatNobodyTakes(t *testing.T) {
	read := func(t *testing.T) *os.File { // takes everything
		f, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	const few, many = 20, 4000 // lines: more than a pipe and the queue hold
	tests := []struct {
		name, access string
		set          func(t *testing.T, cmd *exec.Cmd)
		requests     int
		loses        bool
	}{
		{"stderr unread", "stderr", func(t *testing.T, cmd *exec.Cmd) { _, w := unread(t); cmd.Stdout, cmd.Stderr = read(t), w }, many, true},
		{"stdout unread", "stdout", func(t *testing.T, cmd *exec.Cmd) { _, w := unread(t); cmd.Stdout, cmd.Stderr = w, read(t) }, many, true},
		{"stderr's reader gone", "stderr", func(t *testing.T, cmd *exec.Cmd) { r, w := unread(t); r.Close(); cmd.Stdout, cmd.Stderr = read(t), w }, few, true},
		{"stdout's reader gone", "stdout", func(t *testing.T, cmd *exec.Cmd) { r, w := unread(t); r.Close(); cmd.Stdout, cmd.Stderr = w, read(t) }, few, true},
		{"stderr on a full disk", "stderr", func(t *testing.T, cmd *exec.Cmd) { cmd.Stdout, cmd.Stderr = read(t), full(t) }, few, true},
		{"stdout on a full disk", "stdout", func(t *testing.T, cmd *exec.Cmd) { cmd.Stdout, cmd.Stderr = full(t), read(t) }, few, true},
		{"both closed", "stdout", func(t *testing.T, cmd *exec.Cmd) { // Go opens /dev/null in their place: nothing is lost
			cmd.Args = append([]string{"/bin/sh", "-c", `exec "$0" "$@" >&- 2>&-`}, append([]string{cmd.Path}, cmd.Args[1:]...)...)
			cmd.Path = "/bin/sh"
		}, few, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := serveStuck(t, tt.access, func(cmd *exec.Cmd) { tt.set(t, cmd) })
			for range tt.requests {
				s.ask()
			}
			if tt.loses {
				eventually(t, "lost lines are counted", func() bool { s.ask(); return s.lost() > 0 })
			} else if n := s.lost(); n != 0 {
				t.Errorf("got %v lost lines, want none", n)
			}
			s.end()
		})
	}
}

// A reader that comes back finds in the log what it has missed.
func TestOutputIsTakenAgain(t *testing.T) {
	r, w := unread(t)
	s := serveStuck(t, "stdout", func(cmd *exec.Cmd) { cmd.Stdout, cmd.Stderr = w, os.Stderr })
	w.Close()
	eventually(t, "lost lines are counted", func() bool {
		for range 500 {
			s.ask()
		}
		return s.lost() > 0
	})
	got := new(lines)
	got.cond.L = &got.mu
	over := make(chan struct{})
	go func() {
		defer close(over)
		got.read(r)
	}()
	got.wait(t, 1, `"msg":"lines of the log were lost.*"lost":[1-9]`)
	s.end()
	<-over
	if !strings.HasPrefix(got.String(), "weir serve: ready on unix:") {
		t.Error("the ready line is not the first")
	}
}

// weir serve 2>&1 | head -1
func TestOutputToHead(t *testing.T) {
	r, w := unread(t)
	s := serveStuck(t, "stderr", func(cmd *exec.Cmd) { cmd.Stdout, cmd.Stderr = w, w })
	w.Close()
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	r.Close()
	for range 20 {
		s.ask()
	}
	s.end()
}

// SIGHUP during the start is a reload after it, SIGTERM a clean end. The
// configuration is a pipe: weir waits in the middle of its start.
func TestSignalsDuringTheStart(t *testing.T) {
	begin := func(t *testing.T) (p *process, pipe string) {
		pipe = filepath.Join(t.TempDir(), "weir.yaml")
		if err := syscall.Mkfifo(pipe, 0o600); err != nil {
			t.Fatal(err)
		}
		return start(t, []string{asServe + "=1"}, os.Args[0], "--config", pipe, "--grace", "0s"), pipe
	}
	// open returns when weir has the pipe open.
	open := func(t *testing.T, pipe string) *os.File {
		t.Helper()
		f, err := os.OpenFile(pipe, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	config := common + toMock(mock.Start(t, mock.Config{}))
	give := func(t *testing.T, f *os.File) {
		t.Helper()
		defer f.Close()
		if _, err := io.WriteString(f, config); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("SIGHUP", func(t *testing.T) {
		p, pipe := begin(t)
		f := open(t, pipe)
		p.signal(syscall.SIGHUP)
		give(t, f)
		p.out.wait(t, 1, `^weir serve: ready on `)
		give(t, open(t, pipe)) // it is read again
		p.log.wait(t, 1, `"configuration reloaded".*SIGHUP`)
		p.signal(syscall.SIGKILL)
		<-p.over
	})
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			p, pipe := begin(t)
			defer open(t, pipe).Close()
			p.signal(sig)
			if code := p.code(); code != 0 {
				t.Errorf("got exit code %d, want 0; log:\n%s", code, p.log)
			}
		})
	}
}
