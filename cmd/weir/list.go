package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"text/tabwriter"

	"weir/cmd/weir/internal/command"
	"weir/plugin"
)

// listHandlers prints a line for each native handler.
func listHandlers(args []string, stdout, stderr io.Writer) int {
	fs := command.NewFlags("weir handlers")
	const help = "Lists the native handlers that are compiled into this binary, each with the number\nof calls that may run at once."
	if code, done := command.Parse(fs, help, args, stdout, stderr); done {
		return code
	}
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	for _, name := range plugin.Names() {
		h, _ := plugin.Lookup(name) // it was just named, and none is ever removed
		kind := "stream"
		if h.Unary != nil {
			kind = "unary"
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\n", name, kind, h.Limit, h.Doc)
	}
	if err := table.Flush(); err != nil {
		fmt.Fprintln(stderr, "weir handlers:", err)
		return command.Failure
	}
	return command.OK
}

// printVersion prints what the binary was built from.
func printVersion(args []string, stdout, stderr io.Writer) int {
	fs := command.NewFlags("weir version")
	if code, done := command.Parse(fs, "Prints what this binary was built from.", args, stdout, stderr); done {
		return code
	}
	info, _ := debug.ReadBuildInfo() // nil when the binary was built without module support
	fmt.Fprintln(stdout, version(info))
	return command.OK
}

// version is one line: weir v0.1.0, go1.26.0 linux/amd64, commit 0123456789ab (modified).
func version(info *debug.BuildInfo) string {
	number, commit, modified := "(devel)", "unknown", ""
	if info != nil {
		if info.Main.Version != "" {
			number = info.Main.Version
		}
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				commit = s.Value[:min(12, len(s.Value))]
			case s.Key == "vcs.modified" && s.Value == "true":
				modified = " (modified)"
			}
		}
	}
	return fmt.Sprintf("weir %s, %s %s/%s, commit %s%s", number, runtime.Version(), runtime.GOOS, runtime.GOARCH, commit, modified)
}
