package relay

import (
	"errors"
	"time"

	"weir"
)

// Native is a handler that answers in place of upstreams: whole requests, on a
// goroutine for each.
type Native struct {
	Name    string       // for the log
	Handler weir.Handler // nil = there is none
}

// handOver gives a request whose body is here to the native handler of its
// model. The loop, and what of the flow is the loop's, has no part in it then.
func (f *flow) handOver(m *Model) {
	f.record.Model, f.record.Upstream, f.record.Attempts = m.Name, m.Native.Name, 1
	f.handed = true
	body := f.kept.give()
	f.stop()
	f.x.HandOver(m.Native.Handler, body...)
}

// Answered is what a handler other than the relay responded, for the log, when
// the request has ended.
func (r *Record) Answered(w *weir.Response, since time.Time, cause error) {
	sent := w.Sent()
	r.Status, r.Events, r.Bytes, r.Took = sent.Status, sent.Chunks, sent.Bytes, time.Since(since)
	if !sent.First.IsZero() && (cause == nil || sent.Chunks > 0) { // else it is the body of an error
		r.First = max(1, sent.First.Sub(since))
	}
	r.Left, r.Err = departed(cause), cause
}

// departed reports whether a request ended by its client's doing; else it was
// answered, failed, or cut at the end of a drain.
func departed(cause error) bool {
	return errors.Is(cause, weir.ErrClientGone) || errors.Is(cause, weir.ErrSlowClient)
}
