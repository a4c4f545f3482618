package tour

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"iter"
	"strconv"
	"time"

	"weir"
	"weir/middleware/compress"
	"weir/sse"
)

const (
	maxCount    = 1_000_000_000
	maxInterval = time.Hour
)

// numbers is a pump: the event loop pulls the next line whenever the client
// has room for it. Between two pulls the stream is an int and a function.
func numbers(w *weir.Response, r *weir.Request) {
	q := queryOf(r)
	n := q.number("n", 10, 0, 1e18)
	if q.refused(w) {
		return
	}
	setHeader(w, "Content-Type", "text/plain; charset=utf-8")
	w.StreamFrom(weir.NextChunk(int64(0), func(last *int64, dst []byte, cancelled bool) ([]byte, error) {
		if cancelled || *last == n {
			return dst, io.EOF
		}
		*last++
		return append(strconv.AppendInt(dst, *last, 10), '\n'), nil
	}))
}

// ticks is a generator of server-sent events, numbered from 1 to n, that
// continues where a reconnecting EventSource stopped. When it has them all it
// gets 204, which makes it stop reconnecting. With cut, each stream fails after
// that many events, unless it is complete by then.
func ticks(w *weir.Response, r *weir.Request) {
	q := queryOf(r)
	n := q.number("n", 5, 0, maxCount)
	interval := q.duration("interval", 10*time.Millisecond, 0, maxInterval)
	cut := q.number("cut", 0, 0, maxCount)
	retry := q.duration("retry", 0, time.Millisecond, maxInterval)
	if q.refused(w) {
		return
	}
	last := lastSeen(r)
	if last >= n {
		w.SetStatus(204)
		return
	}
	weir.Events(func(r *weir.Request) iter.Seq2[*sse.Event, error] {
		return func(yield func(*sse.Event, error) bool) {
			for i := last + 1; i <= n; i++ {
				id := strconv.FormatInt(i, 10)
				event := &sse.Event{ID: id, Data: []byte("tick " + id)}
				if i == last+1 {
					event.Retry = retry
				}
				switch {
				case !yield(event, nil):
					return
				case i < n && i-last == cut:
					yield(nil, errFailed)
					return
				case i < n && !pause(r.Context(), interval):
					return
				}
			}
		}
	}).Serve(w, r)
}

// lastSeen is the number of the last event that the client has, 0 if it has
// none, or one that is not ours.
func lastSeen(r *weir.Request) int64 {
	n, err := strconv.ParseInt(r.LastEventID(), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// clock is a generator without an end; where it is silent for longer than
// heartbeat, a comment keeps the connection from looking dead.
func clock(w *weir.Response, r *weir.Request) {
	q := queryOf(r)
	interval := q.duration("interval", time.Second, time.Millisecond, maxInterval)
	heartbeat := q.duration("heartbeat", 5*time.Second, 0, maxInterval)
	if q.refused(w) {
		return
	}
	if heartbeat == 0 {
		heartbeat = -1 // none
	}
	weir.Events(func(r *weir.Request) iter.Seq2[*sse.Event, error] {
		return func(yield func(*sse.Event, error) bool) {
			for now := time.Now(); ; now = time.Now() {
				if !yield(sse.Data(now.Format(time.RFC3339Nano)), nil) || !pause(r.Context(), interval) {
					return
				}
			}
		}
	}, weir.EventOptions{Heartbeat: heartbeat}).Serve(w, r)
}

// pause waits; it reports whether the client is still connected.
func pause(ctx context.Context, d time.Duration) bool {
	if d == 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// burst pushes. Send waits while the client is behind by more than the high
// mark, and fails when it has disconnected.
func burst(w *weir.Response, r *weir.Request) {
	q := queryOf(r)
	n := q.number("n", 1000, 0, maxCount)
	size := q.number("size", 64, 1, 1<<20)
	if q.refused(w) {
		return
	}
	setHeader(w, "Content-Type", "text/plain; charset=utf-8")
	chunk := bytes.Repeat([]byte("b"), int(size))
	stream := w.Stream()
	for range n {
		if stream.Send(chunk) != nil {
			return
		}
	}
}

// ndjson is a generator of chunks, each a line of JSON.
func ndjson(w *weir.Response, r *weir.Request) {
	q := queryOf(r)
	n := q.number("n", 10, 0, maxCount)
	coded := q.flag("coded")
	if q.refused(w) {
		return
	}
	setHeader(w, "Content-Type", "application/x-ndjson")
	type object struct {
		N    int64  `json:"n"`
		Text string `json:"text"`
	}
	lines := func(yield func([]byte, error) bool) {
		for i := range n {
			line, err := json.Marshal(object{i + 1, "a line\nwithin a string"})
			if !yield(append(line, '\n'), err) {
				return
			}
		}
	}
	if coded {
		_ = compress.Seq(w, r, lines)
	} else {
		_ = w.StreamSeq(lines)
	} // the client has got the error
}
