package build

import (
	"bytes"
	"context"
	"os/exec"
	"syscall"
	"time"
)

const (
	// mostOutput is how much of a process's output is kept, in bytes.
	mostOutput = 1 << 20

	// grace is how long an interrupted process may take to clean up.
	grace = 2 * time.Second
)

// A process is a command in a process group of its own: what it has started
// ends with it when it is cancelled.
type process struct {
	*exec.Cmd
	stdout, stderr capped
}

func newProcess(ctx context.Context, path string, args ...string) *process {
	p := &process{Cmd: exec.CommandContext(ctx, path, args...)}
	p.Stdout, p.Stderr = &p.stdout, &p.stderr
	p.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.Cancel = func() error { return p.signal(syscall.SIGINT) }
	p.WaitDelay = grace
	return p
}

// finish runs the process to its end, or to that of the context it was made
// with; then nothing of the group is left.
func (p *process) finish(ctx context.Context) error {
	err := p.Run()
	if p.Process != nil && ctx.Err() != nil {
		_ = p.signal(syscall.SIGKILL) // mostly no process is left to receive it
	}
	return err
}

func (p *process) signal(sig syscall.Signal) error { return syscall.Kill(-p.Process.Pid, sig) }

// capped keeps the beginning of what is written to it.
type capped struct{ kept bytes.Buffer }

// Write accepts all of p and keeps what there is room for.
func (c *capped) Write(p []byte) (int, error) {
	c.kept.Write(p[:min(len(p), mostOutput-c.kept.Len())])
	return len(p), nil
}

func (c *capped) String() string { return c.kept.String() }
