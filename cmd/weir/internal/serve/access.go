package serve

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"weir"
	"weir/cmd/weir/internal/config"
	"weir/cmd/weir/internal/relay"
)

// maxUnwritten is how many lines wait for a reader of the log that is slow;
// what comes then is dropped and counted.
const maxUnwritten = 1 << 16

// accessLog writes a line for each request, in the order in which they ended.
// A goroutine of its own writes, so that no loop waits for the log's reader.
type accessLog struct {
	handler slog.Handler // nil = none
	sample  float64
	over    chan struct{} // the writing goroutine has ended

	mu      sync.Mutex
	queue   []slog.Record
	dropped int
	ended   bool
	wake    sync.Cond
}

func newAccessLog(cfg config.Log, stdout, stderr io.Writer) *accessLog {
	a := &accessLog{sample: cfg.Sample, over: make(chan struct{})}
	a.wake.L = &a.mu
	out := stdout
	switch cfg.Access {
	case "none":
		close(a.over)
		return a
	case "stderr":
		out = stderr
	}
	if cfg.Format == "text" || cfg.Format == "auto" && isTerminal(out) {
		a.handler = slog.NewTextHandler(out, nil)
	} else {
		a.handler = slog.NewJSONHandler(out, nil)
	}
	go a.write()
	return a
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}

// add logs a request; those that failed always, of the others a share. It does
// not wait.
func (a *accessLog) add(r *relay.Record) {
	failed := r.Err != nil || r.Left || r.Status >= 400
	if a.handler == nil || !failed && a.sample < 1 && rand.Float64() >= a.sample {
		return
	}
	status := r.Status
	if r.Left {
		status = 499
	}
	line := slog.NewRecord(time.Now(), slog.LevelInfo, "request", 0)
	line.Add(
		"id", r.Request.Header().Get("x-request-id"), "client", r.Request.RemoteAddr().String(),
		"method", r.Request.Method(), "path", string(r.Request.Path()), "status", status,
		"model", r.Model, "upstream", r.Upstream, "attempts", r.Attempts, "stream", r.Stream,
		"events", r.Events, "bytes", r.Bytes,
		"first_ms", r.First.Seconds()*1e3, "took_ms", r.Took.Seconds()*1e3,
	)
	if r.Err != nil && !errors.Is(r.Err, weir.ErrClientGone) {
		line.Add("err", r.Err.Error())
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.queue) == maxUnwritten {
		a.dropped++
		return
	}
	a.queue = append(a.queue, line)
	a.wake.Signal()
}

// write writes what is added, until stop.
func (a *accessLog) write() {
	defer close(a.over)
	var lines []slog.Record
	for {
		var dropped int
		if lines, dropped = a.next(lines[:0]); lines == nil {
			return
		}
		for _, line := range lines {
			_ = a.handler.Handle(context.Background(), line) // a log has nobody to complain to
		}
		if dropped > 0 {
			line := slog.NewRecord(time.Now(), slog.LevelWarn, "requests not logged, the log is read too slowly", 0)
			line.Add("dropped", dropped)
			_ = a.handler.Handle(context.Background(), line) // likewise
		}
	}
}

// next waits for lines and takes them all; spare is where the next ones go. It
// returns nil when there will be no more.
func (a *accessLog) next(spare []slog.Record) (lines []slog.Record, dropped int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.queue) == 0 {
		if a.ended {
			return nil, 0
		}
		a.wake.Wait()
	}
	lines, dropped = a.queue, a.dropped
	a.queue, a.dropped = spare, 0
	return lines, dropped
}

// stop returns when all lines are written.
func (a *accessLog) stop() {
	a.mu.Lock()
	a.ended = true
	a.wake.Signal()
	a.mu.Unlock()
	<-a.over
}
