package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// initTime is how long a package may take to initialise itself.
const initTime = 20 * time.Second

// make builds weir with the packages, and returns the lines of `weir handlers`
// that they add; none when it is built for another machine.
func (p *plan) make(ctx context.Context, t *tool) ([]string, error) {
	if err := p.write(t.folder); err != nil {
		return nil, err
	}
	if err := t.check(ctx, p.modules); err != nil {
		return nil, err
	}
	if wanted := p.fetched(); len(wanted) > 0 {
		if _, err := t.run(ctx, append([]string{"get"}, wanted...)...); err != nil {
			return nil, err
		}
	}
	names, err := p.probe(ctx, t)
	if err != nil {
		return nil, err
	}
	if err := t.build(ctx, "weir"); err != nil {
		return nil, err
	}
	if t.foreign() {
		return nil, nil
	}
	listed, err := execute(ctx, p.binary(t), "handlers")
	if err != nil {
		return nil, fmt.Errorf("weir with these packages %w", err)
	}
	return gained(listed, names), nil
}

// binary returns the path of the new weir.
func (p *plan) binary(t *tool) string { return t.binary("weir") }

// probe finds out, for each package by itself, what it registers.
func (p *plan) probe(ctx context.Context, t *tool) (names map[string]bool, err error) {
	probes := make([]string, len(p.pkgs))
	for i := range p.pkgs {
		probes[i] = probeOf(i)
	}
	if err := t.build(ctx, probes...); err != nil || t.foreign() {
		return nil, err
	}
	names = map[string]bool{}
	for i, one := range p.pkgs {
		registered, err := t.registered(ctx, probes[i])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", one.path, err)
		}
		for _, name := range registered {
			names[name] = true
		}
	}
	return names, nil
}

// registered runs a probe.
func (t *tool) registered(ctx context.Context, probe string) ([]string, error) {
	answer := filepath.Join(t.folder, probe, "names")
	if _, err := execute(ctx, t.binary(probe), answer); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(answer)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("ends the process when it is initialised")
	}
	if err != nil {
		return nil, err
	}
	names := strings.Fields(string(text))
	if len(names) == 0 {
		return nil, errors.New("registers no handler: it must call plugin.Register in an init function")
	}
	return names, nil
}

// build builds mains of the module.
func (t *tool) build(ctx context.Context, mains ...string) error {
	// The commit of whatever repository the temporary folder may be in is not
	// weir's: see Stamp of package cli.
	args := []string{"build", "-trimpath", "-buildvcs=false", "-o", filepath.Join(t.folder, "bin") + "/"}
	for _, main := range mains {
		args = append(args, "./"+main)
	}
	_, err := t.run(ctx, args...)
	return err
}

func (t *tool) binary(main string) string { return filepath.Join(t.folder, "bin", main) }

// execute runs what was built and returns its standard output.
func execute(ctx context.Context, path, arg string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, initTime)
	defer cancel()
	p := newProcess(ctx, path, arg)
	err := p.finish(ctx)
	switch {
	case err == nil:
		return p.stdout.String(), nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return "", fmt.Errorf("does not finish its initialisation within %v", initTime)
	}
	if last := words(p.stderr.String()); last != "" {
		return "", fmt.Errorf("fails when it is initialised: %s", last)
	}
	return "", fmt.Errorf("fails when it is initialised: %w", err)
}

// words returns the line of a process's standard error that explains why it
// failed.
func words(stderr string) string {
	last := ""
	for line := range strings.Lines(unversioned.ReplaceAllString(stderr, "")) {
		line = strings.TrimSpace(line)
		for _, prefix := range []string{"panic: ", "fatal error: "} {
			if reason, ok := strings.CutPrefix(line, prefix); ok {
				return reason
			}
		}
		if line != "" {
			last = line
		}
	}
	return last
}

// gained returns the lines about handlers of those names. Between them may be
// what the packages print when they are initialised.
func gained(listed string, names map[string]bool) []string {
	var lines []string
	for line := range strings.Lines(listed) {
		columns := strings.Fields(line)
		if len(columns) > 2 && names[columns[0]] && (columns[1] == "stream" || columns[1] == "unary") {
			lines = append(lines, strings.TrimRight(line, " \n"))
		}
	}
	return lines
}
