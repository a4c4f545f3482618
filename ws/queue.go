package ws

import "weir"

// An item is what waits for a handler that may block, or for Read.
type item struct {
	kind     Kind
	deflated bool
	body     []byte
	request  *weir.Request // in place of a message: it was accepted
	end      error         // in place of a message: why there are no more
	gone     bool          // ... and the connection has ended
}

// queue is what has come from the peer and was not taken by a goroutine yet, in
// order. The connection's lock guards it, except full, which is the loop's.
type queue struct {
	items []item
	size  int           // bytes of the bodies
	full  bool          // no more is taken from the peer
	known bool          // size is counted in what the server keeps
	ready chan struct{} // of Read: has a token when there may be something
}

// maxItems is how many messages may wait, however small they are.
const maxItems = 256

// enqueue adds an item, and has a goroutine look at it. On the loop.
func (c *Conn) enqueue(it item) {
	c.mu.Lock()
	q := &c.queue
	q.items = append(q.items, it)
	q.size += cap(it.body)
	q.full = c.overfull()
	start := c.mode == working && !c.working
	c.working = c.working || start
	c.mu.Unlock()
	switch {
	case start:
		go c.work()
	case c.mode == reading:
		select {
		case q.ready <- struct{}{}:
		default: // one that was not taken yet says the same
		}
	}
}

// overfull reports whether no more may be taken from the peer. The lock is held.
func (c *Conn) overfull() bool { return c.queue.size > c.set.Queue || len(c.queue.items) >= maxItems }

// uncounted is how many bytes may wait without being counted in what the server
// keeps: no more than the goroutine that is about to take them needs for itself.
const uncounted = 4 << 10

// queued returns how many of the bytes that wait are to be counted. On the loop.
func (c *Conn) queued() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.queue.known = c.queue.size > uncounted; c.queue.known {
		return c.queue.size
	}
	return 0
}

// dequeue takes the first item. When the queue is half empty again the loop
// continues.
func (c *Conn) dequeue() (it item, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := &c.queue
	if len(q.items) == 0 {
		q.items, c.working = nil, false
		return it, false
	}
	before := q.size
	it, q.items[0] = q.items[0], item{}
	q.items = q.items[1:]
	q.size -= cap(it.body)
	low := c.set.Queue / 2
	if before > low && q.size <= low || len(q.items) == maxItems/2 || q.size == 0 && q.known {
		c.link.loop().Post((*proceedTask)(c))
	}
	return it, true
}

// proceedTask has the loop continue when messages were taken.
type proceedTask Conn

func (t *proceedTask) Run() {
	c := (*Conn)(t)
	c.mu.Lock()
	c.queue.full = c.overfull()
	c.mu.Unlock()
	c.proceed()
}

// inflated returns the message of an item; ok is false if it is none.
func (c *Conn) inflated(it item) (body []byte, ok bool) {
	if !it.deflated {
		return it.body, true
	}
	f := inflate(it.body, it.kind, c.set.MaxMessage)
	for {
		done, err := f.step(inflateShare)
		switch {
		case err != nil:
			f.drop()
			c.conclude(err)
			return nil, false
		case done:
			return f.hand(), true
		}
	}
}

// work calls the handler for what waits, until nothing does. It is the
// connection's only goroutine, and there is none while it rests.
func (c *Conn) work() {
	for {
		it, ok := c.dequeue()
		if !ok {
			return
		}
		c.call(it)
	}
}

func (c *Conn) call(it item) {
	defer c.rescue()
	switch {
	case it.request != nil:
		c.open(it.request)
	case it.gone && c.handler != nil:
		c.handler.OnClose(c, it.end)
	case it.end != nil:
		c.conclude(it.end)
	case c.left.Load():
		release(it.body)
	default:
		if body, ok := c.inflated(it); ok {
			defer release(body)
			c.deliver(it.kind, body)
		}
	}
}
