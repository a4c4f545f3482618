//go:build cgo && unix

package cabi

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"weir/internal/leak"
	"weir/plugin"
)

// libraries is where the tests' plugins are built. They are loaded once in a process, however often tests run.
var (
	libraries string
	names     = map[string][]string{} // by the library's source
)

// inChild is set in the process of a test whose plugin has a thread that never ends: once it has called Go, such a
// thread has a goroutine as long as it lives, which leak.Check would find.
const inChild = "WEIR_CABI_CHILD"

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "weir-cabi-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir) // the libraries stay mapped; a folder that stays is no test's fault
	libraries = dir
	if os.Getenv(inChild) != "" {
		return m.Run()
	}
	return leak.Check(m)
}

// compile builds a shared object from a source in testdata. WEIR_CABI_CFLAGS has more flags, such as a sanitizer's.
func compile(t testing.TB, source, as string, flags ...string) string {
	t.Helper()
	cc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("no gcc: the plugins of this test cannot be built")
	}
	out := filepath.Join(libraries, as+".so")
	args := []string{"-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-g", "-shared", "-fPIC", "-fvisibility=hidden",
		"-pthread", "-I../include", "-o", out, filepath.Join("testdata", source)}
	args = append(append(args, flags...), strings.Fields(os.Getenv("WEIR_CABI_CFLAGS"))...)
	if text, err := exec.Command(cc, args...).CombinedOutput(); err != nil {
		t.Fatalf("gcc %s: %v\n%s", strings.Join(args, " "), err, text)
	}
	return out
}

// find returns a handler of a source in testdata, "unary/echo" of unary.c.
func find(t testing.TB, name string) plugin.Handler {
	t.Helper()
	source, _, _ := strings.Cut(name, "/")
	if names[source] == nil {
		path := filepath.Join(libraries, source+".so")
		if source == "later" {
			path = variant(t, "LARGER")
		} else {
			compile(t, source+".c", source)
		}
		got, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		names[source] = got
	}
	h, ok := plugin.Lookup(name)
	if !ok {
		t.Fatalf("no handler %s, there are %q", name, names[source])
	}
	return h
}

// call is a plugin.Call.
type call struct {
	body string
	done chan struct{}
}

func (c call) Method() string               { return "POST" }
func (c call) Path() []byte                 { return []byte("/x/7") }
func (c call) PathValue(name string) string { return "value of " + name }
func (c call) RawQuery() []byte             { return nil }
func (c call) Query(name string) string     { return "query " + name }
func (c call) Body() []byte                 { return []byte(c.body) }
func (c call) Done() <-chan struct{}        { return c.done }

func (c call) Header(name string) string {
	if name == "X-None" {
		return ""
	}
	return strings.Repeat(name, 2)
}

// head is a plugin.Head.
type head struct {
	status int
	fields []string
}

func (h *head) SetStatus(code int) { h.status = code }

func (h *head) SetHeader(name, value string) error {
	if name == "Date" {
		return os.ErrPermission
	}
	h.fields = append(h.fields, name+": "+value)
	return nil
}

// reply is a plugin.Reply.
type reply struct {
	head
	body bytes.Buffer
	room int // 0 = any
}

func (r *reply) Write(p []byte) (int, error) {
	if r.room > 0 && r.body.Len()+len(p) > r.room {
		return 0, os.ErrProcessDone
	}
	return r.body.Write(p)
}

// sink is a plugin.Sink. The zero value is not ready.
type sink struct {
	mu sync.Mutex
	head
	body     bytes.Buffer
	cause    error
	detached bool
	ended    bool
	asked    int // how often Cancelled said that it was
	done     chan struct{}
}

func newSink() *sink { return &sink{done: make(chan struct{})} }

func (s *sink) SetStatus(code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.head.SetStatus(code)
}

func (s *sink) SetHeader(name, value string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head.SetHeader(name, value)
}

func (s *sink) Send(p []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.cause != nil:
		return s.cause
	case s.ended:
		return plugin.ErrClosed
	}
	_, err := s.body.Write(p)
	return err
}

func (s *sink) TrySend(p []byte) error {
	if string(p) == "full" {
		return plugin.ErrBacklog
	}
	return s.Send(p)
}

func (s *sink) Flush() error          { return s.Send(nil) }
func (s *sink) Done() <-chan struct{} { return s.done }

func (s *sink) Cancelled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cause != nil {
		s.asked++
	}
	return s.cause != nil
}

func (s *sink) Cause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cause
}

func (s *sink) Detach() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.detached = true
}

func (s *sink) Close() error { return s.end(nil) }

func (s *sink) Abort(cause error) { _ = s.end(cause) } // what end returns is the cause

func (s *sink) end(cause error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.ended, s.cause = true, cause
		close(s.done)
	}
	return s.cause
}
