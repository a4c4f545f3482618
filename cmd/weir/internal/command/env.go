package command

import (
	"context"
	"io"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"weir/cmd/weir/internal/hangup"
	"weir/logq"
)

// Env is the environment of a subcommand that serves. Nothing that it writes to
// makes it wait, and no signal ends it abruptly.
type Env struct {
	Stdout, Stderr *logq.Writer
	Log            *slog.Logger     // to Stderr: text for a person at a terminal, JSON for anything else
	Hangup         <-chan os.Signal // has a SIGHUP, also one that came early, for the subcommand that reloads

	first chan os.Signal  // has the signal that ends it
	cut   context.Context // is done at the second one

	mu      sync.Mutex
	serving bool
	gone    chan struct{} // closed when a signal came before it served
}

// flushTime is how long the end of a subcommand waits for the readers of its
// output.
const flushTime = time.Second

// Serve runs a subcommand that serves, from its first step, and returns its
// exit code.
//
// Signals are handled before anything else is done: SIGTERM and SIGINT end the
// subcommand, at once and cleanly until it has called Begin, and after that as
// [Serving.Run] describes. SIGHUP is kept for Env.Hangup if the subcommand
// reloads, and otherwise ends it as SIGTERM does, unless it was started to
// ignore it (nohup). A reader of stdout or stderr that disconnects does not end
// it (SIGPIPE).
func Serve(stdout, stderr io.Writer, reloads bool, body func(*Env) int) int {
	e := &Env{first: make(chan os.Signal, 1), gone: make(chan struct{})}
	defer e.take(reloads)()
	e.Stdout, e.Stderr = logq.NewWriter(stdout, IsTerminal(stdout)), logq.NewWriter(stderr, IsTerminal(stderr))
	e.Log = slog.New(e.Stderr.Handler(IsTerminal(stderr)))
	defer e.flush()
	defer e.adopt()()
	code := make(chan int, 1)
	go func() { code <- body(e) }()
	select {
	case code := <-code:
		return code
	case <-e.gone:
		return OK
	}
}

// Begin is called before anything is listened on: from then on the server
// handles signals.
func (e *Env) Begin() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.serving = true
}

// Stopped returns a channel with the first signal that ends the subcommand.
func (e *Env) Stopped() <-chan os.Signal { return e.first }

// Lost returns how many lines of the log and of stdout were lost.
func (e *Env) Lost() uint64 { return e.Stdout.Lost() + e.Stderr.Lost() }

// take receives the process' signals, until release.
func (e *Env) take(reloads bool) (release func()) {
	signal.Ignore(syscall.SIGPIPE) // a write to stdout or stderr then fails with EPIPE, as to any other descriptor
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	switch {
	case reloads:
		signal.Notify(hangup.C, syscall.SIGHUP)
	case !signal.Ignored(syscall.SIGHUP):
		signal.Notify(signals, syscall.SIGHUP)
	}
	e.Hangup = hangup.C
	var endCut context.CancelFunc
	e.cut, endCut = context.WithCancel(context.Background())
	over := make(chan struct{})
	go e.listen(signals, over, endCut)
	return func() {
		signal.Stop(signals)
		signal.Stop(hangup.C)
		select {
		case <-hangup.C: // not acted on any more
		default:
		}
		close(over)
		endCut()
	}
}

// adopt makes the log the default one, for packages that have no other:
// net/http writes to package log. It returns a function that undoes that.
func (e *Env) adopt() (restore func()) {
	logger, out, flags := slog.Default(), log.Writer(), log.Flags()
	slog.SetDefault(e.Log)
	return func() {
		slog.SetDefault(logger)
		log.SetOutput(out)
		log.SetFlags(flags)
	}
}

// listen passes on the first two signals.
func (e *Env) listen(signals chan os.Signal, over chan struct{}, endCut func()) {
	for _, pass := range []func(os.Signal){e.end, func(os.Signal) { endCut() }} {
		select {
		case s := <-signals:
			pass(s)
		case <-over:
			return
		}
	}
}

func (e *Env) end(s os.Signal) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.serving {
		e.first <- s
		return
	}
	close(e.gone)
}

// flush gives what was written a moment to be read.
func (e *Env) flush() {
	late := time.Now().Add(flushTime)
	e.Stdout.Wait(flushTime)
	e.Stderr.Wait(max(0, time.Until(late)))
}
