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
	// either is called again at its pace. Any other error, also one that wraps
	// io.EOF, fails the response.
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

// An outlet is what a pump feeds: an exchange, or a follower in the place of
// one. Its methods are the turn's, but for turn.
type outlet interface {
	turn() turn
	// home is the loop's part of the server; nil where that is net/http's.
	home() *shard
	// pullFrom and closeFor call the source within the one call that rescues it.
	pullFrom(p *pump) (again bool)
	closeFor(p *pump, cause error)
	// scratch is memory for a chunk, used within one call.
	scratch() []byte
	// halted reports whether nothing may be added now. When the client is behind,
	// its Drained starts the pump again.
	halted() bool
	// sendLater adds a chunk to what is written at the end of the turn. An error
	// is why the source is to be closed; shut reports that nothing was added
	// because the stream has ended, which closes the source elsewhere.
	sendLater(chunk []byte) (shut bool, err error)
	// complete ends the stream of a source that has no more.
	complete()
	// fail ends the stream of a source that has failed.
	fail(err error)
}

// pump pulls one source, on the loop.
type pump struct {
	to     outlet
	src    Source
	pace   *pace // nil = none
	posted atomic.Bool
	closed atomic.Bool // written on the loop
	cause  error       // why the stream has ended; for closeTask

	sourceClosed invariant.Once // not last, where it would take a word
	member       member         // of a Group
}

// pace is the time between the chunks of a paced source.
type pace struct {
	timer reactor.Timer
	min   time.Duration
	next  time.Time
}

func newPump(to outlet, src Source) *pump {
	p := &pump{to: to, src: src}
	if q, ok := src.(*paced); ok && q.min > 0 {
		p.src, p.pace = q.Source, &pace{min: q.min}
		p.pace.timer.Init((*paceTask)(p))
	} else if ok {
		p.src = q.Source
	}
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
		p.to.turn().Post(p)
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
	if p.to.pullFrom(p) {
		p.post()
	}
}

// pull is run within the one call that rescues the source. It reports whether
// the source has used up its share.
func (p *pump) pull() (again bool) {
	for share := pumpShare; share > 0; {
		if p.closed.Load() || p.to.halted() || p.early() {
			return false
		}
		scratch := p.to.scratch()
		chunk, err := p.src.Next(scratch)
		if p.closed.Load() || len(chunk) > 0 && !p.send(chunk) {
			return false
		}
		invariant.Poison(scratch[:cap(scratch)])
		switch {
		case err == ErrNotReady: // as a rule
			return false
		case err == nil && len(chunk) == 0 && p.pace == nil: // nor a pace at which to ask again
			return false
		case err == nil:
		case errors.Is(err, ErrNotReady):
			return false
		case err == io.EOF: // not one that is wrapped, which is no end but a failure
			p.close(nil)
			p.to.complete()
			return false
		default:
			p.fail(err)
			return false
		}
		share -= len(chunk) + 64
	}
	return true
}

// early reports whether the pace forbids a chunk now, and comes back in time.
func (p *pump) early() bool {
	if p.pace == nil {
		return false
	}
	loop := p.to.turn()
	if now := loop.Now(); !now.Before(p.pace.next) {
		p.pace.next = now.Add(p.pace.min)
		return false
	}
	loop.StartTimer(&p.pace.timer, p.pace.next)
	return true
}

// send sends a chunk, and reports whether that was possible.
func (p *pump) send(chunk []byte) bool {
	shut, err := p.to.sendLater(chunk)
	if err != nil {
		p.close(err)
	}
	return !shut && err == nil
}

// fail ends the stream of a source that has failed.
func (p *pump) fail(err error) {
	p.close(err)
	p.to.fail(err)
}

// close closes the source, once. On the loop.
func (p *pump) close(cause error) {
	if p.closed.Swap(true) {
		return
	}
	if p.pace != nil {
		p.to.turn().StopTimer(&p.pace.timer)
	}
	p.member.leave(p)
	p.closeSource(cause)
}

func (p *pump) closeSource(cause error) {
	p.sourceClosed.Do("a Source is closed twice")
	p.member.countOut()
	p.to.closeFor(p, cause)
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
		p.to.turn().Later((*closeTask)(p))
	} else {
		p.to.turn().Post((*closeTask)(p))
	}
}

// start begins to pump for an exchange when its handler has returned. On the
// loop.
func (p *pump) start(ex *exchange) {
	if p.closed.Load() {
		return // its client did not wait for the handler's return
	}
	l := ex.lock()
	empty := l.state() == nil && ex.bodyless()
	l.unlock()
	if empty {
		p.close(ErrNoBody)
		_ = ex.stream.Commit() // ErrNoBody is what is meant
		return
	}
	if f := ex.lighten(p); f != nil {
		p = &f.pump
	}
	p.member.join(p)
	p.run()
}

// The outlet of an exchange.

func (ex *exchange) pullFrom(p *pump) (again bool) {
	ex.call("source", func() { again = p.pull() }, p.fail)
	return again
}

func (ex *exchange) closeFor(p *pump, cause error) {
	ex.call("source's Close", func() { p.src.Close(cause) }, nil)
}

func (ex *exchange) scratch() []byte { return ex.carrier.scratch() }
func (ex *exchange) home() *shard    { return ex.shard }

func (ex *exchange) halted() bool {
	l := ex.lock()
	defer l.unlock()
	return l.state() != nil || ex.wire.Backlogged()
}

func (ex *exchange) sendLater(chunk []byte) (shut bool, err error) {
	l := ex.lock()
	if l.state() != nil {
		l.unlock()
		return true, nil
	}
	if err := l.ready(len(chunk)); err != nil {
		return true, err
	}
	l.append(chunk)
	l.later()
	return false, nil
}

func (ex *exchange) complete() {
	l := ex.lock()
	if l.state() != nil {
		l.unlock()
		return
	}
	l.finishStream()
}

// Tasks for the loop, as in tasks.go.
type (
	startTask exchange
	closeTask pump
	paceTask  pump // the end of the pause between two chunks
)

func (t *startTask) Run() {
	ex := (*exchange)(t)
	l := ex.lock()
	p := ex.stream.pump
	l.unlock()
	if p != nil {
		p.start(ex)
	}
}

func (t *paceTask) Run()  { (*pump)(t).run() }
func (t *closeTask) Run() { (*pump)(t).close(t.cause) }

// Dropped is the reactor's: the loop has stopped, and nothing runs there any
// more.
func (t *closeTask) Dropped() {
	if !t.closed.Swap(true) {
		t.member.forget((*pump)(t))
		go (*pump)(t).closeSource(t.cause)
	}
}

var _ outlet = (*exchange)(nil)
