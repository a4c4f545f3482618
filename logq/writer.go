package logq

import (
	"bytes"
	"io"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	writerBytes = 1 << 20 // that wait for a slow reader
	atOnce      = 4 << 10 // PIPE_BUF of Linux: what a pipe takes in one piece, not mixed with another writer's
)

// Writer is an io.Writer for lines, in front of one that may block or fail.
// Write never waits and never fails; the other one is called on a goroutine of
// the Writer. Each Write is one line, or several, with their line ends. A
// Writer is safe for concurrent use.
type Writer struct {
	out   io.Writer
	text  atomic.Bool
	queue queue[byte]
	lost  losses
	torn  bool // a part of a line was written; used by the queue's goroutine
}

// NewWriter returns a Writer for out. Its own lines, which report losses, are
// text if text is true, and else JSON, both as log/slog writes them.
func NewWriter(out io.Writer, text bool) *Writer {
	w := &Writer{out: out}
	w.text.Store(text)
	w.queue = queue[byte]{limit: writerBytes, work: w.write}
	return w
}

// Text reports whether the Writer's own lines are text.
func (w *Writer) Text() bool { return w.text.Load() }

// SetText says whether the Writer's own lines are text.
func (w *Writer) SetText(text bool) { w.text.Store(text) }

// Handler returns a slog.Handler that writes to w, text or JSON. It formats on
// the caller's goroutine, so that attributes may point into memory that is
// reused.
func (w *Writer) Handler(text bool) slog.Handler { return handlerFor(w, text) }

func handlerFor(out io.Writer, text bool) slog.Handler {
	if text {
		return slog.NewTextHandler(out, nil)
	}
	return slog.NewJSONHandler(out, nil)
}

// Write queues a copy of p. If the queue has no room for it, it is lost.
func (w *Writer) Write(p []byte) (int, error) {
	if !w.queue.add(p...) {
		w.lost.add(lines(p))
	}
	return len(p), nil
}

// Lost returns how many lines were lost so far.
func (w *Writer) Lost() uint64 { return w.lost.all.Load() }

// Wait returns when all lines are written, or after d.
func (w *Writer) Wait(d time.Duration) (all bool) { return w.queue.wait(d) }

// write is the queue's work function: it writes whole lines, several by one
// system call.
func (w *Writer) write(p []byte) {
	for len(p) > 0 {
		n := portion(p)
		if w.writeOut(p[:n]) {
			w.report()
		}
		p = p[n:]
	}
}

// portion is the length of what is written at once: the lines that fit in
// atOnce bytes, or a longer one alone.
func portion(p []byte) int {
	if len(p) <= atOnce {
		return len(p)
	}
	if i := bytes.LastIndexByte(p[:atOnce], '\n'); i >= 0 {
		return i + 1
	}
	if i := bytes.IndexByte(p, '\n'); i >= 0 {
		return i + 1
	}
	return len(p)
}

// writeOut writes lines. After a line of which only a part could be written the
// next one begins on a line of its own.
func (w *Writer) writeOut(p []byte) (ok bool) {
	if w.torn {
		if _, err := w.out.Write([]byte{'\n'}); err != nil {
			w.lost.add(lines(p))
			return false
		}
		w.torn = false
	}
	n, err := w.out.Write(p)
	if err == nil {
		return true
	}
	w.torn = 0 < n && n < len(p) && p[n-1] != '\n'
	w.lost.add(lines(p[n:]))
	return false
}

// report logs what was lost.
func (w *Writer) report() {
	n := w.lost.unsaid.Swap(0)
	if n == 0 {
		return
	}
	var line bytes.Buffer
	slog.New(handlerFor(&line, w.text.Load())).Warn(said, "lost", n)
	if _, err := w.out.Write(line.Bytes()); err != nil {
		w.lost.unsaid.Add(n) // they are reported the next time
	}
}

// lines is the number of lines in p, of which the last may have no line end.
func lines(p []byte) int {
	n := bytes.Count(p, []byte{'\n'})
	if len(p) > 0 && p[len(p)-1] != '\n' {
		n++
	}
	return n
}
