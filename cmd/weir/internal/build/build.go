// Package build is `weir build`: it makes a weir with native handlers compiled
// in, out of weir's source and the packages that register them.
//
// The go tool does the work. It gets a temporary module with a main that
// imports weir and the packages, and for each package a probe: a main that
// imports only the package and reports what that registers. The probes are
// built and run first, so that an error names the package that caused it,
// before weir is linked.
package build

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"weir/cmd/weir/internal/command"
)

const name = "weir build"

const help = `Builds a weir with native handlers compiled in, out of weir's source and the
packages that register them. It needs the go tool, and the network only for what
is neither in a local folder nor in Go's module cache.

  --with example.com/h/fast           a package by its import path
  --with example.com/h/fast@v1.2.0    in that version
  --with example.com/h/fast=../h      its module from a folder instead
  --with ./examples/handler           a package in a folder

A path that begins with ./, ../ or / is a folder. The replace directives of the
go.mod of a folder's module also apply to the build. weir's source is --source,
or else a checkout of weir that holds the current folder or this binary, or that
this binary was built from, or that a folder's go.mod replaces weir with.

GOFLAGS, GOPROXY, CGO_ENABLED and the like apply as they do to go build: add
-tags=... to GOFLAGS for instance. With GOOS or GOARCH of another machine weir
build cannot check that a package registers something.`

// options has the values of the flags.
type options struct {
	with   packages
	out    string
	source string
	keep   bool
}

func (o *options) register(fs *flag.FlagSet) {
	fs.Var(&o.with, "with", "`PATH[=FOLDER]` of a package to compile in; may be given more than once")
	fs.StringVar(&o.out, "o", "weir", "`FILE` to write")
	fs.StringVar(&o.source, "source", "", "`FOLDER` with weir's source")
	fs.BoolVar(&o.keep, "keep", false, "keep the temporary folder and say where it is")
}

// Main runs the subcommand and returns its exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	defer context.AfterFunc(ctx, stop)() // a second signal ends the process
	return run(ctx, args, stdout, stderr)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	fs := command.NewFlags(name)
	o.register(fs)
	if code, done := command.Parse(fs, help, args, stdout, stderr); done {
		return code
	}
	if problem := o.problem(); problem != "" {
		return command.WrongUse(name, problem, stderr)
	}
	err := o.build(ctx, stdout, stderr)
	var wrong *usageError
	switch {
	case err == nil:
		return command.OK
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, name+": cancelled")
	case errors.As(err, &wrong):
		return command.WrongUse(name, err.Error(), stderr)
	default:
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
	}
	return command.Failure
}

// problem returns what is wrong with the flags together, or "".
func (o *options) problem() string {
	switch {
	case len(o.with) == 0:
		return "--with is missing: name a package to compile in"
	case o.out == "":
		return "-o is empty: name the file to write"
	}
	return ""
}

// A usageError is an error in how weir build was called.
type usageError struct{ problem string }

func (e *usageError) Error() string { return e.problem }

// build does all of it. Only the binary remains, and with --keep the temporary
// folder.
func (o *options) build(ctx context.Context, stdout, stderr io.Writer) error {
	if err := checkOutput(o.out); err != nil {
		return err
	}
	folder, err := temporary()
	if err != nil {
		return err
	}
	if o.keep {
		defer fmt.Fprintf(stderr, "%s: kept %s\n", name, folder)
	} else {
		defer removeAll(folder)
	}
	tool, err := newTool(ctx, folder)
	if err != nil {
		return err
	}
	plan, err := o.plan(ctx, tool)
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "%s: building from %s\n", name, plan.source.folder) // it may have been found instead of given
	gained, err := plan.make(ctx, tool)
	if err != nil {
		return err
	}
	if err := install(plan.binary(tool), o.out); err != nil {
		return err
	}
	return o.report(stdout, tool, gained)
}

// report prints what was made.
func (o *options) report(stdout io.Writer, tool *tool, gained []string) error {
	if tool.foreign() {
		_, err := fmt.Fprintf(stdout, "%s: wrote %s for %s/%s; what its packages register cannot be listed here\n",
			name, o.out, tool.env.GOOS, tool.env.GOARCH)
		return err
	}
	_, err := fmt.Fprintf(stdout, "%s: wrote %s; its packages register:\n  %s\n", name, o.out, strings.Join(gained, "\n  "))
	return err
}
