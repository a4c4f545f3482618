package tour

import (
	"bytes"
	"errors"
	"strconv"
	"time"

	"weir/plugin"
)

const tokensName = "tour/tokens"

func init() {
	plugin.Register(tokensName, plugin.Handler{
		Stream: tokens,
		Limit:  100_000,
		Doc:    "server-sent events of a given size at a fixed pace, as a language model would send them",
	})
}

// tokens is a native stream handler: it uses nothing of the server but the
// types of package plugin.
func tokens(c plugin.Call, s plugin.Sink) error {
	q := &query{get: c.Query}
	n := q.number("n", 64, 0, maxCount)
	interval := q.duration("interval", 20*time.Millisecond, 0, maxInterval)
	f := frame{size: int(q.number("size", 8, 1, 64<<10)), stamped: q.flag("stamp")}
	if q.err != nil {
		s.SetStatus(400)
		return errors.Join(s.SetHeader("Content-Type", "text/plain; charset=utf-8"), s.Send([]byte(q.err.Error()+"\n")))
	}
	if err := eventStream(s); err != nil {
		return err
	}
	beat, stop := every(interval)
	defer stop()
	for range n {
		if err := s.Send(f.next()); err != nil {
			return err
		}
		select {
		case <-beat:
		case <-s.Done(): // the client has disconnected while there was nothing to send
			return s.Cause()
		}
	}
	return s.Send([]byte("data: [DONE]\n\n"))
}

// eventStream sets the head of an event stream.
func eventStream(s plugin.Sink) error {
	return errors.Join(
		s.SetHeader("Content-Type", "text/event-stream"),
		s.SetHeader("Cache-Control", "no-cache"),
		s.SetHeader("X-Accel-Buffering", "no"))
}

// every is a ticker; for an interval of 0 one that never waits.
func every(interval time.Duration) (beat <-chan time.Time, stop func()) {
	if interval == 0 {
		always := make(chan time.Time)
		close(always)
		return always, func() {}
	}
	t := time.NewTicker(interval)
	return t.C, t.Stop
}

// frame is an event whose data has a given size.
type frame struct {
	size    int
	stamped bool
	buf     []byte
}

// next returns the event to send now, valid until the next call. Stamped, its
// data begins with t=, the time in nanoseconds: a client on the same machine
// sees how long the event took to reach it.
func (f *frame) next() []byte {
	const before, after = "data: ", "\n\n"
	if len(f.buf) == 0 {
		f.buf = append(append([]byte(before), bytes.Repeat([]byte("x"), f.size)...), after...)
	}
	if !f.stamped {
		return f.buf
	}
	stamped := append(f.buf[:len(before)], "t="...)
	stamped = strconv.AppendInt(stamped, time.Now().UnixNano(), 10)
	for len(stamped) < len(before)+f.size {
		stamped = append(stamped, 'x')
	}
	f.buf = append(stamped, after...)
	return f.buf
}
