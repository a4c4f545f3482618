// Package hangup receives SIGHUP for `weir serve` from the first moment at which
// a Go program can.
//
// Until somebody has asked for it, Go ends a process at SIGHUP, and the packages
// of weir take milliseconds to initialize: a reload that a supervisor sends right
// after the start would end the gateway. This package imports nothing that would
// have to be initialized with them, so that its turn comes before theirs.
package hangup

import (
	"os"
	"os/signal"
	"syscall"
)

// C has a SIGHUP that has not been acted on, once [os/signal.Notify] was called
// for it.
var C = make(chan os.Signal, 1)

func init() {
	if serves(os.Args) && !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(C, syscall.SIGHUP)
	}
}

// serves reports whether these are the arguments of the one subcommand that
// reloads. For all others SIGHUP is the end.
func serves(args []string) bool { return len(args) > 1 && args[1] == "serve" }
