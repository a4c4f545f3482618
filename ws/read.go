package ws

import "weir"

// Read waits for a message and returns it; it is valid until the next Read. It is
// for connections of [Accept], and for one goroutine. The error is what Err
// returns, and final: messages that came before it are returned first.
func (c *Conn) Read() (Kind, []byte, error) {
	release(c.last)
	c.last = nil
	for {
		it, ok := c.dequeue()
		switch {
		case !ok:
			if !c.await() {
				return 0, nil, c.readError()
			}
		case it.end != nil:
			if !it.gone {
				c.conclude(it.end)
			}
			return 0, nil, c.readError()
		case c.left.Load():
			release(it.body)
		default:
			body, ok := c.inflated(it)
			if !ok {
				return 0, nil, c.readError()
			}
			c.last = body
			c.count(len(body))
			return it.kind, body, nil
		}
	}
}

// await waits for an item. It reports false if there will be none.
func (c *Conn) await() bool {
	select {
	case <-c.queue.ready:
		return true
	case <-c.link.done():
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.queue.items) > 0
	}
}

func (c *Conn) readError() error {
	if err := c.Err(); err != nil {
		return err
	}
	return weir.ErrServerClosed // the loop has stopped before it could say why
}
