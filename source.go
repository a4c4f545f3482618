package weir

import (
	"errors"
	"io"
	"sync/atomic"
	"time"

	"weir/internal/invariant"
	"weir/reactor"
)

const (
	pumpShare   = 64 << 10 // bytes that one source may pump in a turn of the loop
	scratchSize = 16 << 10
)

// A Source produces a stream on the event loop. Its methods are called there,
// by the loop itself and never from within a call of the [Stream]'s methods,
// and must not block.
type Source interface {
	// Next appends one chunk to dst, which is empty and valid until Next
	// returns, and returns it. A chunk may come together with [io.EOF], which
	// ends the stream, or with [ErrNotReady]. That, or no chunk and no error,
	// parks the source until [Stream.Wake] or [Group.Wake]; a paced one without
	// either is called again at its pace. Any other error fails the response.
	Next(dst []byte) ([]byte, error)
	// Close is called exactly once: with nil after io.EOF, else with why the
	// stream ended, or did not begin. Next is not called after it.
	Close(cause error)
}

// NextChunk makes a [Source] of a step over a state. step appends one chunk to
// dst and returns it with the errors of Source.Next: nil while there is more,
// io.EOF with or after the last chunk, ErrNotReady if there is no chunk until
// Stream.Wake, any other to fail the response. If the stream ends before
// io.EOF, step is called once more with cancelled = true, to free what it
// holds; what it then returns is ignored.
func NextChunk[S any](state S, step func(state *S, dst []byte, cancelled bool) (chunk []byte, err error)) Source {
	return &nextChunk[S]{state, step}
}

type nextChunk[S any] struct {
	state S
	step  func(*S, []byte, bool) ([]byte, error)
}

func (n *nextChunk[S]) Next(dst []byte) ([]byte, error) { return n.step(&n.state, dst, false) }

func (n *nextChunk[S]) Close(cause error) {
	if cause != nil {
		_, _ = n.step(&n.state, nil, true)
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
	ex     *exchange
	src    Source
	timer  reactor.Timer
	min    time.Duration
	next   time.Time
	posted atomic.Bool
	closed atomic.Bool // written on the loop
	member member      // of a Group

	sourceClosed invariant.Once
	cause        error // for closeTask
}

func newPump(ex *exchange, src Source) *pump {
	p := &pump{ex: ex, src: src}
	if q, ok := src.(*paced); ok {
		p.src, p.min = q.Source, q.min
	}
	p.timer.Init((*paceTask)(p))
	return p
}

// Wake makes the loop call Next again on the [Source] of a pumped stream that
// returned [ErrNotReady]; others ignore it. A Wake that comes while Next is
// running is not lost.
func (s *Stream) Wake() {
	if p := s.pump; p != nil {
		p.post()
	}
}

func (p *pump) post() {
	if !p.posted.Swap(true) {
		p.ex.turn().Post(p)
	}
}

// Run is the pump as a task of the loop.
func (p *pump) Run() {
	p.posted.Store(false)
	p.run()
}

// run pumps until the source has no more, the client is behind, or the
// source's share of the turn is used up.
func (p *pump) run() {
	again := false
	p.ex.call("source", func() { again = p.pull() }, p.fail)
	if again {
		p.post()
	}
}

// pull is run within the one call that rescues the source. It reports whether
// the source has used up its share.
func (p *pump) pull() (again bool) {
	for share := pumpShare; share > 0; {
		if p.closed.Load() || p.held() || p.early() {
			return false
		}
		scratch := p.ex.carrier.scratch()
		chunk, err := p.src.Next(scratch)
		if p.closed.Load() || len(chunk) > 0 && !p.send(chunk) {
			return false
		}
		invariant.Poison(scratch[:cap(scratch)])
		switch {
		case err == nil && len(chunk) == 0 && p.min == 0: // nor a pace at which to ask again
			return false
		case err == nil:
		case errors.Is(err, ErrNotReady):
			return false
		case errors.Is(err, io.EOF):
			p.finish()
			return false
		default:
			p.fail(err)
			return false
		}
		share -= len(chunk) + 64
	}
	return true
}

// held reports whether nothing may be added now. When the client is behind,
// Drained starts the pump again.
func (p *pump) held() bool {
	l := p.ex.lock()
	defer l.unlock()
	return l.state() != nil || p.ex.wire.Backlogged()
}

// early reports whether the pace forbids a chunk now, and comes back in time.
func (p *pump) early() bool {
	if p.min == 0 {
		return false
	}
	loop := p.ex.turn()
	if now := loop.Now(); !now.Before(p.next) {
		p.next = now.Add(p.min)
		return false
	}
	loop.StartTimer(&p.timer, p.next)
	return true
}

// send adds a chunk to what is written at the end of the turn.
func (p *pump) send(chunk []byte) bool {
	l := p.ex.lock()
	if l.state() != nil {
		l.unlock()
		return false
	}
	if err := l.ready(len(chunk)); err != nil {
		p.close(err)
		return false
	}
	l.append(chunk)
	l.later()
	return true
}

// finish ends the stream of a source that has no more.
func (p *pump) finish() {
	p.close(nil)
	l := p.ex.lock()
	if l.state() != nil {
		l.unlock()
		return
	}
	l.finishStream()
}

// fail ends the stream of a source that has failed.
func (p *pump) fail(err error) {
	p.close(err)
	p.ex.fail(err)
}

// close closes the source, once. On the loop.
func (p *pump) close(cause error) {
	if p.closed.Swap(true) {
		return
	}
	p.ex.turn().StopTimer(&p.timer)
	p.member.leave(p)
	p.closeSource(cause)
}

func (p *pump) closeSource(cause error) {
	p.sourceClosed.Do("a Source is closed twice")
	p.member.countOut()
	p.ex.call("source's Close", func() { p.src.Close(cause) }, nil)
}

// endWith has the loop close the source of a response that has ended otherwise,
// or did not begin. It is called once.
func (p *pump) endWith(cause error, onLoop bool) {
	if p.closed.Load() {
		return
	}
	if cause == nil {
		cause = ErrStreamEnded
	}
	p.cause = cause
	if onLoop {
		p.ex.turn().Later((*closeTask)(p))
	} else {
		p.ex.turn().Post((*closeTask)(p))
	}
}

// start begins to pump when the handler has returned. On the loop.
func (p *pump) start() {
	if p.closed.Load() {
		return // its client did not wait for the handler's return
	}
	ex := p.ex
	l := ex.lock()
	empty := l.state() == nil && ex.bodyless()
	l.unlock()
	if empty {
		p.close(ErrNoBody)
		_ = ex.stream.Commit() // ErrNoBody is what is meant
		return
	}
	p.member.join(p)
	p.run()
}

// Tasks for the loop, as in tasks.go.
type (
	startTask pump
	closeTask pump
	paceTask  pump // the end of the pause between two chunks
)

func (t *startTask) Run() { (*pump)(t).start() }
func (t *paceTask) Run()  { (*pump)(t).run() }
func (t *closeTask) Run() { (*pump)(t).close(t.cause) }

// Dropped is the reactor's: the loop has stopped, and nothing runs there any
// more.
func (t *closeTask) Dropped() {
	if !t.closed.Swap(true) {
		t.member.forget()
		go (*pump)(t).closeSource(t.cause)
	}
}
