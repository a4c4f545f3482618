package memloop

import (
	"os"
	"slices"
	"syscall"

	"weir/reactor"
)

// conn is a connection as the kernel sees it; the server's side of it is the
// descriptor, the other is the Client. Kernel.mu guards it.
type conn struct {
	kernel *Kernel
	client *Client
	fd     int
	poller *poller // nil while not registered
	queued bool    // in the poller's next round

	in, out queue // from the client, to the client
	window  int   // room of out
	notice  int   // the room from which the server gets an event
	err     error // what SocketError returns

	connecting bool // connecting never completes
	broken     bool // reset by the client, or refused
	closed     bool // the descriptor is closed
	gone       bool // the client is closed
	full       bool // a write had to wait: room is an edge
	discard    bool // what the server writes is discarded
	wide       bool // for a file, see reactor.FileSender

	calls  int     // writes of the server so far
	faults []fault // how they fail
	again  bool    // the next one has to wait
	hold   *hold
}

// fault makes one write of the server short.
type fault struct{ call, takes int }

// hold keeps one write of the server from returning.
type hold struct{ entered, release chan struct{} }

// edge is something that happened to the descriptor.
func (c *conn) edge() {
	if c.poller != nil && !c.queued {
		c.queued = true
		c.poller.enqueue(c.fd)
	}
}

// ready returns what the descriptor is ready for. As in Linux, a write that
// finds no room makes an edge when there is room.
func (c *conn) ready() (ev reactor.Event) {
	if c.connecting {
		return 0
	}
	if c.in.len() > 0 || c.in.fin || c.broken {
		ev |= reactor.Readable
	}
	if c.in.fin || c.broken {
		ev |= reactor.HalfClosed
	}
	if c.broken || c.err != nil || c.in.fin && c.out.fin {
		ev |= reactor.Dead
	}
	if c.broken || c.out.fin || c.room() >= c.notice && !c.again {
		ev |= reactor.Writable
	} else {
		c.full = true
	}
	return ev
}

func (c *conn) room() int { return max(0, c.window-c.out.len()) }

// write writes from the server's side.
func (c *conn) write(parts ...[]byte) (int, error) {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	n := min(size, c.room())
	if c.again {
		n, c.again = 0, false
		defer c.edge()
	}
	if len(c.faults) > 0 && c.faults[0].call == c.calls {
		n = min(n, c.faults[0].takes)
		c.faults = c.faults[1:]
		if c.again = n > 0; n == 0 {
			defer c.edge()
		}
	}
	switch {
	case c.err != nil:
		return 0, os.NewSyscallError("write", c.takeError())
	case c.broken || c.out.fin:
		return 0, os.NewSyscallError("write", syscall.EPIPE)
	case c.connecting:
		return 0, os.NewSyscallError("write", syscall.ENOTCONN)
	case c.gone: // the kernel takes it, and the peer replies with RST
		c.breakOff(syscall.EPIPE)
		return size, nil
	case n == 0 && size > 0:
		c.full = true
		return 0, reactor.ErrAgain
	}
	c.full = n < size
	if !c.discard {
		c.out.put(n, parts...)
		c.client.cond.Broadcast()
	}
	return n, nil
}

// roomChanged makes an edge if the server waits for room and there is enough.
func (c *conn) roomChanged() {
	if c.full && c.room() >= c.notice {
		c.full = false
		c.edge()
	}
}

// breakOff processes a RST from the client. The server may still read what came
// before.
func (c *conn) breakOff(err error) {
	c.broken, c.err = true, err
	c.edge()
}

func (c *conn) takeError() error {
	err := c.err
	c.err = nil
	return err
}

// queue holds bytes in one direction, and where each write ended.
type queue struct {
	buf  []byte
	from int   // bytes of buf that were read
	ends []int // in buf
	fin  bool  // no more will come
}

func (q *queue) len() int { return len(q.buf) - q.from }

// put appends the first n bytes of parts as one write.
func (q *queue) put(n int, parts ...[]byte) {
	q.compact()
	for _, p := range parts {
		p = p[:min(n, len(p))]
		q.buf = append(q.buf, p...)
		n -= len(p)
	}
	q.ends = append(q.ends, len(q.buf))
}

// take moves bytes to p, of however many writes.
func (q *queue) take(p []byte) int {
	n := copy(p, q.buf[q.from:])
	q.skip(n)
	return n
}

// takeWrite returns what is unread of the oldest write, and an empty slice if
// there is nothing.
func (q *queue) takeWrite() []byte {
	if q.len() == 0 {
		return nil
	}
	p := append([]byte(nil), q.buf[q.from:q.ends[0]]...)
	q.skip(len(p))
	return p
}

func (q *queue) skip(n int) {
	q.from += n
	over := 0
	for over < len(q.ends) && q.ends[over] <= q.from {
		over++
	}
	q.ends = slices.Delete(q.ends, 0, over)
	if q.len() == 0 {
		q.clear()
	}
}

// compact frees the room of what was read, once it is most of the buffer.
func (q *queue) compact() {
	if q.from < 64<<10 || q.from < q.len() {
		return
	}
	q.buf = q.buf[:copy(q.buf, q.buf[q.from:])]
	for i := range q.ends {
		q.ends[i] -= q.from
	}
	q.from = 0
}

func (q *queue) clear() { q.buf, q.from, q.ends = q.buf[:0], 0, q.ends[:0] }
