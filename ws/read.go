package ws

import (
	"errors"

	"weir"
)

var errHandled = errors.New("ws: Read of a connection whose messages a Handler gets: use Accept, or Dial without a Handler")

// Read waits for a message and returns it; it is valid until the next Read, and
// may be changed. It is for connections that have no [Handler], and for one
// goroutine. The error is what Err returns, and final: messages that came before
// it are returned first.
func (c *Conn) Read() (Kind, []byte, error) {
	if c.mode != reading {
		return 0, nil, errHandled
	}
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
		case c.deaf.Load():
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
		return c.queue.n > 0
	}
}

func (c *Conn) readError() error {
	if err := c.Err(); err != nil {
		return err
	}
	return weir.ErrServerClosed // the loop has stopped before it could say why
}
