package weir

import (
	"errors"
	"log/slog"
	"runtime/debug"

	"weir/internal/invariant"
)

// User code is called in one way, by exchange.call: with none of the server's
// locks held, and so that a panic, or a runtime.Goexit, costs one connection at
// most and is logged once, with its stack. The functions and where they run:
//
//	what                                      goroutine
//	handlers, with middleware and generators  their own; the loop if registered inline
//	OnHeaders, LoopHandler, BodyReceiver      the loop
//	Source.Next and Close                     the loop, from the loop itself and not from a caller of the Stream
//	OnClose                                   a new one; for an inline handler the loop, as above
//	OnError, Trace                            the one on which the thing happens: the loop, the handler's, a producer's
//
// The reactor rescues what it calls itself: tasks, timers and the handlers of
// connections. A panic there costs the connection that the call was for.

// errGoexit is the value of a PanicError for a function that ended its
// goroutine.
var errGoexit = errors.New("weir: runtime.Goexit was called")

// call calls f, which is the user's. It reports whether f has returned; if not,
// failed is called with the panic, also when the goroutine is about to end. No
// lock is held.
func (ex *exchange) call(what string, f func(), failed func(error)) (returned bool) {
	defer func() {
		if !returned {
			err := ex.srv.panicked(what, ex.req.Pattern(), recover())
			if failed != nil {
				failed(err)
			}
		}
	}()
	f()
	return true
}

// panicked logs a panic, which is being recovered from.
func (s *Server) panicked(what, pattern string, value any) error {
	invariant.Pass(value)
	if value == nil {
		value = errGoexit
	}
	stack := debug.Stack()
	err := &PanicError{what, value, stack}
	if lost, ok := s.mayLog(slog.LevelError); ok {
		s.logLine(slog.LevelError, "weir: "+what+" panicked", lost, []slog.Attr{
			slog.String("pattern", pattern), slog.Any("panic", value), slog.String("stack", string(stack)),
		})
	}
	return err
}
