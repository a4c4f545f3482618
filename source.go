package weir

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync/atomic"
	"time"

	"weir/internal/wheel"
)

const (
	pumpShare   = 64 << 10 // bytes that one source may pump in a turn of the loop
	scratchSize = 16 << 10
)

// Source is pulled by the event loop. Its methods run there and must not
// block.
type Source interface {
	// Next appends one chunk to dst, which is empty and valid until Next
	// returns, and returns it. A chunk may come together with io.EOF, which ends
	// the stream. ErrNotReady, without a chunk, parks the source until
	// Stream.Wake. Any other error fails the answer.
	Next(dst []byte) ([]byte, error)
	// Close is called exactly once: with nil after io.EOF, else with why the
	// stream ended. Next is not called any more.
	Close(cause error)
}

// NextChunk makes a Source of a step over a state. step appends one chunk to
// dst and reports whether it was the last. When the stream ends otherwise, it
// is called once more with cancelled = true, to free what it holds; what it
// then returns is ignored.
func NextChunk[S any](state S, step func(state *S, dst []byte, cancelled bool) (chunk []byte, done bool)) Source {
	return &nextChunk[S]{state, step}
}

type nextChunk[S any] struct {
	state S
	step  func(*S, []byte, bool) ([]byte, bool)
}

func (n *nextChunk[S]) Next(dst []byte) ([]byte, error) {
	chunk, done := n.step(&n.state, dst, false)
	if done {
		return chunk, io.EOF
	}
	return chunk, nil
}

func (n *nextChunk[S]) Close(cause error) {
	if cause != nil {
		n.step(&n.state, nil, true)
	}
}

// Paced pumps src at least min apart, the first chunk at once.
func Paced(src Source, min time.Duration) Source { return &paced{src, min} }

type paced struct {
	Source
	min time.Duration
}

// pump pulls one source, on the loop.
type pump struct {
	s      *Stream
	src    Source
	timer  wheel.Timer
	min    time.Duration
	next   time.Time
	posted atomic.Bool
	closed atomic.Bool // written on the loop
}

func newPump(s *Stream, src Source) *pump {
	p := &pump{s: s, src: src}
	if q, ok := src.(*paced); ok {
		p.src, p.min = q.Source, q.min
	}
	p.timer.Owner = p
	return p
}

// Wake has a source that answered ErrNotReady asked again. Any goroutine; a
// Wake that comes while Next is running is not lost.
func (s *Stream) Wake() {
	if p := s.pump; p != nil {
		p.post()
	}
}

func (p *pump) post() {
	if !p.posted.Swap(true) {
		p.s.ex.conn.loop().Post(p)
	}
}

// Run is the pump as a task of the loop.
func (p *pump) Run() {
	p.posted.Store(false)
	p.run()
}

// Timeout is the end of a pause between two paced chunks.
func (p *pump) Timeout(*wheel.Timer) { p.run() }

// run pumps until the source has no more, the client is behind, or the
// source's share of the turn is used up.
func (p *pump) run() {
	defer p.rescue()
	for share := pumpShare; share > 0; {
		if p.closed.Load() || p.held() || p.early() {
			return
		}
		chunk, err := p.src.Next(p.s.ex.conn.shard.scratch[:0])
		if p.closed.Load() {
			return
		}
		if len(chunk) > 0 && !p.send(chunk) {
			return
		}
		share -= len(chunk) + 64
		switch {
		case err == nil:
		case errors.Is(err, ErrNotReady):
			return
		case errors.Is(err, io.EOF):
			p.finish()
			return
		default:
			p.close(err)
			p.s.ex.fail(err)
			return
		}
	}
	p.post()
}

// held reports whether nothing may be added now. When the client is behind,
// Drained starts the pump again.
func (p *pump) held() bool {
	rc := p.s.ex.rc
	rc.Lock()
	defer rc.Unlock()
	return p.s.state() != nil || rc.Backlogged()
}

// early reports whether the pace forbids a chunk now, and comes back in time.
func (p *pump) early() bool {
	if p.min == 0 {
		return false
	}
	loop := p.s.ex.conn.loop()
	if now := loop.Now(); !now.Before(p.next) {
		p.next = now.Add(p.min)
		return false
	}
	loop.StartTimer(&p.timer, p.next)
	return true
}

// send adds a chunk to what leaves at the end of the turn.
func (p *pump) send(chunk []byte) bool {
	s, rc := p.s, p.s.ex.rc
	rc.Lock()
	if s.state() != nil {
		rc.Unlock()
		return false
	}
	if err := s.ready(len(chunk)); err != nil {
		p.close(err)
		return false
	}
	b := rc.Buffer()
	b.B = s.frame(b.B, chunk)
	rc.Defer()
	return true
}

func (p *pump) finish() {
	p.close(nil)
	rc := p.s.ex.rc
	rc.Lock()
	if p.s.state() != nil {
		rc.Unlock()
		return
	}
	p.s.ex.finishStream()
}

// close closes the source, once.
func (p *pump) close(cause error) {
	if p.closed.Swap(true) {
		return
	}
	p.s.ex.conn.loop().StopTimer(&p.timer)
	p.src.Close(cause)
}

// endWith has the source of an answer that has ended otherwise closed. Any
// goroutine.
func (p *pump) endWith(cause error) {
	if p.closed.Load() {
		return
	}
	if cause == nil {
		cause = ErrStreamEnded
	}
	p.s.ex.conn.loop().Post(&closeTask{p, cause})
}

// rescue is deferred around what runs the source.
func (p *pump) rescue() {
	v := recover()
	if v == nil {
		return
	}
	err := &PanicError{Value: v, Stack: debug.Stack()}
	p.s.ex.srv.logPanic("source", p.s.ex.req.Pattern(), err)
	p.closeQuietly(err)
	p.s.ex.fail(err)
}

// closeQuietly is close of a source that has panicked, or may.
func (p *pump) closeQuietly(cause error) {
	defer func() {
		if v := recover(); v != nil {
			p.s.ex.srv.log().Error("weir: closing a source panicked", "err", fmt.Sprint(v))
		}
	}()
	p.close(cause)
}

// start begins to pump when the handler has returned. On the loop.
func (p *pump) start() {
	ex := p.s.ex
	if ex.bodyless() {
		p.closeQuietly(ErrNoBody)
		_ = p.s.Commit() // ErrNoBody is what is meant
		return
	}
	p.run()
}

type (
	startTask pump
	closeTask struct {
		p     *pump
		cause error
	}
)

func (t *startTask) Run() { (*pump)(t).start() }
func (t *closeTask) Run() { t.p.closeQuietly(t.cause) }
