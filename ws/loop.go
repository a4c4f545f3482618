package ws

import (
	"io"

	"github.com/gobwas/ws"

	"weir"
)

// This file is what a connection does on its event loop: it decodes what the
// peer sends, and answers what is not the handler's business.
//
// Bytes are taken message by message, as long as nothing stands against it: the
// peer is behind with what it was sent, messages wait for the handler, or one is
// being inflated. What is not taken waits in rest, no more is read, and proceed
// continues when the reason is gone.

// Data implements weir.BodyReceiver.
func (c *Conn) Data(p []byte) {
	c.heard = true
	switch {
	case c.ended:
		return
	case len(c.rest) > 0 || c.paused:
		c.rest = append(grow(c.rest, len(p), len(c.rest)+len(p)), p...)
		c.proceed()
	default:
		if n := c.takeAll(p); n < len(p) && !c.ended {
			c.rest = append(grow(nil, len(p)-n, len(p)-n), p[n:]...)
		}
		c.settle()
	}
}

// stalled reports whether no message may be taken now.
func (c *Conn) stalled() bool { return c.inflater != nil || c.queue.full || c.link.behind() }

// takeAll takes what it can of p, and returns how much.
func (c *Conn) takeAll(p []byte) (n int) {
	for n < len(p) && !c.ended {
		k, ev, body, err := c.dec.next(p[n:])
		if err != nil {
			c.finish(err)
			return len(p)
		}
		if n += k; ev == nothing {
			if k == 0 {
				return n // more is needed
			}
			continue
		}
		if c.event(ev, body); n < len(p) && c.stalled() {
			return n
		}
	}
	return n
}

// proceed takes what has waited, as far as it can now.
func (c *Conn) proceed() {
	if len(c.rest) > 0 && !c.ended && !c.stalled() {
		n := c.takeAll(c.rest)
		c.rest = c.rest[:copy(c.rest, c.rest[n:])]
	}
	c.settle()
}

// settle pauses the peer, or lets it continue, and counts what is held of it.
func (c *Conn) settle() {
	if c.ended {
		c.forget()
		return
	}
	if len(c.rest) == 0 && c.rest != nil {
		release(c.rest)
		c.rest = nil
	}
	if stalled := c.stalled(); stalled != c.paused {
		if c.paused = stalled; stalled {
			c.link.pause()
		} else {
			c.link.resume()
		}
	}
	if held := c.held(); held != c.kept {
		if c.kept = held; !c.link.keep(int64(held)) {
			c.finish(failure(TryAgainLater, "too many bytes are kept"))
			c.forget()
		}
	}
}

// held returns how many bytes of what the peer has sent are kept.
func (c *Conn) held() int {
	n := c.dec.held() + cap(c.rest)
	if c.inflater != nil {
		n += cap(c.inflater.in) + cap(c.inflater.out)
	}
	if c.mode != inline {
		n += c.queued()
	}
	return n
}

// forget frees what a connection holds whose peer is not listened to any more.
// What it still sends is dropped.
func (c *Conn) forget() {
	c.drop()
	if c.kept != 0 {
		c.kept = 0
		c.link.keep(0)
	}
	if c.paused {
		c.paused = false
		c.link.resume()
	}
}

// drop frees the buffers.
func (c *Conn) drop() {
	release(c.rest)
	c.rest = nil
	c.dec.done()
	if c.inflater != nil && !c.inflating {
		c.inflater.drop()
		c.inflater = nil
	}
}

// event processes what the decoder has found.
func (c *Conn) event(ev event, body []byte) {
	switch ev {
	case message:
		c.message(body)
	case ping:
		c.pong(body)
	case closing:
		e, err := parseClose(body)
		if err != nil {
			c.finish(err)
			return
		}
		c.finish(e)
	}
}

// message passes a message on.
func (c *Conn) message(body []byte) {
	kind := c.dec.kind
	switch {
	case c.left.Load():
		c.dec.done()
	case c.mode != inline:
		c.enqueue(item{kind: kind, deflated: c.dec.deflated, body: c.dec.hand(body)})
	case c.dec.deflated:
		c.inflater = inflate(c.dec.hand(body), kind, c.set.MaxMessage)
		c.inflateOn()
	default:
		c.deliver(kind, body)
		c.dec.done()
	}
}

// deliver calls the handler.
func (c *Conn) deliver(kind Kind, body []byte) {
	defer c.rescue()
	c.count(len(body))
	c.handler.OnMessage(c, kind, body)
}

// rescue is deferred around each call of the user's: if that panics, the peer
// gets 1011.
func (c *Conn) rescue() {
	if v := recover(); v != nil {
		c.left.Store(true) // it gets no more messages
		c.link.crash(v)
	}
}

func (c *Conn) count(n int) {
	c.moved.Add(1)
	c.set.Stats.received.Add(1)
	c.set.Stats.bytesIn.Add(int64(n))
}

// inflateShare is how many bytes of a message an inline connection inflates in a
// turn of its loop.
const inflateShare = 64 << 10

// inflateTask continues to inflate in a later turn.
type inflateTask Conn

func (t *inflateTask) Run() {
	c := (*Conn)(t)
	if c.inflating = false; c.ended {
		c.forget()
		return
	}
	c.inflateOn()
	c.proceed()
}

// inflateOn inflates the loop's share of a message, and delivers it when it is
// complete.
func (c *Conn) inflateOn() {
	f := c.inflater
	done, err := f.step(inflateShare)
	switch {
	case err != nil:
		c.inflater = nil
		f.drop()
		c.finish(err)
	case !done:
		c.inflating = true
		c.link.loop().Post((*inflateTask)(c))
	default:
		c.inflater = nil
		kind, body := f.kind, f.hand()
		c.deliver(kind, body)
		release(body)
	}
}

// pong answers a ping (RFC 6455 5.5.3). If there is no room for that, only the
// last ping is answered, later.
func (c *Conn) pong(body []byte) {
	if err := c.link.trySend(finBit|byte(ws.OpPong), body); err == weir.ErrBacklog {
		c.owed = append(c.owed[:0], body...)
	}
}

// finish ends the connection because the peer has closed it, or because of what
// it has sent: behind the messages before that.
func (c *Conn) finish(end error) {
	if c.ended {
		return
	}
	c.ended, c.end = true, end
	if c.mode == inline || c.isClosed() {
		c.conclude(end)
		return
	}
	c.enqueue(item{end: end})
	c.beginClosing()
}

// conclude ends the connection as the peer, or its fault, wants it.
func (c *Conn) conclude(end error) {
	switch e, ok := end.(*CloseError); {
	case !ok:
		c.hangUp(end)
	case e.Remote:
		c.reply(e)
	default:
		c.fail(e)
	}
}

func (c *Conn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// closeTask is what is left to be done on the loop after Close.
type closeTask Conn

func (t *closeTask) Run() {
	c := (*Conn)(t)
	c.dec.ignore()
	c.beginClosing()
	if !c.ended {
		c.queue.full = false
		c.proceed()
	}
}

// End implements weir.BodyReceiver: the peer has shut its sending side without a
// Close. A message that is not complete is not delivered.
func (c *Conn) End(err error) {
	if err == io.EOF {
		err = weir.ErrClientGone
	}
	c.finish(err)
	c.settle()
}

// hangUp ends a connection whose peer sends no more.
func (c *Conn) hangUp(cause error) {
	c.mu.Lock()
	c.closed = true
	if c.err == nil {
		c.err = cause
	}
	c.mu.Unlock()
	c.link.end()
}

// Drained implements weir.BodyReceiver: the peer has caught up.
func (c *Conn) Drained() {
	if c.owed != nil {
		body := c.owed
		c.owed = nil
		c.pong(body)
	}
	c.proceed()
}

// Closed implements weir.BodyReceiver: the connection has ended. If the loop has
// stopped, this is another goroutine, and what is the loop's is left alone.
func (c *Conn) Closed(cause error) {
	if cause == nil { // the handler of Accept has returned, see EndWith
		cause = &CloseError{Code: Normal}
	}
	c.ended = true
	c.link.loop().Post((*stopTimerTask)(c))
	c.drop()
	c.mu.Lock()
	c.closed = true
	if c.err == nil {
		c.err = cause
	}
	err, rooms := c.err, c.rooms
	c.rooms = nil
	c.mu.Unlock()
	for _, r := range rooms {
		r.remove(c)
	}
	c.set.Stats.open.Add(-1)
	if c.mode != inline {
		c.enqueue(item{gone: true, end: err})
	} else if c.handler != nil {
		defer c.rescue()
		c.handler.OnClose(c, err)
	}
}

var _ weir.BodyReceiver = (*Conn)(nil)
