package weir

import (
	"context"

	"weir/internal/h1"
	"weir/reactor"
)

// end closes the response for good: no byte may be added any more.
func (l locked) end(cause error) { l.endAs(h1.Whole, cause) }

// breakOff is end for a response whose last byte will not be sent.
func (l locked) breakOff(cause error) {
	if l.ex.begun() {
		l.endAs(h1.Broken, cause)
	} else {
		l.endAs(h1.Lost, cause)
	}
}

func (l locked) endAs(s h1.Stage, cause error) {
	ex := l.ex
	if ex.over() {
		return
	}
	ex.Ended = ex.now()
	if ex.cause == nil {
		ex.cause = cause
	}
	if ex.pipe != nil {
		ex.pipe.lastWords(s, ex.cause)
	}
	ex.Become(s) // a reader without the lock also sees what is set above
	l.leaveStream(cause)
	if ex.pipe != nil {
		ex.pipe.closed(s, ex.cause)
	}
	if ex.slot != nil {
		ex.slot.Add(-1)
		ex.slot = nil
	}
	l.forgetKept()
	if ex.stream.id != 0 {
		ex.wire.Wake() // what is pending may take its time, a producer that waits learns of the end now
	}
	if ex.stream.pump != nil {
		ex.noted |= notePump
	}
	l.tell()
	l.traceEnd()
}

// tell notes that the end is to be reported to Done, Context and OnClose, once.
// It reports whether none was noted before.
func (l locked) tell() (first bool) {
	ex := l.ex
	if ex.told {
		return false
	}
	ex.told = true
	if ex.done != nil || ex.cancel != nil || ex.hooks != nil || ex.loop.receiver != nil {
		ex.noted |= noteEnd
	}
	return true
}

// news is what the notes stand for, to be announced without the lock.
type news struct {
	ex     *exchange
	what   notes
	onLoop bool // the caller is the loop, and knows it
	cause  error
	done   chan struct{}
	cancel context.CancelCauseFunc
	hooks  []func(error) // each for a goroutine of its own
	post   bool          // there are hooks for the loop, or a BodyReceiver
	pump   *pump
}

// takeNews makes the notes news.
func (l locked) takeNews(onLoop bool) news {
	ex := l.ex
	n := news{ex: ex, what: ex.noted, onLoop: onLoop, cause: ex.cause, pump: ex.stream.pump}
	ex.noted = 0
	if n.what&noteTrace != 0 {
		ex.trace.busy = true
	}
	if n.what&noteEnd == 0 {
		return n
	}
	n.done, n.cancel, n.post = ex.done, ex.cancel, ex.loop.receiver != nil
	switch {
	case ex.hooks == nil:
	case ex.req.route.inline():
		n.post = true
	default:
		n.hooks, ex.hooks = ex.hooks, nil
	}
	return n
}

// announce reports the news. No lock is held.
func (n *news) announce() {
	if n.what&noteEnd != 0 {
		n.announceEnd()
	}
	if n.what&notePump != 0 {
		n.pump.endWith(n.cause, n.onLoop)
	}
	if n.what&noteTrace != 0 {
		n.ex.runTrace()
	}
}

func (n *news) announceEnd() {
	if n.done != nil {
		close(n.done)
	}
	if n.cancel != nil {
		cause := n.cause
		if cause == nil {
			cause = context.Canceled
		}
		n.cancel(cause)
	}
	for _, f := range n.hooks {
		go n.ex.callHook(f, n.cause)
	}
	if n.post {
		n.ex.postHooks(n.onLoop)
	}
}

// onClose registers f, or if the request has ended, makes it be called soon
// where it would have been called.
func (ex *exchange) onClose(f func(error)) {
	l := ex.lock()
	told, cause, inline := ex.told, ex.cause, ex.req.route.inline()
	if !told || inline {
		if ex.hooks == nil {
			ex.hooks = ex.hook[:0]
		}
		ex.hooks = append(ex.hooks, f)
	}
	l.unlock()
	switch {
	case !told:
	case inline:
		ex.postHooks(false)
	default:
		go ex.callHook(f, cause)
	}
}

// postHooks makes the loop call the functions passed to OnClose, at the end of
// its turn or as a task: never from within a call of the user, who may hold a
// lock that they take.
func (ex *exchange) postHooks(onLoop bool) {
	if onLoop {
		ex.turn().Later((*hooksTask)(ex))
	} else {
		ex.turn().Post((*hooksTask)(ex))
	}
}

// hooksTask is an exchange as a task that calls what was given to OnClose.
type hooksTask exchange

func (t *hooksTask) Run() { (*exchange)(t).runHooks() }

// Dropped implements reactor.Dropper: the loop has stopped.
func (t *hooksTask) Dropped() { go (*exchange)(t).runHooks() }

// runHooks calls what was given to OnClose, and a BodyReceiver's Closed, if the
// request has ended.
func (ex *exchange) runHooks() {
	if ex.wire == nil {
		return // recycled since, with none left
	}
	l := ex.lock()
	if !ex.told {
		l.unlock()
		return // ... and used again
	}
	hooks, cause, rcv := ex.hooks, ex.cause, ex.loop.receiver
	ex.hooks, ex.loop.receiver = nil, nil
	l.unlock()
	for _, f := range hooks {
		ex.callHook(f, cause)
	}
	if rcv != nil {
		ex.call("BodyReceiver.Closed", func() { rcv.Closed(cause) }, nil)
	}
}

func (ex *exchange) callHook(f func(error), cause error) {
	ex.call("function given to OnClose", func() { f(cause) }, nil)
}

// failed is why nothing can be written any more, and notes it as the cause; nil
// while the connection is open. The loop may not have heard of it yet.
func (l locked) failed() error {
	ex := l.ex
	err := ex.wire.Err()
	if err == reactor.ErrClosed && ex.pipe != nil && ex.pipe.shut.Load() {
		return nil // by CloseWrite
	}
	if err != nil && ex.cause == nil {
		ex.cause = departure(err)
	}
	if err != nil {
		return ex.cause
	}
	return nil
}

// depart reports to the handler that the client has disconnected and keeps the
// response open, for a client that shut down only its write side. On the loop.
func (ex *exchange) depart(cause error) (first bool) {
	l := ex.lock()
	if ex.cause == nil {
		ex.cause = cause
	}
	first = l.tell()
	l.unlockOnLoop()
	return first
}

// cut ends the exchange from outside: nothing more is written. It reports
// whether the handler had not learned of an end before. On the loop.
func (ex *exchange) cut(cause error) (first bool) {
	l := ex.lock()
	first = !ex.told
	l.breakOff(cause)
	l.unlockOnLoop()
	return first
}

func (ex *exchange) doneChan() <-chan struct{} {
	l := ex.lock()
	defer l.unlock()
	if ex.done == nil {
		ex.done = make(chan struct{})
		if ex.told {
			close(ex.done)
		}
	}
	return ex.done
}

func (ex *exchange) context() context.Context {
	l := ex.lock()
	defer l.unlock()
	if ex.ctx == nil {
		ex.ctx, ex.cancel = context.WithCancelCause(context.Background())
		if ex.told {
			ex.cancel(ex.cause)
		}
	}
	return ex.ctx
}

var _ reactor.Dropper = (*hooksTask)(nil)
