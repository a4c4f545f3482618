package command

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// NewFlags returns an empty flag set for the subcommand of that full name
// ("weir tour"), to be parsed with Parse.
func NewFlags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard) // Parse prints errors
	return fs
}

// Parse parses the arguments of a subcommand that takes none but flags. If done
// is true the command ends with code: help was requested and is on stdout, or
// the call was wrong and stderr has the reason.
func Parse(fs *flag.FlagSet, help string, args []string, stdout, stderr io.Writer) (code int, done bool) {
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		printHelp(stdout, fs, help)
		return OK, true
	case err != nil:
		return WrongUse(fs.Name(), err.Error(), stderr), true
	case fs.NArg() > 0:
		return WrongUse(fs.Name(), fmt.Sprintf("unexpected argument %q", fs.Arg(0)), stderr), true
	}
	return OK, false
}

// WrongUse prints how a subcommand was called wrongly and returns [Usage].
func WrongUse(name, problem string, stderr io.Writer) int {
	fmt.Fprintf(stderr, "%s: %s\nRun '%s --help' for its usage.\n", name, problem, name)
	return Usage
}

// printHelp prints the text and the flags, each on a line, defaults last.
func printHelp(w io.Writer, fs *flag.FlagSet, help string) {
	fmt.Fprintf(w, "usage: %s [flags]\n\n%s\n\nflags:\n", fs.Name(), strings.TrimSpace(help))
	width := 0
	fs.VisitAll(func(f *flag.Flag) { width = max(width, len(spelled(f))) })
	fs.VisitAll(func(f *flag.Flag) {
		_, usage := flag.UnquoteUsage(f)
		fmt.Fprintf(w, "  %-*s  %s", width, spelled(f), usage)
		if d := f.DefValue; d != "" && d != "0" && d != "false" {
			fmt.Fprintf(w, " (default %s)", d)
		}
		fmt.Fprintln(w)
	})
}

// spelled is a flag as one writes it: "--idle DURATION", "-o FILE".
func spelled(f *flag.Flag) string {
	dashes := "--"
	if len(f.Name) == 1 {
		dashes = "-"
	}
	arg, _ := flag.UnquoteUsage(f)
	if arg == "" {
		return dashes + f.Name
	}
	return dashes + f.Name + " " + arg
}

// Addresses is a flag that may be given more than once.
type Addresses struct {
	list  []string
	given bool // the list is no longer the default
}

// String is the addresses, comma separated.
func (a *Addresses) String() string { return strings.Join(a.list, ",") }

// Set adds an address; the first one replaces the default.
func (a *Addresses) Set(address string) error {
	if address == "" {
		return errors.New("empty address")
	}
	if !a.given {
		a.list, a.given = nil, true
	}
	a.list = append(a.list, address)
	return nil
}

// wait is a flag for a duration above zero, delay for one that may be zero.
type (
	wait  time.Duration
	delay time.Duration
)

func (d *wait) String() string  { return time.Duration(*d).String() }
func (d *delay) String() string { return time.Duration(*d).String() }

func (d *wait) Set(text string) error {
	v, err := parseDuration(text)
	if err == nil && v <= 0 {
		return errors.New("must be more than zero")
	}
	*d = wait(v)
	return err
}

func (d *delay) Set(text string) error {
	v, err := parseDuration(text)
	if err == nil && v < 0 {
		return errors.New("must not be below zero")
	}
	*d = delay(v)
	return err
}

func parseDuration(text string) (time.Duration, error) {
	v, err := time.ParseDuration(text)
	if err != nil {
		return 0, errors.New(`want a duration such as "500ms" or "1m30s"`)
	}
	return v, nil
}

// DurationVar adds a flag for a duration above zero.
func DurationVar(fs *flag.FlagSet, p *time.Duration, name string, value time.Duration, usage string) {
	*p = value
	fs.Var((*wait)(p), name, usage)
}

// DelayVar adds a flag for a duration of zero or more.
func DelayVar(fs *flag.FlagSet, p *time.Duration, name string, value time.Duration, usage string) {
	*p = value
	fs.Var((*delay)(p), name, usage)
}

// count is a flag for an integer within bounds.
type count struct {
	p           *int
	least, most int
}

func (c count) String() string {
	if c.p == nil { // the zero value, which package flag uses
		return "0"
	}
	return strconv.Itoa(*c.p)
}

func (c count) Set(text string) error {
	v, err := strconv.Atoi(text)
	if err != nil || v < c.least || v > c.most {
		return fmt.Errorf("want a number from %d to %d", c.least, c.most)
	}
	*c.p = v
	return nil
}

// CountVar adds a flag for an integer from least to most.
func CountVar(fs *flag.FlagSet, p *int, name string, value, least, most int, usage string) {
	*p = value
	fs.Var(count{p, least, most}, name, usage)
}

// Files is a flag that may be given more than once.
type Files []string

func (f *Files) String() string { return strings.Join(*f, ",") }

// Set appends a path.
func (f *Files) Set(path string) error {
	if path == "" {
		return errors.New("empty path")
	}
	*f = append(*f, path)
	return nil
}
