package tour

import (
	"errors"
	"fmt"
	"time"

	"weir"
)

// slowHead is a stream whose first chunk comes late. Its head is sent with that
// chunk, so the status can be set when it is known.
func slowHead(w *weir.Response, r *weir.Request) {
	q := queryOf(r)
	delay := q.duration("delay", 500*time.Millisecond, 0, maxInterval)
	status := q.number("status", 202, 200, 599)
	if q.refused(w) {
		return
	}
	setHeader(w, "Content-Type", "text/plain; charset=utf-8")
	stream := w.Stream()
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-stream.Done(): // nothing was sent yet, and still a disconnect is noticed
		return
	}
	w.SetStatus(int(status))
	_ = stream.Send([]byte("late\n")) // a 204 has no body, and a client that has disconnected needs none
}

var errFailed = errors.New("tour: failed, as asked")

// fail aborts a stream, with a pause after each chunk. The client gets a 500 if
// nothing was sent, or else a truncated body: never one that looks complete.
func fail(w *weir.Response, r *weir.Request) {
	q := queryOf(r)
	after, panics := q.number("after", 2, 0, 1000), q.flag("panic")
	interval := q.duration("interval", 0, 0, maxInterval)
	if q.refused(w) {
		return
	}
	setHeader(w, "Content-Type", "text/plain; charset=utf-8")
	stream := w.Stream()
	for i := range after {
		if stream.Send(fmt.Appendf(nil, "chunk %d\n", i+1)) != nil || !pause(r.Context(), interval) {
			return
		}
	}
	if panics {
		panic(errFailed)
	}
	stream.Abort(errFailed)
}

// trailers measures itself: the figure is known only when the body was sent.
func trailers(w *weir.Response, _ *weir.Request) {
	begin := time.Now()
	setHeader(w, "Content-Type", "text/plain; charset=utf-8")
	stream := w.Stream()
	_ = stream.SetTrailer("Server-Timing", "total") // announced in the head; errors are Send's, too
	for _, chunk := range []string{"one\n", "two\n"} {
		if stream.Send([]byte(chunk)) != nil {
			return
		}
	}
	took := float64(time.Since(begin)) / float64(time.Millisecond)
	_ = stream.SetTrailer("Server-Timing", fmt.Sprintf("total;dur=%.3f", took))
}
