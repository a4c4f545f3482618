package demo

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"weir/cmd/weir/internal/command"
	"weir/internal/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Check(m)) }

// process is a running Main.
type process struct {
	stdout, stderr *bufio.Reader
	code           chan int
}

func start(args ...string) *process {
	out, outEnd := io.Pipe()
	errs, errsEnd := io.Pipe()
	p := &process{bufio.NewReader(out), bufio.NewReader(errs), make(chan int, 1)}
	go func() {
		p.code <- Main(args, outEnd, errsEnd)
		outEnd.Close()
		errsEnd.Close()
	}()
	return p
}

// line reads lines until one matches, and returns the first group.
func line(t *testing.T, r *bufio.Reader, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	var seen strings.Builder
	for {
		text, err := r.ReadString('\n')
		if m := re.FindStringSubmatch(strings.TrimSuffix(text, "\n")); m != nil {
			return m[len(m)-1]
		}
		if seen.WriteString(text); err != nil {
			t.Fatalf("got %q, want a line with %s", seen.String(), pattern)
		}
	}
}

func terminate(t *testing.T) {
	t.Helper()
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

// end reads what is left and returns the exit code.
func (p *process) end(t *testing.T) (code int, stdout string) {
	t.Helper()
	rest := make(chan string)
	go func() {
		out, _ := io.ReadAll(p.stdout) // a pipe that is closed in good order
		rest <- string(out)
	}()
	_, _ = io.Copy(io.Discard, p.stderr) // the same
	return <-p.code, <-rest
}

// A life: ready, drained, gone.
func TestMainLife(t *testing.T) {
	p := start("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--ttft", "0", "--rate", "0.001")
	adm := "http://" + line(t, p.stderr, `"on":"([0-9.:]+)"`)
	first, err := p.stdout.ReadString('\n')
	m := regexp.MustCompile(`^weir demo: ready on (http://127\.0\.0\.1:\d+)\n$`).FindStringSubmatch(first)
	if m == nil {
		t.Fatalf("got the first line %q (%v), want the ready line", first, err)
	}
	base := m[1]
	if got := line(t, p.stderr, `^try: (curl .*)$`); !strings.Contains(got, base+chatPath) {
		t.Errorf("got %q, want a command for %s", got, base)
	}
	for path, want := range map[string]string{"/livez": "ok\n", "/healthz": "ok\n", "/readyz": "ready\n"} {
		if res := do(t, "GET", adm+path, ""); res.StatusCode != 200 || res.body != want {
			t.Errorf("%s: got %d %q, want 200 %q", path, res.StatusCode, res.body, want)
		}
	}
	if res := do(t, "GET", base+"/health", ""); res.StatusCode != 200 {
		t.Errorf("got %d from /health, want 200", res.StatusCode)
	}
	s := openStream(t, base, endless+`true}`)
	if _, err := s.lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	terminate(t)
	line(t, p.stderr, "draining")
	if res := do(t, "GET", adm+"/readyz", ""); res.StatusCode != 503 || res.body != "draining\n" {
		t.Errorf("draining: got %d %q from /readyz, want 503", res.StatusCode, res.body)
	}
	if res := do(t, "GET", adm+"/healthz", ""); res.StatusCode != 200 {
		t.Errorf("draining: got %d from /healthz, want 200", res.StatusCode)
	}
	s.cancel()
	if code, rest := p.end(t); code != command.OK || rest != "" {
		t.Errorf("got exit code %d and %q more on stdout, want 0 and the ready line alone", code, rest)
	}
}

func TestMainCannotStart(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	taken := ln.Addr().String()
	tests := []struct {
		name  string
		args  []string
		code  int
		parts []string
	}{
		{"port in use", []string{"--listen", taken, "--admin", ""}, command.Failure, []string{taken, "in use", "choose another"}},
		{"admin port in use", []string{"--listen", "127.0.0.1:0", "--admin", taken}, command.Failure, []string{"--admin", taken, "in use", "turns it off"}},
		{"admin for all", []string{"--admin", ":9090"}, command.Usage, []string{"--admin :9090", "127.0.0.1:PORT", "--help"}},
		{"admin by name", []string{"--admin", "example.com:9090"}, command.Usage, []string{"--admin example.com:9090"}},
		{"rate", []string{"--rate", "fast"}, command.Usage, []string{"fast", "-rate", "tokens a second"}},
		{"ttft", []string{"--ttft", "50"}, command.Usage, []string{"50", "-ttft", "500ms"}},
		{"unknown flag", []string{"--speed", "5"}, command.Usage, []string{"-speed", "--help"}},
		{"argument", []string{"now"}, command.Usage, []string{`"now"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := Main(tt.args, &stdout, &stderr); code != tt.code {
				t.Errorf("got exit code %d, want %d", code, tt.code)
			}
			if !containsAll(stderr.String(), tt.parts) || stdout.Len() > 0 {
				t.Errorf("got stdout %q, stderr %q, want %q on stderr", stdout.String(), stderr.String(), tt.parts)
			}
		})
	}
}

func TestMainHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := Main([]string{"--help"}, &stdout, &stderr); code != command.OK || stderr.Len() > 0 {
		t.Errorf("got exit code %d, stderr %q", code, stderr.String())
	}
	for _, part := range []string{"usage: weir demo", "--listen", "--admin", "--rate", "(default 50)", "--ttft", "(default 50ms)", "--loops", "--drain", chatPath} {
		if !strings.Contains(stdout.String(), part) {
			t.Errorf("got %s, want %q in it", stdout.String(), part)
		}
	}
}

// The command on the first page works as it stands.
func TestWelcome(t *testing.T) {
	_, base := serve(t, Pace{}, nil)
	page := do(t, "GET", base+"/", "")
	if page.StatusCode != 200 || page.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("got %d %s", page.StatusCode, page.Header.Get("Content-Type"))
	}
	command := regexp.MustCompile(`(?m)^ +(curl .*)$`).FindStringSubmatch(page.body)
	if command == nil || !strings.Contains(command[1], base) {
		t.Fatalf("got %s, want a command for %s", page.body, base)
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	out, err := exec.CommandContext(t.Context(), "sh", "-c", command[1]).Output()
	if err != nil {
		t.Fatal(err)
	}
	if text, finish, _ := streamed(t, string(out)); text == "" || finish != "stop" {
		t.Errorf("got %q (%s), want a text that ends by itself", text, finish)
	}
}

// The body in the command is JSON whatever the model is called.
func TestCurlBody(t *testing.T) {
	body := regexp.MustCompile(`-d '(.*)'$`).FindStringSubmatch(curl("http://x"))
	if body == nil || !json.Valid([]byte(body[1])) {
		t.Errorf("got %s", curl("http://x"))
	}
}

func TestShellSafe(t *testing.T) {
	for host, want := range map[string]string{
		"a.example:80": "a.example:80", "[::1]:8080": "[::1]:8080", "": defaultListen,
		"a;id": defaultListen, "$(id)": defaultListen, "-o.x": defaultListen, "a'b": defaultListen, "a b": defaultListen,
	} {
		if got := shellSafe(host); got != want {
			t.Errorf("%q: got %q, want %q", host, got, want)
		}
	}
}

func TestReachable(t *testing.T) {
	tests := []struct {
		addr net.Addr
		want string
	}{
		{&net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 80}, "10.0.0.1:80"},
		{&net.TCPAddr{IP: net.IPv4zero, Port: 80}, "127.0.0.1:80"},
		{&net.TCPAddr{IP: net.IPv6zero, Port: 80}, "[::1]:80"},
		{&net.TCPAddr{Port: 80}, "127.0.0.1:80"},
		{&net.UnixAddr{Name: "/run/x", Net: "unix"}, ""},
	}
	for _, tt := range tests {
		if got := reachable(tt.addr); got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.addr, got, tt.want)
		}
	}
}
