package weir

import (
	"iter"
	"time"

	"weir/sse"
)

// EventOptions are options of [Events].
type EventOptions struct {
	// Heartbeat is the silence after which a comment is sent: 30 s by default;
	// negative = never.
	Heartbeat time.Duration
}

// defaultHeartbeat is after how much silence of an event stream a comment is
// sent.
const defaultHeartbeat = 30 * time.Second

// Events makes a handler of a generator of server-sent events. gen runs on the
// request's goroutine. When the client disconnects yield returns false, so that
// gen's deferred calls free what it holds; a generator that blocks should also
// watch r.Context().
func Events(gen func(r *Request) iter.Seq2[*sse.Event, error], opts ...EventOptions) Handler {
	h := &eventHandler{gen: gen, heartbeat: defaultHeartbeat}
	if gen == nil {
		panic("weir: nil generator for Events")
	}
	for _, opt := range opts {
		if opt.Heartbeat != 0 {
			h.heartbeat = opt.Heartbeat
		}
	}
	return h
}

type eventHandler struct {
	gen       func(r *Request) iter.Seq2[*sse.Event, error]
	heartbeat time.Duration
}

func (h *eventHandler) Serve(w *Response, r *Request) {
	if h.heartbeat > 0 && !w.ex.onLoop && !w.bodyless(r) {
		w.EventStream().Heartbeat(h.heartbeat)
	}
	_ = w.StreamEvents(h.gen(r)) // reported already
}
