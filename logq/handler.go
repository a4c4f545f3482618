package logq

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// handlerRecords is how many records wait for a slow handler.
const handlerRecords = 4096

// Handler is a slog.Handler in front of another one that may do anything: wait
// for a network, or take a lock. Handle does not wait for it; the other one is
// called on a goroutine of the Handler, one record after the other. A Handler
// is safe for concurrent use.
type Handler struct {
	*records
	to slog.Handler
}

// records is what a Handler shares with those that With made from it.
type records struct {
	queue queue[entry]
	lost  losses
}

type entry struct {
	ctx    context.Context
	to     slog.Handler
	record slog.Record
}

// NewHandler returns a Handler in front of to.
func NewHandler(to slog.Handler) *Handler {
	h := &Handler{new(records), to}
	h.queue = queue[entry]{limit: handlerRecords, work: h.handle}
	return h
}

// Lost returns how many records were lost so far.
func (h *Handler) Lost() uint64 { return h.lost.all.Load() }

// Wait returns when all records have been handled, or after d.
func (h *Handler) Wait(d time.Duration) (all bool) { return h.queue.wait(d) }

// Enabled calls the other handler's Enabled. It is the only method of it that
// is called on the caller's goroutine; it only compares levels.
func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.to.Enabled(ctx, level)
}

// Handle queues the record, with its attributes as they are now: they may point
// into memory that is reused when Handle returns.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	kept := slog.NewRecord(r.Time, r.Level, strings.Clone(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		kept.AddAttrs(frozenAttr(a))
		return true
	})
	if !h.queue.add(entry{ctx, h.to, kept}) {
		h.lost.add(1)
	}
	return nil
}

// WithAttrs returns a Handler with the same queue.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Handler{h.records, h.to.WithAttrs(frozenAttrs(attrs))}
}

// WithGroup returns a Handler with the same queue.
func (h *Handler) WithGroup(name string) slog.Handler {
	return &Handler{h.records, h.to.WithGroup(name)}
}

// handle is the queue's work function.
func (r *records) handle(all []entry) {
	for _, e := range all {
		if !r.give(e) {
			r.lost.add(1)
			continue
		}
		r.report(e)
	}
}

// give calls the other handler.
func (r *records) give(e entry) (ok bool) {
	defer func() {
		if !ok {
			_ = recover() // there is no log to report it in
		}
	}()
	return e.to.Handle(e.ctx, e.record) == nil
}

// report logs what was lost, next to a record that was not.
func (r *records) report(beside entry) {
	n := r.lost.unsaid.Swap(0)
	if n == 0 {
		return
	}
	beside.record = slog.NewRecord(time.Now(), slog.LevelWarn, said, 0)
	beside.record.Add("lost", n)
	if !r.give(beside) {
		r.lost.unsaid.Add(n) // they are reported the next time
	}
}

// frozenAttr returns the attribute in a form that no longer changes.
func frozenAttr(a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindString:
		v = slog.StringValue(strings.Clone(v.String()))
	case slog.KindGroup:
		v = slog.GroupValue(frozenAttrs(v.Group())...)
	case slog.KindAny:
		v = frozen(v.Any())
	}
	return slog.Attr{Key: a.Key, Value: v}
}

func frozenAttrs(attrs []slog.Attr) []slog.Attr {
	kept := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		kept[i] = frozenAttr(a)
	}
	return kept
}

func frozen(v any) slog.Value {
	switch v := v.(type) {
	case nil:
		return slog.AnyValue(nil)
	case error:
		return slog.AnyValue(frozenError{fmt.Sprint(v), v})
	case []byte:
		return slog.StringValue(string(v))
	}
	return slog.StringValue(fmt.Sprint(v))
}

// frozenError is an error with the text that it had when it was logged.
type frozenError struct {
	text string
	error
}

func (e frozenError) Error() string { return e.text }
func (e frozenError) Unwrap() error { return e.error }
