package memloop

// SetWindow bounds what the client's side holds unread to n bytes: beyond that
// the server's writes are short, then have to wait. With 0 the client takes
// nothing. More room is an edge for the server.
func (c *Client) SetWindow(n int) {
	k := c.lock()
	defer c.unlock()
	k.window = n
	k.roomChanged()
}

// SetNotice makes room an event only when it is at least n bytes, as in real
// kernels. What the server writes is taken all the same if there is any.
func (c *Client) SetNotice(n int) {
	k := c.lock()
	defer c.unlock()
	k.notice = max(1, n)
	k.roomChanged()
}

// Discard discards what the server writes from now on, as fast as it comes.
func (c *Client) Discard() {
	k := c.lock()
	defer c.unlock()
	k.discard = true
	k.out.clear()
	k.roomChanged()
}

// ShortWrite makes the server's n-th write from now, counted from 1, take no
// more than k bytes, and the write after it wait; right then there is room
// again. With k = 0 it is the n-th itself that has to wait. Several calls must
// be in the order of the writes that they concern.
func (c *Client) ShortWrite(n, k int) {
	conn := c.lock()
	defer c.unlock()
	conn.faults = append(conn.faults, fault{conn.calls + n, k})
}

// HoldWrite keeps the server's next write from returning until release is
// called. entered is closed when that write has had its effect, which may be
// that it has to wait.
func (c *Client) HoldWrite() (entered <-chan struct{}, release func()) {
	k := c.lock()
	defer c.unlock()
	h := &hold{make(chan struct{}), make(chan struct{})}
	k.hold = h
	return h.entered, func() { close(h.release) }
}
