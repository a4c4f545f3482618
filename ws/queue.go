package ws

import (
	"sync"

	"weir"
)

// An item is what waits for a handler that may block, or for Read.
type item struct {
	next     *item
	kind     Kind
	deflated bool
	body     []byte
	request  *weir.Request // in place of a message: it was accepted,
	open     opener        // and this is to be called
	end      error         // in place of a message: why there are no more
	gone     bool          // ... and the connection has ended
}

var items = sync.Pool{New: func() any { return new(item) }}

// queue is what has come from the peer and was not taken by a goroutine yet, in
// order. The connection's lock guards it, except full, which is the loop's.
type queue struct {
	first, last *item
	n           int
	size        int           // bytes of the bodies
	full        bool          // no more is taken from the peer
	ready       chan struct{} // of Read: has a token when there may be something
}

func (q *queue) push(it item) {
	p := items.Get().(*item)
	*p = it
	if q.first == nil {
		q.first = p
	} else {
		q.last.next = p
	}
	q.last = p
	q.n++
	q.size += cap(it.body)
}

func (q *queue) pop() (it item, ok bool) {
	p := q.first
	if p == nil {
		return it, false
	}
	it, *p = *p, item{}
	items.Put(p)
	q.first = it.next
	q.n--
	q.size -= cap(it.body)
	return it, true
}

// maxItems is how many messages may wait, however small they are.
const maxItems = 256

// enqueue adds an item, and has a goroutine look at it. It reports false if the
// server now keeps too much. On the loop.
func (c *Conn) enqueue(it item) (ok bool) {
	c.mu.Lock()
	q := &c.queue
	q.push(it)
	q.full = c.overfull()
	ok = c.recount()
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
	return ok
}

// overfull reports whether no more may be taken from the peer. The lock is held.
func (c *Conn) overfull() bool { return c.queue.size > c.set.Queue || c.queue.n >= maxItems }

// dequeue takes the first item; the one before it is not in hand any more. When
// the queue is half empty again the loop continues.
func (c *Conn) dequeue() (it item, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := &c.queue
	before, low := q.size, c.set.Queue/2
	it, ok = q.pop()
	c.inHand = cap(it.body)
	c.recount()
	switch {
	case !ok:
		c.working = false
	case before > low && q.size <= low, q.n == maxItems/2:
		c.link.loop().Post((*proceedTask)(c))
	}
	return it, ok
}

// uncounted is how many bytes a goroutine's messages may have without being
// counted in what the server keeps: no more than it needs for itself.
const uncounted = 4 << 10

// recount notes how many bytes of what the peer has sent are kept: by the loop,
// in the queue, and by the goroutine that has a message in hand. It reports false
// if the server keeps too much. The lock is held.
func (c *Conn) recount() bool {
	n := c.input
	if waiting := c.queue.size + c.inHand; waiting > uncounted {
		n += waiting
	}
	if n == c.kept {
		return true
	}
	if !c.link.keep(int64(n)) {
		return false
	}
	c.kept = n
	return true
}

// hold notes that a goroutine has a message of n bytes in hand; else it is
// recount.
func (c *Conn) hold(n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inHand = n
	return c.recount()
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

// work calls the handler for what waits, until nothing does. It is the
// connection's only goroutine, and there is none while it rests.
func (c *Conn) work() {
	rests := false
	defer func() {
		if !rests { // the handler has ended the goroutine, by runtime.Goexit
			c.crash(nil)
			go c.work()
		}
	}()
	for {
		it, ok := c.dequeue()
		if rests = !ok; rests {
			return
		}
		c.call(it)
	}
}

func (c *Conn) call(it item) {
	defer c.rescue()
	switch {
	case it.request != nil:
		c.open(it.open, it.request)
	case it.gone && c.handler != nil:
		c.handler.OnClose(c, it.end)
	case it.end != nil:
		c.conclude(it.end)
	case c.deaf.Load():
		release(it.body)
	default:
		if body, ok := c.inflated(it); ok {
			defer release(body)
			c.deliver(it.kind, body)
		}
	}
}
