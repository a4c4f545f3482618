package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/version"
	"os/exec"
	"path/filepath"
	"strings"
)

// A tool is the go command, which runs in the temporary folder.
type tool struct {
	path   string
	folder string
	env    goEnv    // as the user has it
	vars   []string // what is set in addition
}

// goEnv is what `go env -json` prints of the requested variables.
type goEnv struct{ GOFLAGS, GOOS, GOARCH, GOHOSTOS, GOHOSTARCH string }

// newTool finds the go command.
func newTool(ctx context.Context, folder string) (*tool, error) {
	path, err := exec.LookPath("go")
	if err != nil {
		return nil, errors.New("cannot find the go command: install Go from https://go.dev/dl/ and put it into PATH")
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	t := &tool{path: path, folder: folder, vars: []string{
		"GOWORK=off", // a workspace would take the place of the module
		"GOTMPDIR=" + filepath.Join(folder, "work"), // so that it goes with the folder
	}}
	out, err := t.run(ctx, "env", "-json", "GOFLAGS", "GOOS", "GOARCH", "GOHOSTOS", "GOHOSTARCH")
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(out), &t.env); err != nil {
		return nil, fmt.Errorf("%s is not a go command: its settings: %w", path, err)
	}
	t.vars = append(t.vars, "GOFLAGS="+strings.TrimSpace(t.env.GOFLAGS+" -mod=mod")) // the go tool completes go.mod
	return t, nil
}

// foreign reports whether the result cannot be run here.
func (t *tool) foreign() bool {
	return t.env.GOOS != t.env.GOHOSTOS || t.env.GOARCH != t.env.GOHOSTARCH
}

// run runs the go command and returns its standard output.
func (t *tool) run(ctx context.Context, args ...string) (string, error) {
	p := newProcess(ctx, t.path, args...)
	p.Dir = t.folder
	p.Env = append(p.Environ(), t.vars...)
	if err := p.finish(ctx); err != nil {
		return "", t.failure(err, p.stderr.String())
	}
	return p.stdout.String(), nil
}

// failure returns the go tool's own words, or why there are none.
func (t *tool) failure(err error, text string) error {
	if _, ran := errors.AsType[*exec.ExitError](err); !ran {
		return fmt.Errorf("%s: %w", t.path, err)
	}
	lines := plain(text, t.folder)
	switch len(lines) {
	case 0:
		return fmt.Errorf("%s: %w, without output", t.path, err)
	case 1:
		return errors.New(lines[0])
	}
	return errors.New("the go tool fails:\n" + strings.Join(lines, "\n"))
}

// check makes sure that the Go that the go command chooses for the module in
// its folder is one that it can be built with. Newer go commands fetch what
// they are too old for, unless GOTOOLCHAIN prevents it.
func (t *tool) check(ctx context.Context, modules []*module) error {
	need := latest(modules)
	out, err := t.run(ctx, "env", "GOVERSION")
	if err != nil {
		return fmt.Errorf("%s is needed: %w", need, err)
	}
	have, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(out), "devel "), " ")
	have, _, _ = strings.Cut(have, "-") // devel go1.27-0123456
	if version.Compare(have, need) >= 0 {
		return nil
	}
	for _, m := range modules {
		if m.needs == need {
			return fmt.Errorf("%s is %s, but %s needs %s: install that, or let GOTOOLCHAIN fetch it", t.path, have, m.path, need)
		}
	}
	return nil
}
