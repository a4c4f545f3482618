package weir

import (
	"time"

	"weir/reactor"
	"weir/sse"
)

// Heartbeat sends a comment whenever the stream was silent that long and
// nothing waits to be sent. It is for event streams: the head gets their fields
// unless the handler has set them. Status and fields are fixed from then on, as
// by [Stream.Commit], but sent with the first comment, if no chunk comes
// before. Zero is the default, 30 s; negative turns it off. A body that has a
// Content-Encoding gets none: it could not be decoded around a comment.
func (s *Stream) Heartbeat(every time.Duration) {
	if every == 0 {
		every = defaultHeartbeat
	}
	ex := s.ex
	if every > 0 {
		l := ex.lock()
		switch {
		case l.state() != nil:
		case ex.res.header.Has("Content-Encoding"):
			every = -1
		default:
			s.promiseEvents()
			l.freeze()
		}
		l.unlock()
	}
	ex.turn().Post(&heartbeatTask{s, every})
}

type heartbeatTask struct {
	s     *Stream
	every time.Duration
}

func (t *heartbeatTask) Run() {
	s := t.s
	loop := s.ex.turn()
	l := s.ex.lock()
	b := s.beat
	if b == nil {
		b = &heartbeat{s: s}
		b.timer.Init(b)
		s.beat = b
	}
	now := loop.Now()
	b.every, b.last = t.every, now
	over := l.state() != nil
	l.unlock()
	if loop.StopTimer(&b.timer); t.every > 0 && !over {
		loop.StartTimer(&b.timer, now.Add(t.every))
	}
}

// heartbeat is a stream's timer of silence.
type heartbeat struct {
	s     *Stream
	timer reactor.Timer
	every time.Duration
	last  time.Time // of the last chunk; guarded by the output's lock
}

// stopBeat gives the timer's hold of an ended stream up. On the loop.
func (ex *exchange) stopBeat() {
	if b := ex.stream.beat; b != nil {
		ex.turn().StopTimer(&b.timer)
	}
}

// Run is what the timer runs.
func (b *heartbeat) Run() {
	ex, loop := b.s.ex, b.s.ex.turn()
	now := loop.Now()
	l := ex.lock()
	due := b.last.Add(b.every)
	switch {
	case l.state() != nil:
		l.unlock()
		return
	case now.Before(due):
		l.unlock()
	default:
		due = now.Add(b.every)
		b.last = now
		if ex.wire.Pending() > 0 {
			l.unlock()
			break
		}
		if l.ready(0) != nil {
			return
		}
		l.append(heartbeatComment)
		l.later()
	}
	loop.StartTimer(&b.timer, due)
}

var heartbeatComment = sse.AppendComment(nil, "")
