package cli

import (
	"fmt"
	"io"
	"text/tabwriter"

	"weir/cmd/weir/internal/command"
	"weir/plugin"
	"weir/plugin/cabi"
)

// listHandlers prints a line for each native handler.
func listHandlers(args []string, stdout, stderr io.Writer) int {
	var libraries command.Files
	fs := command.NewFlags("weir handlers")
	fs.Var(&libraries, "so", "`FILE` with handlers in C, to be listed too; may be given more than once")
	const help = "Lists the native handlers that are compiled into this binary, each with the number\nof calls that may run at once."
	if code, done := command.Parse(fs, help, args, stdout, stderr); done {
		return code
	}
	for _, path := range libraries {
		if _, err := cabi.Load(path); err != nil {
			fmt.Fprintf(stderr, "weir handlers: --so: %v\n", err)
			return command.Usage
		}
	}
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	for _, name := range plugin.Names() {
		h, _ := plugin.Lookup(name) // the name was just listed, and none is ever removed
		kind := "stream"
		switch {
		case h.Unary != nil:
			kind = "unary"
		case h.WebSocket != nil:
			kind = "websocket"
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\n", name, kind, h.Limit, h.Doc)
	}
	if err := table.Flush(); err != nil {
		fmt.Fprintln(stderr, "weir handlers:", err)
		return command.Failure
	}
	return command.OK
}
