package weir

import (
	"errors"
	"os"

	"weir/internal/h1"
)

// This file is for protocols of frames, such as WebSocket: what is one piece,
// what is the last one, and what is said when the end comes unexpectedly.

// TrySendParts is [Pipe.TrySend] of head and body as one piece: what others send
// comes before it or behind it. It reports whether there is room for more; when
// it has returned false the next piece will be refused with [ErrBacklog], until
// Room has been closed. No bytes are no piece.
func (p *Pipe) TrySendParts(head, body []byte) (room bool, err error) {
	if p.writes.Over() {
		return false, os.ErrDeadlineExceeded
	}
	l, b, err := p.ex.stream.acquire(false)
	switch {
	case err != nil:
		return false, pipeError(err)
	case p.shut.Load():
		l.unlock()
		return false, ErrPipeClosed
	case len(head)+len(body) == 0:
		l.unlock()
		return true, nil
	}
	return p.put(l, b, head, body), nil
}

// SendLast sends head and body as TrySendParts does, but above the high mark,
// too, and as the last: from then on sending returns [ErrPipeClosed]. What the
// peer sends is still received, until Close.
func (p *Pipe) SendLast(head, body []byte) error {
	l := p.ex.lock()
	if err := l.state(); err != nil {
		l.unlock()
		return pipeError(err)
	}
	p.shut.Store(true)
	p.ex.wire.Wake() // those that wait to send
	p.put(l, p.ex.wire.Buffer(), head, body)
	return nil
}

// put adds a piece, and releases the lock.
func (p *Pipe) put(l locked, b *[]byte, head, body []byte) (room bool) {
	wire, big := p.ex.wire, len(body) >= 4<<10 && !p.turn
	l.countChunk(len(head) + len(body))
	*b = append(*b, head...)
	if big {
		l.flushWith(body, nil)
		wire.Lock()
		room = !wire.Backlogged()
		wire.Unlock()
		return room
	}
	*b = append(*b, body...)
	room = !wire.Backlogged()
	if p.turn {
		l.unlock()
	} else {
		l.flush()
	}
	return room
}

// beginTurn and endTurn are around a call of the BodyReceiver's Data.
func (p *Pipe) beginTurn() {
	p.ex.wire.Lock()
	p.turn = true
	p.ex.wire.Unlock()
}

func (p *Pipe) endTurn() {
	wire := p.ex.wire
	wire.Lock()
	if p.turn = false; wire.Pending() > 0 {
		wire.Defer()
	} else {
		wire.Unlock()
	}
}

// Room returns nil while there is room for more to be sent, and otherwise a
// channel that is closed when there is, or the pipe has ended. Nothing may wait
// for it on a loop: see [LoopExchange.Backlogged].
func (p *Pipe) Room() <-chan struct{} {
	l := p.ex.lock()
	defer l.unlock()
	if p.shut.Load() || p.ex.over() {
		return nil
	}
	return p.ex.wire.Room()
}

// EndWith sets what is sent as the last thing if the pipe ends without SendLast:
// whole by Close or the return of its handler, failed by Abort or a panic. The
// peer of a pipe that failed then sees that from failed, and its connection is
// closed gracefully instead of reset. Nil sends nothing. Neither may be changed
// afterwards.
func (p *Pipe) EndWith(whole, failed []byte) {
	l := p.ex.lock()
	p.whole, p.failed = whole, failed
	l.unlock()
}

// lastWords appends what EndWith has set for an end of that stage.
func (p *Pipe) lastWords(s h1.Stage, cause error) {
	words := p.whole
	if s != h1.Whole {
		words = p.failed
	}
	if words == nil || p.shut.Load() || p.ex.wire.Err() != nil || isDisconnect(cause) || errors.Is(cause, ErrServerClosed) {
		return
	}
	b := p.ex.wire.Buffer()
	*b = append(*b, words...)
	p.shown = s != h1.Whole
}
