//go:build unix

package reactor_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/patience"
	"weir/reactor"
)

// childEnv makes the test binary the server of TestOutOfDescriptors.
const childEnv = "REACTOR_TEST_OUT_OF_DESCRIPTORS"

// greet says hello and echoes.
func greet(c *reactor.Conn) reactor.Handler {
	p := newProbe(c)
	p.onData = p.echo
	p.onGone = c.Close
	p.send("hello\n")
	return p
}

// A server without descriptors goes on serving those that it has, tells others
// or lets them wait, does not spin, and recovers.
func TestOutOfDescriptors(t *testing.T) {
	if os.Getenv(childEnv) != "" {
		serveWithFewDescriptors(t)
		return
	}
	s := startChild(t)
	first := s.dial(t)
	s.greeted(t, first)

	s.ask(t, "limit")
	var served []net.Conn
	refused := 0
	for range 40 {
		c := s.dial(t)
		switch got, err := bufio.NewReader(c).ReadString('\n'); got {
		case "hello\n":
			served = append(served, c)
		case "busy\n":
			refused++
			c.Close()
		default:
			t.Fatalf("got %q, %v, want hello or busy", got, err)
		}
	}
	if len(served) < 4 || refused < 4 {
		t.Fatalf("got %d served and %d refused, want some of both", len(served), refused)
	}
	s.echoes(t, first)

	// Somebody takes the spare descriptor, and leaves it: it is the spare again,
	// and not another connection's. The race detector opens files, too, so that
	// one or two may have been free.
	s.ask(t, "steal")
	waits := s.dial(t)
	s.ask(t, "return")
	for range 4 {
		got, err := bufio.NewReader(waits).ReadString('\n')
		if got == "busy\n" {
			refused = 0
			break
		} else if got != "hello\n" {
			t.Fatalf("got %q, %v, want hello or busy", got, err)
		}
		waits = s.dial(t)
	}
	if refused != 0 {
		t.Error("nobody was refused, want the spare descriptor back")
	}

	s.ask(t, "starve") // not even the spare descriptor helps now
	waiting := []net.Conn{s.dial(t), s.dial(t), s.dial(t)}
	used, err := strconv.Atoi(s.ask(t, "burn"))
	if err != nil || used > 100_000 {
		t.Errorf("got %d µs of CPU in half a second, %v, want a server that rests", used, err)
	}
	s.echoes(t, first)
	s.echoes(t, served[0])

	s.ask(t, "restore")
	refused = 0
	for _, c := range waiting {
		switch got, err := bufio.NewReader(c).ReadString('\n'); got {
		case "hello\n":
		case "busy\n": // accept failed before, and the refusal did not
			refused++
		default:
			t.Errorf("got %q, %v, want hello or busy", got, err)
		}
	}
	if refused > 1 {
		t.Errorf("got %d refused, want one at most", refused)
	}
	s.ask(t, "stop")
}

// child is the server in its process. It answers each line with a line.
type child struct {
	addr string
	in   io.Writer
	out  *bufio.Reader
}

func startChild(t *testing.T) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestOutOfDescriptors$")
	cmd.Env = append(os.Environ(), childEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("server: %v", err)
		}
	})
	s := &child{in: in, out: bufio.NewReader(out)}
	s.addr = s.ask(t, "address")
	return s
}

func (s *child) ask(t *testing.T, what string) string {
	t.Helper()
	fmt.Fprintln(s.in, what)
	answer, err := s.out.ReadString('\n')
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	return strings.TrimSpace(answer)
}

func (s *child) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetReadDeadline(time.Now().Add(patience.Limit)) // it is open
	return c
}

func (s *child) greeted(t *testing.T, c net.Conn) {
	t.Helper()
	got := make([]byte, len("hello\n"))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "hello\n" {
		t.Errorf("got %q, %v, want hello", got, err)
	}
}

func (s *child) echoes(t *testing.T, c net.Conn) {
	t.Helper()
	c.Write([]byte("ping"))
	got := make([]byte, 4)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "ping" {
		t.Errorf("got %q, %v, want ping", got, err)
	}
}

func serveWithFewDescriptors(t *testing.T) {
	r, err := reactor.New(reactor.Config{Loops: 2, MaxConns: 1 << 20, Refusal: []byte("busy\n"), Accept: greet})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	addr, err := r.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &all); err != nil {
		t.Fatal(err)
	}
	var stolen *os.File
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		answer := "done"
		switch orders.Text() {
		case "address":
			answer = addr.String()
		case "limit":
			limitDescriptors(t, all, 40)
		case "steal":
			if stolen, err = r.LoseSpare(); err != nil {
				t.Fatal(err)
			}
		case "return":
			stolen.Close()
		case "starve":
			limitDescriptors(t, all, 4)
		case "restore":
			limitDescriptors(t, all, all.Cur)
		case "burn":
			answer = strconv.FormatInt(cpuDuring(r.Loops()[0], 500*time.Millisecond).Microseconds(), 10)
		}
		fmt.Println(answer)
	}
}

func limitDescriptors(t *testing.T, lim unix.Rlimit, n uint64) {
	lim.Cur = n
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
}

// cpuDuring is what the process uses until a timer of the loop runs out.
func cpuDuring(l *reactor.Loop, d time.Duration) time.Duration {
	over := make(alarmed, 1)
	timer := timerOf(over)
	before := cpuTime()
	l.Post(reactor.TaskFunc(func() { l.StartTimer(timer, time.Now().Add(d)) }))
	<-over
	return cpuTime() - before
}

func cpuTime() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u) // fails for nobody
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
