package mock

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/cmd/weir/internal/command"
)

// TestRefuse: a server that goes and comes back, on its own port, while its
// connections go on.
func TestRefuse(t *testing.T) {
	s := Start(t, Config{Tokens: fewTokens})
	c := dial(t, s)
	c.send(chat{body: unaryBody, keep: true}.String())
	ended(t, s, 1)
	for range 3 {
		if err := s.Refuse(); err != nil {
			t.Fatal(err)
		}
		if err := s.Refuse(); err != nil { // again
			t.Fatal(err)
		}
		if conn, err := net.Dial("tcp", s.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("got %v and %v, want ECONNREFUSED", conn, err)
		}
		if err := s.Accept(); err != nil {
			t.Fatal(err)
		}
		if err := s.Accept(); err != nil { // again
			t.Fatal(err)
		}
		if status, _ := call(t, s, "GET", "/health", ""); status != 200 {
			t.Fatalf("got %d, want 200", status)
		}
	}
	n := s.Counts().Ended
	c.send(chat{body: unaryBody}.String())
	ended(t, s, n+1)
}

func TestCloseWhileRefusing(t *testing.T) {
	s := Start(t, Config{})
	if err := s.Refuse(); err != nil {
		t.Fatal(err)
	}
	s.Close()
	l, err := net.Listen("tcp", s.Addr())
	if err != nil {
		t.Fatalf("got %v, want the port free", err)
	}
	l.Close()
}

func TestRefused(t *testing.T) {
	if _, err := net.Dial("tcp", Refused(t)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v, want ECONNREFUSED", err)
	}
}

func TestSilent(t *testing.T) {
	conn, err := net.DialTimeout("tcp", Silent(t), 50*time.Millisecond)
	if timeout, ok := errors.AsType[net.Error](err); !ok || !timeout.Timeout() {
		t.Errorf("got %v and %v, want a dial that takes for ever", conn, err)
	}
}

// TestCertificate: it is good for its names and nobody else's, and only for
// those who trust it.
func TestCertificate(t *testing.T) {
	s := Start(t, Config{TLS: true, Names: []string{"mock.example"}})
	for _, tc := range []struct {
		name string
		cfg  *tls.Config
		want string
	}{
		{"right", &tls.Config{RootCAs: s.Pool(), ServerName: "mock.example"}, ""},
		{"wrong host", &tls.Config{RootCAs: s.Pool(), ServerName: "other.example"}, "certificate is valid for mock.example"},
		{"untrusted", &tls.Config{ServerName: "mock.example"}, "unknown authority"},
	} {
		conn, err := tls.Dial("tcp", s.Addr(), tc.cfg)
		if tc.want == "" {
			if err != nil {
				t.Errorf("%s: got %v, want none", tc.name, err)
				continue
			}
			conn.Close()
		} else if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %s", tc.name, err, tc.want)
		}
	}
	await(t, s, func(n Counts) bool { return n.Closed == 3 })
	if got := s.Log().Connections[2].Error; !strings.Contains(got, "bad certificate") {
		t.Errorf("the log: got %q, want the client's alert", got)
	}
}

// started runs the command until the test ends and returns its ready line.
func started(t *testing.T, o options) string {
	t.Helper()
	cfg, err := o.config()
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan os.Signal)
	r, w := io.Pipe()
	over := make(chan error, 1)
	go func() { over <- run(stop, cfg, o.certificate, w) }()
	t.Cleanup(func() {
		close(stop)
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func flags(t *testing.T, args ...string) options {
	t.Helper()
	var o options
	fs := command.NewFlags(name)
	o.register(fs)
	if err := fs.Parse(append([]string{"--listen", "127.0.0.1:0"}, args...)); err != nil {
		t.Fatal(err)
	}
	return o
}

// TestCommand: flags, a script, the ready line, and a certificate that a client
// can read.
func TestCommand(t *testing.T) {
	dir := t.TempDir()
	script, cert := filepath.Join(dir, "script.yaml"), filepath.Join(dir, "cert.pem")
	if err := os.WriteFile(script, []byte("rules: [{path: /health, set: {status: 503}}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	line := started(t, flags(t, "--script", script, "--ttft", "0s", "--tokens", "2", "--tls-cert", cert))
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "weir mock: ready on ")
	if !ok || !strings.HasPrefix(url, "https://127.0.0.1:") {
		t.Fatalf("got %q, want a ready line", line)
	}
	pem, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	pool := (&Server{pem: pem}).Pool()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
	resp, err := client.Get(url + "/health")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 503 {
		t.Errorf("got %d, want the script's 503", resp.StatusCode)
	}
	resp, err = client.Post(url+chatPath, "application/json", strings.NewReader(unaryBody))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, want := readAll(t, resp.Body), string(UnaryBody(Body{Model: "m", Tokens: 2})); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestWrongUse(t *testing.T) {
	for _, tc := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--dialect", "french"}, command.Usage, `--dialect: want openai, responses, anthropic, ollama, got "french"`},
		{[]string{"--pace", "-1s"}, command.Usage, "must not be below zero"},
		{[]string{"--ttft", "5"}, command.Usage, `want a duration such as "500ms"`},
		{[]string{"--tokens", "0"}, command.Usage, "want a number from 1 to"},
		{[]string{"--script", "/does/not/exist"}, command.Usage, "--script: open /does/not/exist"},
		{[]string{"more"}, command.Usage, `unexpected argument "more"`},
		{[]string{"--listen", "256.0.0.1:0"}, command.Failure, "cannot start"},
	} {
		var stdout, stderr strings.Builder
		if code := Main(tc.args, &stdout, &stderr); code != tc.code || !strings.Contains(stderr.String(), tc.want) || stdout.Len() > 0 {
			t.Errorf("%q: got %d, %q, want %d, %q", tc.args, code, stderr.String(), tc.code, tc.want)
		}
	}
}

// TestHelpNamesFaults: the help is the reference, and so is the package's text.
func TestHelpNamesFaults(t *testing.T) {
	var stdout, stderr strings.Builder
	if code := Main([]string{"--help"}, &stdout, &stderr); code != command.OK {
		t.Fatalf("got %d, want %d", code, command.OK)
	}
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range Faults() {
		if !strings.Contains(stdout.String(), fault) {
			t.Errorf("help: got no %s", fault)
		}
		if !strings.Contains(string(doc), "//	"+fault) {
			t.Errorf("doc.go: got no %s", fault)
		}
	}
}

// TestLogIsBounded: the oldest records go, the counts do not.
func TestLogIsBounded(t *testing.T) {
	s := Start(t, Config{Keep: 3})
	for range 10 {
		call(t, s, "GET", "/health", "")
	}
	await(t, s, func(n Counts) bool { return n.Closed == 10 })
	log := s.Log()
	if len(log.Requests) != 3 || len(log.Connections) != 3 || log.Requests[2].ID != 10 || log.Counts.Requests != 10 {
		t.Errorf("got %d requests to %d, %d connections, %d counted, want 3 to 10, 3, 10", len(log.Requests), log.Requests[2].ID, len(log.Connections), log.Counts.Requests)
	}
}
