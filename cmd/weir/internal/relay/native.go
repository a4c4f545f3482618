package relay

import (
	"errors"
	"time"

	"weir"
)

// Native is a handler that serves requests in place of upstreams: whole
// requests, each on a goroutine.
type Native struct {
	Name    string       // for the log
	Handler weir.Handler // nil = there is none
}

// handOver passes a request whose body has arrived to the native handler of its
// model. The loop's part of the flow no longer concerns it then.
func (f *flow) handOver(m *Model) {
	f.record.Model, f.record.Upstream, f.record.Attempts = m.Name, m.Native.Name, 1
	f.handed = true
	body := f.upload.kept.give()
	f.stop()
	f.x.HandOver(m.Native.Handler, body...)
}

// Answered reports the response of a handler other than the relay, for the log,
// when the request has ended.
func (r *Record) Answered(w *weir.Response, since time.Time, cause error) {
	sent := w.Stats()
	r.Status, r.Events, r.Bytes, r.Took = sent.Status, sent.Chunks, sent.Bytes, time.Since(since)
	if !sent.First.IsZero() && (cause == nil || sent.Chunks > 0) { // else it is the body of an error
		r.First = max(1, sent.First.Sub(since))
	}
	r.Left, r.Err = departed(cause), cause
}

// departed reports whether the client ended the request; else it completed,
// failed, or was aborted at the end of a drain.
func departed(cause error) bool {
	return errors.Is(cause, weir.ErrClientGone) || errors.Is(cause, weir.ErrSlowClient)
}
