// Package transcript is for tests of dialects: it has a Reader read bodies as
// servers send them, cut at every byte, and compares what it says of them.
package transcript

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/cmd/weir/internal/dialect"
)

var rewrite = flag.Bool("rewrite-verdicts", false, "write the verdicts of transcripts anew")

// Check reads the transcripts of a folder, each of them NAME.body, with the
// verdicts in NAME.verdicts: a line for each event, and how the response ended.
// Wherever a body is cut in pieces, its verdicts are the same.
func Check(t *testing.T, dir string, endpoint func(name string) *dialect.Endpoint) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.body"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("got transcripts %v, %v, want some", paths, err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".body")
		t.Run(name, func(t *testing.T) { check(t, path, endpoint(name)) })
	}
}

func check(t *testing.T, path string, e *dialect.Endpoint) {
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := Verdicts(e, body)
	file := strings.TrimSuffix(path, ".body") + ".verdicts"
	if *rewrite {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	Split(t, e, body)
}

// Split checks that a body has the same verdicts wherever it is cut.
func Split(t *testing.T, e *dialect.Endpoint, body []byte) {
	t.Helper()
	want := Verdicts(e, body)
	for at := range body {
		if got := Verdicts(e, body[:at], body[at:]); got != want {
			t.Fatalf("%.300q cut at %d: got\n%s\nwant\n%s", body, at, got, want)
		}
	}
	if got := Verdicts(e, Bytes(body)...); got != want {
		t.Fatalf("%.300q byte by byte: got\n%s\nwant\n%s", body, got, want)
	}
}

// Bytes returns a body in pieces of one byte.
func Bytes(body []byte) (pieces [][]byte) {
	for i := range body {
		pieces = append(pieces, body[i:i+1])
	}
	return pieces
}

// Verdicts returns what a Reader says of a response's body: a line for each
// event, and how it ended if all of it arrived, and if the connection broke.
func Verdicts(e *dialect.Endpoint, pieces ...[]byte) string {
	var out strings.Builder
	var r dialect.Reader
	for _, v := range Read(&r, e, pieces...) {
		fmt.Fprintln(&out, Name(v))
	}
	whole := r.Close(true)
	Read(&r, e, pieces...)
	fmt.Fprintf(&out, "properly: %s\ncut: %s\n", EndingName(whole), EndingName(r.Close(false)))
	return out.String()
}

// Read has r read a response and returns the verdicts on its events.
func Read(r *dialect.Reader, e *dialect.Endpoint, pieces ...[]byte) (verdicts []dialect.Verdict) {
	r.Reset(e)
	for _, p := range pieces {
		p = bytes.Clone(p)
		for rest := p; len(rest) > 0; {
			n, v := r.Next(rest)
			rest = rest[n:]
			if v.Has(dialect.Whole) {
				verdicts = append(verdicts, v)
			}
		}
		for i := range p {
			p[i] = '!' // nothing of it may be kept
		}
	}
	return verdicts
}

// Name is a verdict in words.
func Name(v dialect.Verdict) string {
	var words []string
	for i, word := range []string{"whole", "data", "substance", "end", "failed", "alien"} {
		if v.Has(1 << i) {
			words = append(words, word)
		}
	}
	return strings.Join(words[1:], " ")
}

// EndingName is an ending in a word.
func EndingName(e dialect.Ending) string { return [...]string{"dead", "reported", "complete"}[e] }

// Case is a body and what a Reader says of it.
type Case = struct {
	Name, Body    string
	Verdicts      []string // Name of each
	Properly, Cut string   // EndingName
}

// Run checks the cases, wherever their bodies are cut.
func Run(t *testing.T, e *dialect.Endpoint, cases []Case) {
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			want := strings.Join(append(c.Verdicts, "properly: "+c.Properly, "cut: "+c.Cut, ""), "\n")
			if got := Verdicts(e, []byte(c.Body)); got != want {
				t.Errorf("%q: got\n%s\nwant\n%s", c.Body, got, want)
			}
			Split(t, e, []byte(c.Body))
		})
	}
}
