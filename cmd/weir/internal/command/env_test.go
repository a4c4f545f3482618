package command

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
)

// raise sends this process a signal.
func raise(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), sig); err != nil {
		t.Fatal(err)
	}
}

// What is no terminal gets JSON, also from packages that have no logger but
// package log's.
func TestEnvLogs(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var buf bytes.Buffer
	for _, w := range []io.Writer{file, &buf} {
		code := Serve(io.Discard, w, false, func(e *Env) int {
			e.Log.Info("hello", "n", 1)
			log.Print("from net/http")
			return 7
		})
		if code != 7 {
			t.Errorf("got exit code %d, want the body's", code)
		}
	}
	text, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(text), buf.String()} {
		lines := strings.Split(strings.TrimSpace(text), "\n")
		if len(lines) != 2 {
			t.Fatalf("got %q, want two lines", text)
		}
		var entry struct {
			Msg string
			N   int
		}
		if err := json.Unmarshal([]byte(lines[0]), &entry); err != nil || entry.Msg != "hello" || entry.N != 1 {
			t.Errorf("got %q (%v), want JSON", lines[0], err)
		}
		if err := json.Unmarshal([]byte(lines[1]), &entry); err != nil || entry.Msg != "from net/http" {
			t.Errorf("got %q (%v), want JSON", lines[1], err)
		}
	}
}

// A signal that comes before the subcommand serves ends it at once and cleanly,
// whatever its start is waiting for.
func TestEnvIsStoppedEarly(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		if sig == syscall.SIGHUP && signal.Ignored(sig) {
			continue // these tests were started by nohup, as what Serve leaves it to
		}
		free := make(chan struct{})
		over := make(chan struct{})
		code := Serve(io.Discard, io.Discard, false, func(*Env) int {
			defer close(over)
			raise(t, sig)
			<-free
			return Failure
		})
		if code != OK {
			t.Errorf("%v: got exit code %d, want 0", sig, code)
		}
		close(free)
		<-over
	}
}

// One that comes when it serves is for the server, and SIGHUP, of a subcommand
// that reloads, is kept from the first moment on.
func TestEnvKeepsSignals(t *testing.T) {
	code := Serve(io.Discard, io.Discard, true, func(e *Env) int {
		raise(t, syscall.SIGHUP)
		e.Begin()
		if s := <-e.Hangup; s != syscall.SIGHUP {
			t.Errorf("got %v, want SIGHUP", s)
		}
		raise(t, syscall.SIGTERM)
		if s := <-e.Stopped(); s != syscall.SIGTERM {
			t.Errorf("got %v, want SIGTERM", s)
		}
		raise(t, syscall.SIGTERM)
		<-e.cut.Done()
		return OK
	})
	if code != OK {
		t.Errorf("got exit code %d, want 0", code)
	}
}

// The end waits for a reader that does not read, but not for long.
func TestEnvFlushes(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if code := Serve(w, w, false, func(e *Env) int {
		for range 1 << 12 {
			e.Log.Info(strings.Repeat("x", 100))
		}
		return OK
	}); code != OK {
		t.Errorf("got exit code %d, want 0", code)
	}
	r.Close() // the write that hangs fails: SIGPIPE does not end the process
	w.Close()
}
