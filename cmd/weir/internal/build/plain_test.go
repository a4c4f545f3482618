package build

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestPlain(t *testing.T) {
	root := write(t, map[string]string{"src/h/h.go": "", "tmp/build/go.mod": ""})
	build := root + "/tmp/build"
	t.Chdir(root + "/src")
	text := "go: downloading example.com/x v1.0.0\n" +
		"# example.com/h\n../../src/h/h.go:3:4: undefined: x\n" + root + "/src/h/h.go:5:1: also this\n" +
		"probe0/main.go:8:2: no such package\nweir/main.go:8:2: no such package\n" +
		"package weirbuild/probe0\n\tprobe0/main.go:8:2: use of internal package a/internal not allowed\n" +
		"example.com/h/gone.go:1: as it is\n"
	want := []string{"# example.com/h", "h/h.go:3:4: undefined: x", "h/h.go:5:1: also this", "no such package",
		"use of internal package a/internal not allowed", "example.com/h/gone.go:1: as it is"}
	if got := plain(text, build); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	t.Chdir(os.TempDir()) // from here, another path may be the shorter one
	if got := plain("../../src/h/h.go:3:4: x\n", build); !strings.HasSuffix(got[0], "src/h/h.go:3:4: x") {
		t.Errorf("got %q, want the file's path", got)
	}
}

func TestPlainIsBounded(t *testing.T) {
	var text strings.Builder
	for i := range mostLines + 7 {
		fmt.Fprintln(&text, "line", i)
	}
	if got := plain(text.String(), "/"); len(got) != mostLines+1 || got[mostLines] != "(7 lines more)" {
		t.Errorf("got %d lines, the last %q", len(got), got[len(got)-1])
	}
	var c capped
	for range 3 {
		if n, err := c.Write(make([]byte, mostOutput/2+1)); n != mostOutput/2+1 || err != nil {
			t.Fatalf("got %d, %v", n, err)
		}
	}
	if got := len(c.String()); got != mostOutput {
		t.Errorf("got %d bytes kept, want %d", got, mostOutput)
	}
}

func TestWords(t *testing.T) {
	for stderr, want := range map[string]string{
		"":               "",
		"loading\nbad\n": "bad",
		"log\npanic: plugin: taken\n\ngoroutine 1 [running]:\nmain.main()\n":               "plugin: taken",
		"fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [select (no ca": "all goroutines are asleep - deadlock!",
	} {
		if got := words(stderr); got != want {
			t.Errorf("%q: got %q, want %q", stderr, got, want)
		}
	}
}

// Only whole names count, and only lines of the table.
func TestGained(t *testing.T) {
	listed := "a/b prints this\na/b    stream  1  x\na/bc   unary  1\nd      unary  1\n"
	if got := gained(listed, map[string]bool{"a/b": true, "d": true}); !slices.Equal(got, []string{"a/b    stream  1  x", "d      unary  1"}) {
		t.Errorf("got %q", got)
	}
}
