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

// receiver is a Conn as what its loop calls.
type receiver Conn

var (
	_ weir.BodyReceiver = (*receiver)(nil)
	_ weir.Drainer      = (*receiver)(nil)
)

// Data implements weir.BodyReceiver.
func (r *receiver) Data(p []byte) {
	c := (*Conn)(r)
	c.heard, c.share = true, inflateShare
	switch {
	case c.ended:
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
func (c *Conn) stalled() bool { return c.inflating || c.queue.full || c.link.behind() }

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
	if !c.keepInput(c.dec.held() + cap(c.rest)) {
		c.finish(errKept)
		c.forget()
	}
}

// keepInput notes how many bytes the loop keeps of what the peer has sent. It
// reports false if the server keeps too much.
func (c *Conn) keepInput(n int) bool {
	if n == c.input { // which the loop alone changes
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.input = n
	return c.recount()
}

// forget frees what the loop keeps for a peer that is not listened to any more.
// What it still sends is dropped.
func (c *Conn) forget() {
	c.drop()
	c.keepInput(0)
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
	case c.deaf.Load():
		c.dec.done()
	case c.mode != inline:
		if !c.enqueue(item{kind: kind, deflated: c.dec.deflated, body: c.dec.hand(body)}) {
			c.finish(errKept)
		}
	case c.dec.deflated:
		c.inflate(newInflater(c.dec.hand(body), kind, c.set.MaxMessage))
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
// gets 1011, and the panic is the cause of the end.
func (c *Conn) rescue() {
	if v := recover(); v != nil {
		c.crash(v)
	}
}

func (c *Conn) crash(v any) {
	c.deaf.Store(true)
	c.link.crash(v)
	c.silence(nil) // the link has the cause
}

func (c *Conn) count(n int) {
	c.moved.Add(1)
	c.set.Stats.received.Add(1)
	c.set.Stats.bytesIn.Add(int64(n))
}

// pong answers a ping (RFC 6455 5.5.3). If there is no room for that, only the
// last ping is answered, later.
func (c *Conn) pong(body []byte) {
	if err := c.link.trySend(finBit|byte(ws.OpPong), body); err == weir.ErrBacklog {
		c.owed = append([]byte{}, body...) // not nil, though it may be empty
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

// closeTask is what is left to be done on the loop after Close.
type closeTask Conn

func (t *closeTask) Run() {
	c := (*Conn)(t)
	switch {
	case !c.ended:
		c.dec.ignore()
		c.beginClosing()
		c.queue.full = false
		c.proceed()
	case c.end != nil: // the peer has closed meanwhile: nothing is waited for
		c.conclude(c.end)
	}
}

// End implements weir.BodyReceiver: the peer has shut its sending side without a
// Close. A message that is not complete is not delivered.
func (r *receiver) End(err error) {
	c := (*Conn)(r)
	if err == io.EOF {
		err = weir.ErrClientGone
	}
	c.finish(err)
	c.settle()
}

// Drained implements weir.BodyReceiver: the peer has caught up.
func (r *receiver) Drained() {
	c := (*Conn)(r)
	if c.owed != nil {
		body := c.owed
		c.owed = nil
		c.pong(body)
	}
	c.proceed()
}

// Closed implements weir.BodyReceiver: the connection has ended. If the loop has
// stopped, this is another goroutine, and what is the loop's is left alone.
func (r *receiver) Closed(cause error) {
	c := (*Conn)(r)
	if cause == nil {
		cause = c.link.cause()
	}
	c.ended = true
	c.link.loop().Post((*stopTimerTask)(c))
	c.drop()
	c.silence(cause)
	c.leaveRooms()
	c.set.Stats.open.Add(-1)
	if c.mode != inline {
		c.enqueue(item{gone: true, end: c.Err()})
	} else if c.handler != nil {
		defer c.rescue()
		c.handler.OnClose(c, c.Err())
	}
}
