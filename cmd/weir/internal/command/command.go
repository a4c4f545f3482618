// Package command is what the subcommands of weir share: exit codes, flags and
// their help, the log, and the life of a server from its ready line to the
// report of its drain.
//
// A subcommand is a package with one function,
//
//	func Main(args []string, stdout, stderr io.Writer) int
//
// which gets the arguments after the subcommand's name and returns one of the
// exit codes. One that serves looks like this:
//
//	func Main(args []string, stdout, stderr io.Writer) int {
//		return command.Serve(stdout, stderr, false, func(e *command.Env) int {
//			var serving command.Serving
//			fs := command.NewFlags("weir tour")
//			serving.Register(fs, "127.0.0.1:8080")
//			if code, done := command.Parse(fs, help, args, stdout, stderr); done {
//				return code
//			}
//			srv := &weir.Server{Handler: mux, Logger: e.Log}
//			return serving.Run(e, srv, "weir tour")
//		})
//	}
package command

// Build is what this binary was built from. Main sets it before it runs a
// subcommand.
var Build struct{ Version, Revision string }

// Exit codes of a subcommand.
const (
	OK      = 0 // it succeeded, and the drain was clean
	Failure = 1 // it could not start, or it failed
	Usage   = 2 // it was called wrongly; stderr shows how to call it
)
