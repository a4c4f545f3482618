package serve

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// wish is what one of the scripts in scripts/clients is to ask for; zero fields
// are the script's defaults.
type wish struct {
	Mode    string            `json:"mode,omitempty"`
	Model   string            `json:"model"`
	Message string            `json:"message,omitempty"`
	After   int               `json:"after,omitempty"`
	Retries int               `json:"retries"`
	Headers map[string]string `json:"headers,omitempty"`
}

// told is what came last of a request.
type told struct {
	said
	Message string
}

// sdk is a script that runs: one process and one client of the package, so that
// it keeps its connections from one request to the next.
type sdk struct {
	t      *testing.T
	wishes io.WriteCloser
	lines  *bufio.Scanner
	errs   bytes.Buffer // whole when the process has ended
	cmd    *exec.Cmd
}

// eachSDK runs f with each of the packages named. One that is not installed is
// skipped.
func eachSDK(t *testing.T, names []string, f func(t *testing.T, name string, open func(base string) *sdk)) {
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			p := packages[name]
			_, err := exec.LookPath(p.program)
			if found, _ := filepath.Glob(p.installed); err != nil || len(found) == 0 { // the pattern is well-formed
				t.Skipf("the package %s or its %s is missing: run scripts/install.sh", name, p.program)
			}
			f(t, name, func(base string) *sdk { return openSDK(t, base, p.program, p.script) })
		})
	}
}

const (
	tree    = "../../../../"
	scripts = tree + "scripts/clients/"
)

// packages are the clients that there are scripts for, and where they are
// installed.
var packages = map[string]struct{ program, script, installed string }{
	"openai (npm)":  {"node", scripts + "openai_stream.mjs", scripts + "node_modules/openai"},
	"ai (npm)":      {"node", scripts + "ai_stream.mjs", scripts + "node_modules/ai"},
	"openai (PyPI)": {tree + ".venv/bin/python", scripts + "openai_stream.py", tree + ".venv/lib/*/site-packages/openai"},
}

func openSDK(t *testing.T, base, program, script string) *sdk {
	t.Helper()
	s := &sdk{t: t, cmd: exec.CommandContext(t.Context(), program, script, "--plan")}
	s.cmd.Env = append(os.Environ(), "OPENAI_BASE_URL="+base+"/v1", "OPENAI_API_KEY=none")
	s.cmd.Stderr = &s.errs
	var err error
	if s.wishes, err = s.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.lines = bufio.NewScanner(out)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.wishes.Close()
		_ = s.cmd.Wait() // 1 after an error that it told
	})
	return s
}

// wish has the script start a request.
func (s *sdk) wish(w wish) {
	s.t.Helper()
	line, err := json.Marshal(w)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.wishes.Write(append(line, '\n')); err != nil {
		s.t.Fatal(err)
	}
}

// answer waits for the end of a request: all its deltas as one text, and what
// came last.
func (s *sdk) answer() (text string, last told) {
	s.t.Helper()
	for s.lines.Scan() {
		var line told
		decode(s.t, s.lines.Text(), &line)
		if line.Type != "delta" {
			return text, line
		}
		text += line.Text
	}
	s.wishes.Close()
	_ = s.cmd.Wait()
	s.t.Fatalf("%v ended after %q: %s", s.cmd.Args, text, &s.errs)
	return "", told{}
}

func (s *sdk) ask(w wish) (text string, last told) {
	s.t.Helper()
	s.wish(w)
	return s.answer()
}
