package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// server is a program that can be measured. It must print a line with
// "ready on http://ADDRESS" once it listens.
type server struct {
	name    string
	program string // in the binaries' folder; "" = name
	system  bool   // the program is the machine's own, found by PATH
	args    []string
	stats   bool                                       // serves /stats?gc=1
	gateway setup                                      // nil if it is not a gateway
	files   func(s server, dir string) (server, error) // makes what it is started with; nil = nothing
	serves  bool                                       // the files of the comparison, below /files/
	behind  string                                     // a gateway's upstream; "" = cepoll
	secure  bool                                       // speaks TLS: gets files with a certificate and its key as its last arguments
	env     []string
	listens string // where it will listen, if it prints no such line; "" = it prints
}

// servers lists what run.sh builds into the binaries' folder.
var servers = []server{
	{name: "cepoll", args: []string{"0"}},
	{name: "fasthttp", args: []string{"127.0.0.1:0"}, stats: true},
	{name: "nethttp", args: []string{"127.0.0.1:0"}, stats: true},
	{name: "weir", args: []string{"tour", "--listen", "127.0.0.1:0", "--max-conns", "20000"}, stats: true},
	{name: "weir-before", args: []string{"tour", "--listen", "127.0.0.1:0", "--max-conns", "20000"}},
	{name: "weir-serve", program: "weir", gateway: weirServe},
	{name: "weir-patched", program: "weir", gateway: weirPatched},
	{name: "weir-serve-before", program: "weir-before", gateway: weirServe},
	{name: "crelay", gateway: cRelay},
	{name: "nginx", system: true, gateway: nginx},
	{name: "nchan", program: "nginx", system: true, files: nchan},
	{name: "reverseproxy", gateway: reverseProxy},
	{name: "upstream-http", program: "secure", args: []string{"weir", "127.0.0.1:0"}},
	{name: "upstream-https", program: "secure", args: []string{"weir", "127.0.0.1:0"}, secure: true},
	{name: "weir-plain", program: "weir", gateway: weirServe, behind: "upstream-http"},
	{name: "weir-https", program: "weir", gateway: weirServeTLS(""), behind: "upstream-https"},
	{name: "weir-http2", program: "weir", gateway: weirServeTLS("http2: true, "), behind: "upstream-https"},
	{name: "nginx-plain", program: "nginx", system: true, gateway: nginx, behind: "upstream-http"},
	{name: "nginx-https", program: "nginx", system: true, gateway: nginxTLS, behind: "upstream-https"},
	{name: "nethttp-tls", program: "secure", args: []string{"nethttp", "127.0.0.1:0"}, secure: true},
	{name: "nethttp-clear", program: "secure", args: []string{"nethttp", "127.0.0.1:0"}},
	{name: "weir-tls", program: "secure", args: []string{"weir", "127.0.0.1:0"}, secure: true},
	{name: "weir-loop-tls", program: "secure", args: []string{"weir-loop", "127.0.0.1:0"}, secure: true},
	{name: "weir-clear", program: "secure", args: []string{"weir", "127.0.0.1:0"}},
	{name: "weir-files", program: "weir", serves: true, files: weirFiles},
	{name: "nethttp-files", program: "nethttp", serves: true, files: nethttpFiles},
	{name: "nginx-files", program: "nginx", system: true, serves: true, files: nginxFiles("")},
	{name: "nginx-files-cache", program: "nginx", system: true, serves: true, files: nginxFiles("open_file_cache max=1000;")},
	decode("weir-batch", "batch"), decode("weir-single", "single"), decode("weir-tickers", "tickers"),
	decode("nethttp-fed", "fed"), decode("nethttp-tickers", "nethttp"),
	webSocket("weir-ws", "weir"), webSocket("gws", "gws"), webSocket("coder", "coder"),
}

// decode is cmd/decode in one of its ways.
func decode(name, way string) server {
	return server{name: name, program: "decode", args: []string{"127.0.0.1:0", way}}
}

func serverNamed(name string) (server, bool) {
	for _, s := range servers {
		if s.name == name {
			return s, true
		}
	}
	return server{}, false
}

// path returns where the program is, or why it cannot be run.
func (s server) path(bin string) (string, error) {
	name := cmp.Or(s.program, s.name)
	if s.system {
		return exec.LookPath(name)
	}
	at := filepath.Join(bin, name)
	_, err := os.Stat(at)
	return at, err
}

// instance is a running server.
type instance struct {
	server
	addr   string
	behind *instance // a gateway's upstream
	pid    int
	cmd    *exec.Cmd
	stderr bytes.Buffer
	exited chan error // the end of the process, once
}

var readyLine = regexp.MustCompile(`ready on http://([0-9.]+:[0-9]+)`)

const (
	startTime = 10 * time.Second
	stopTime  = 3 * time.Second
)

// start runs s on the given CPU and waits until it is ready. The process dies
// with the calling thread, so the caller must be locked to one.
func (s server) start(ctx context.Context, bin string, cpu int) (*instance, error) {
	path, err := s.path(bin)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	args := append([]string{"-c", strconv.Itoa(cpu), path}, s.args...)
	in := &instance{server: s, cmd: exec.CommandContext(ctx, "taskset", args...), exited: make(chan error, 1)}
	in.cmd.Stderr, in.cmd.Env = &in.stderr, append(os.Environ(), s.env...)
	in.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdout, err := in.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	if err := in.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	in.pid = in.cmd.Process.Pid
	ready := make(chan string, 1)
	go in.follow(stdout, ready)
	if s.listens != "" {
		go awaitListener(s.listens, ready)
	}
	select {
	case in.addr = <-ready:
		return in, nil
	case err := <-in.exited:
		return nil, fmt.Errorf("%s: ended before it was ready: %v: %s", s.name, err, in.lastWords())
	case <-time.After(startTime):
		in.stop()
		return nil, fmt.Errorf("%s: not ready after %v", s.name, startTime)
	}
}

// follow looks for the ready line, drains the rest, and reaps the process.
func (in *instance) follow(stdout io.Reader, ready chan<- string) {
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if m := readyLine.FindSubmatch(lines.Bytes()); m != nil {
			select {
			case ready <- string(m[1]):
			default: // another listener of the same server
			}
		}
	}
	in.exited <- in.cmd.Wait()
}

// awaitListener sends on ready when something accepts connections at addr.
func awaitListener(addr string, ready chan<- string) {
	for began := time.Now(); time.Since(began) < startTime; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp4", addr)
		if err == nil {
			_ = c.Close() // nothing was sent
			ready <- addr
			return
		}
	}
}

// stop ends the server: SIGTERM, and SIGKILL when that does not do.
func (in *instance) stop() {
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if err := in.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
			fmt.Fprintf(os.Stderr, "compare: %s: %v\n", in.name, err)
		}
		select {
		case <-in.exited:
			return
		case <-time.After(stopTime):
		}
	}
}

// lastWords returns the end of what the server wrote to stderr, after its exit.
func (in *instance) lastWords() string {
	words := bytes.TrimSpace(in.stderr.Bytes())
	return string(words[max(0, len(words)-500):])
}

// pins picks a CPU for the server and one for the load out of those this
// process may use: the first and the last, which are the same on a machine
// with one.
func pins() (serverCPU, loadCPU int, err error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return 0, 0, fmt.Errorf("compare: sched_getaffinity: %w", err)
	}
	serverCPU = -1
	for cpu := range 64 * len(set) {
		if !set.IsSet(cpu) {
			continue
		}
		if serverCPU < 0 {
			serverCPU = cpu
		}
		loadCPU = cpu
	}
	return serverCPU, loadCPU, nil
}
