package tour

import (
	"errors"
	"fmt"
	"time"

	"weir"
)

// slowHead is a stream whose first chunk is long in coming. Its head leaves
// with that chunk, so the status can be set when it is known.
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
	case <-stream.Done(): // nothing was sent yet, and still the client's departure is seen
		return
	}
	w.SetStatus(int(status))
	_ = stream.Send([]byte("late\n")) // a 204 has no body, and a client that has left needs none
}

var errFailed = errors.New("tour: failed, as asked")

// fail breaks off a stream. The client gets a 500 if nothing was sent, and
// else a body that does not end as it should: never one that looks whole.
func fail(w *weir.Response, r *weir.Request) {
	q := queryOf(r)
	after, panics := q.number("after", 2, 0, 1000), q.flag("panic")
	if q.refused(w) {
		return
	}
	setHeader(w, "Content-Type", "text/plain; charset=utf-8")
	stream := w.Stream()
	for i := range after {
		if stream.Send(fmt.Appendf(nil, "chunk %d\n", i+1)) != nil {
			return
		}
	}
	if panics {
		panic(errFailed)
	}
	stream.Abort(errFailed)
}

// trailers measures itself: the figure is known only when the body is out.
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
