// Package cli is the command weir as a function, for a main of one's own that
// compiles native handlers in:
//
//	package main
//
//	import (
//		"os"
//
//		"weir/cmd/weir/cli"
//
//		_ "example.com/handler" // registers its handlers
//	)
//
//	func main() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) }
//
// `weir build --with example.com/handler` writes and builds just that.
package cli

import (
	"fmt"
	"io"

	"weir/cmd/weir/internal/build"
	"weir/cmd/weir/internal/command"
	"weir/cmd/weir/internal/demo"
	"weir/cmd/weir/internal/mock"
	"weir/cmd/weir/internal/patch"
	"weir/cmd/weir/internal/serve"
	"weir/cmd/weir/internal/tour"
)

// subcommand is a line of the table. run gets the arguments after the name and
// returns an exit code of package command.
type subcommand struct {
	name    string
	summary string
	run     func(args []string, stdout, stderr io.Writer) int
}

// subcommands in the order in which help shows them.
func subcommands() []subcommand {
	return []subcommand{
		{"demo", "serve a small model that babbles, without configuration", demo.Main},
		{"serve", "relay requests to upstreams with language models, by a configuration file", serve.Main},
		{"tour", "serve a route for each feature, to try and to test", tour.Main},
		{"patch", "show a request, an event or a response before and after a model's patches", patch.Main},
		{"mock", "serve a scripted upstream that fails on demand, for tests and load", mock.Main},
		{"build", "build a weir with more native handlers compiled in", build.Main},
		{"handlers", "list the native handlers that are compiled in", listHandlers},
		{"version", "print the version, Go's and the commit", printVersion},
		{"help", "print this, or the usage of a subcommand", help},
	}
}

// Main runs weir with the arguments after its name, and returns the exit code:
// 0 on success, 1 on failure, 2 if it was called wrongly. A subcommand that
// serves returns after its drain; it handles SIGTERM and SIGINT meanwhile, so
// call Main once, from main.
func Main(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		usage(stderr)
		return command.Usage
	}
	switch name := args[0]; name {
	case "-h", "-help", "--help":
		return help(args[1:], stdout, stderr)
	case "-version", "--version":
		return printVersion(args[1:], stdout, stderr)
	default:
		if c, ok := find(name); ok {
			command.Build.Version, command.Build.Revision = built()
			return c.run(args[1:], stdout, stderr)
		}
		return unknown(name, stderr)
	}
}

func find(name string) (subcommand, bool) {
	for _, c := range subcommands() {
		if c.name == name {
			return c, true
		}
	}
	return subcommand{}, false
}

func unknown(name string, stderr io.Writer) int {
	return command.WrongUse("weir", fmt.Sprintf("unknown subcommand %q", name), stderr)
}

func usage(w io.Writer) {
	fmt.Fprint(w, "usage: weir SUBCOMMAND [flags]\n\n")
	for _, c := range subcommands() {
		fmt.Fprintf(w, "  %-10s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, "\n'weir SUBCOMMAND --help' prints what a subcommand takes.\n")
}

func help(args []string, stdout, stderr io.Writer) int {
	switch len(args) {
	case 0:
		usage(stdout)
		return command.OK
	case 1:
		if args[0] == "help" {
			usage(stdout)
			return command.OK
		}
		if c, ok := find(args[0]); ok {
			return c.run([]string{"--help"}, stdout, stderr)
		}
		return unknown(args[0], stderr)
	}
	return command.WrongUse("weir", "help takes the name of one subcommand", stderr)
}
