package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A signal ends weir build with all that it has started, here a go command that
// fetches something forever, and its temporary folder goes.
func TestBuildIsCancelled(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			fetching := fakeGo(t)
			temporary := t.TempDir()
			t.Setenv("TMPDIR", temporary)
			out := filepath.Join(t.TempDir(), "weir")
			p := launch(t, "build", "--with", "example.com/handler", "-o", out)
			running, err := os.Open(fetching) // waits until it is opened to be written
			if err != nil {
				t.Fatal(err)
			}
			defer running.Close()
			p.signal(sig)
			if _, err := io.ReadAll(running); err != nil { // ends with the last process that has it open
				t.Fatal(err)
			}
			said, err := io.ReadAll(p.stderr)
			if err != nil || string(said) != "weir build: cancelled\n" {
				t.Errorf("got on stderr %q, %v, want that it was cancelled", said, err)
			}
			if code, rest := p.end(); code != 1 || rest != "" {
				t.Errorf("got exit code %d and %q on stdout, want 1 and nothing", code, rest)
			}
			if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
				t.Errorf("got %v, %v left, want nothing", left, err)
			}
			if left, err := os.ReadDir(filepath.Dir(out)); err != nil || len(left) > 0 {
				t.Errorf("got %v, %v beside -o, want nothing", left, err)
			}
		})
	}
}

// fakeGo puts a go command into PATH that does not come back, nor does its
// child, and returns the pipe that both have open.
func fakeGo(t *testing.T) (pipe string) {
	t.Helper()
	folder := t.TempDir()
	pipe = filepath.Join(folder, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	script := strings.ReplaceAll("#!/bin/sh\nexec 3>'PIPE'\nsleep 1000 &\nwait\n", "PIPE", pipe)
	if err := os.WriteFile(filepath.Join(folder, "go"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder+":/usr/bin:/bin")
	return pipe
}
