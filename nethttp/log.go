package nethttp

import (
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"time"
)

// linesPerSecond is how many mistakes of handlers are logged in a second:
// clients can cause some of them as often as they like.
const linesPerSecond = 10

var logged struct {
	second, lines atomic.Int64
}

// warn logs a mistake of a handler with the default logger; the server's own
// cannot be reached from a request.
func warn(what string, args ...any) {
	if now := time.Now().Unix(); logged.second.Swap(now) != now {
		logged.lines.Store(0)
	}
	if logged.lines.Add(1) <= linesPerSecond {
		slog.Warn("nethttp: "+what, args...)
	}
}

// caller returns the place in the handler that calls this package.
func caller() string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "weir/nethttp.(*response)") && !strings.HasPrefix(f.Function, "net/http.") {
			return fmt.Sprintf("%s (%s:%d)", f.Function, f.File, f.Line)
		}
		if !more {
			return ""
		}
	}
}
