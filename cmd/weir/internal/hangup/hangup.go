// Package hangup receives SIGHUP for `weir serve` as early as the order allows in
// which Go initializes packages.
//
// Until somebody has asked for it, Go ends a process at SIGHUP, and packages take
// milliseconds to initialize: a reload that a supervisor sends right after the
// start would end the gateway. This package imports little, so that its turn
// comes before all others of weir's; those of other modules still precede it.
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
