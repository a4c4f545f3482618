package weir

import (
	"time"

	"weir/reactor"
	"weir/sse"
)

// Heartbeat sends a comment whenever the stream was silent that long and nothing
// waits to be sent. It is for event streams: the head gets their fields where
// the handler has not set them. Status and fields are fixed from then on, as by
// Commit, but sent with the first comment, if no chunk comes before. Zero is the
// default, 30 s; negative turns it off.
func (s *Stream) Heartbeat(every time.Duration) {
	if every == 0 {
		every = defaultHeartbeat
	}
	ex := s.ex
	if every > 0 {
		ex.rc.Lock()
		if s.state() == nil {
			s.promiseEvents()
			ex.freeze()
		}
		ex.rc.Unlock()
	}
	ex.conn.loop().Post(&heartbeatTask{s, every})
}

type heartbeatTask struct {
	s     *Stream
	every time.Duration
}

func (t *heartbeatTask) Run() {
	s := t.s
	loop := s.ex.conn.loop()
	s.ex.rc.Lock()
	b := s.beat
	if b == nil {
		b = &heartbeat{s: s}
		b.timer.Init(b)
		s.beat = b
	}
	now := loop.Now()
	b.every, b.last = t.every, now
	over := s.state() != nil
	s.ex.rc.Unlock()
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
		ex.conn.loop().StopTimer(&b.timer)
	}
}

// Run is what the timer runs.
func (b *heartbeat) Run() {
	s, rc, loop := b.s, b.s.ex.rc, b.s.ex.conn.loop()
	now := loop.Now()
	rc.Lock()
	due := b.last.Add(b.every)
	switch {
	case s.state() != nil:
		rc.Unlock()
		return
	case now.Before(due):
		rc.Unlock()
	default:
		due = now.Add(b.every)
		b.last = now
		if rc.Pending() > 0 {
			rc.Unlock()
			break
		}
		if s.ready(0) != nil {
			return
		}
		buf := rc.Buffer()
		*buf = s.frame(*buf, heartbeatComment)
		s.ex.flushLater()
	}
	loop.StartTimer(&b.timer, due)
}

var heartbeatComment = sse.AppendComment(nil, "")
