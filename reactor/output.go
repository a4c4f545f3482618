package reactor

import (
	"github.com/valyala/bytebufferpool"
)

// output is the state of a connection's write side, guarded by its lock.
//
// The lock guards one contiguous buffer of bytes that the kernel has not taken.
// Its holder appends frames to the buffer and gives it up in one of four ways:
// Flush writes at once on the calling goroutine, FlushWith does so with a large
// payload from the caller's memory, Defer defers the write to the end of the
// loop's turn, Unlock to a later Flush. The lock is not held during write(2):
// the writer also writes what others append meanwhile (combining), so that
// writes never overlap and no goroutine waits for a system call.
//
//	idle ──Flush──> writing ──all taken──> idle
//	                   └──EAGAIN──> blocked ──the kernel has room──> writing (on the loop)
//
// The amount pending is bounded by marks: above the high one, Room returns a
// channel to wait on, and the loop calls Handler.Drained when pending has
// fallen to the low one. No frame is cut by them: the caller checks before it
// appends.
type output struct {
	mu     outputLock
	secure *secure                    // nil in the clear; set before the connection has a handler; here, since each read looks at it
	pool   *bytebufferpool.ByteBuffer // nil while nothing is pending
	sent   int                        // bytes of the buffer that were written already
	err    error                      // why output has ended; final
	room   chan struct{}              // closed when pending falls to the low mark, or output has ended
	taken  int64                      // bytes that the kernel has taken

	blocked bool // the kernel takes no more, until it announces room
	flying  int  // bytes of the write(2) in progress
	writing bool // a goroutine is in write(2) without the lock
	edge    bool // the kernel announced room during a write
	above   bool // pending has been above the high mark and not yet back at the low one
	fin     bool // the loop waits for the last byte
	doomed  bool // the loop waits for the writer to come back, to close the descriptor
	starved bool // a goroutine waits on room to send more of a file
	wide    bool // the kernel takes more, for a file
	news    news // for the loop
	told    bool // a task for that is posted
}

// news is what happened on the write side that concerns the loop.
type news uint8

const (
	newsBlocked news = 1 << iota // start to watch for a stall
	newsDrained                  // pending fell to the low mark
	newsFlushed                  // all is written and fin was asked for
	newsFailed                   // output died with err
	newsFree                     // the writer came back to a doomed connection
)

// buffers are the pending buffers, apart from those of others in the process,
// whose sizes would spoil the pool's guess of what is usual.
var buffers bytebufferpool.Pool

// largestKept is the capacity up to which a pending buffer is kept for others.
// With a larger one the next connection that gets it would hold more than the
// marks allow.
const largestKept = DefaultHighMark + backlogRoom // what a backlog takes by default

func keepPending(b *bytebufferpool.ByteBuffer) {
	if cap(b.B) <= largestKept {
		buffers.Put(b)
	}
}

// directSize is the payload from which one more iovec is cheaper than a copy.
const directSize = 4 << 10

func (c *Conn) lock() *output { c.out.mu.Lock(); return &c.out }

// Lock locks the write side until the caller calls Unlock, Defer, Flush or
// FlushWith. The caller must not block in between.
func (c *Conn) Lock() { c.out.mu.Lock() }

// Unlock unlocks without writing: a later Flush or Defer, by any caller, writes
// what was appended.
func (c *Conn) Unlock() { c.out.mu.Unlock() }

// Err returns nil while bytes may be appended, else why not. The caller holds
// the lock.
func (c *Conn) Err() error {
	o := &c.out
	checkHeld(&o.mu)
	if o.err == nil && o.fin {
		return ErrClosed
	}
	return o.err
}

// Pending returns the number of bytes that the kernel has not taken, without
// those of a write(2) in progress. The caller holds the lock.
func (c *Conn) Pending() int { return c.out.pending() }

func (o *output) pending() int {
	checkHeld(&o.mu)
	n := 0
	if o.pool != nil {
		n = len(o.pool.B) - o.sent
	}
	if o.secure != nil {
		n += o.secure.unsent()
	}
	return n
}

// Buffer returns the buffer of pending output. The caller holds the lock and
// appends frames, if Err is nil:
//
//	buf := c.Buffer()
//	*buf = append(*buf, frame...)
//
// Do not change what is in the buffer already. The pointer is valid until the
// lock is released.
func (c *Conn) Buffer() *[]byte {
	o := &c.out
	checkHeld(&o.mu)
	if o.pool == nil {
		o.pool = buffers.Get()
	}
	b := o.pool
	// What has begun to gather may go up to the high mark: it gets the room for
	// that at once, instead of growing there by copies.
	if room := c.loop.reactor.cfg.HighMark + backlogRoom; len(b.B) > gathering && cap(b.B) < room {
		b.B, o.sent = append(make([]byte, 0, room), b.B[o.sent:]...), 0
	} else if o.sent >= sentKept && len(b.B)+readSize > cap(b.B) { // or what was sent would make it grow
		b.B, o.sent = b.B[:copy(b.B, b.B[o.sent:])], 0
	}
	return &b.B
}

const (
	gathering   = 48 << 10            // pending bytes from which output is taken for a backlog
	sentKept    = 8 << 10             // written bytes that may stay in front of a backlog
	backlogRoom = readSize + sentKept // of a backlog's buffer, beyond the high mark
)

// Room returns nil while a producer may append, and otherwise a channel that is
// closed when pending has fallen to the low mark or output has ended. The
// caller holds the lock.
func (c *Conn) Room() <-chan struct{} {
	o := &c.out
	checkHeld(&o.mu)
	if !c.measure() || o.err != nil {
		return nil
	}
	if o.room == nil {
		o.room = make(chan struct{})
	}
	return o.room
}

// Acquire is [Conn.Lock] for a producer: it returns the Buffer, or else a
// channel to wait on (see [Conn.Room]), or why output has ended. The caller
// holds the lock in each case.
func (c *Conn) Acquire() (b *[]byte, room <-chan struct{}, err error) {
	c.out.mu.Lock()
	if err = c.Err(); err != nil {
		return nil, nil, err
	}
	if c.measure() {
		return nil, c.Room(), nil
	}
	return c.Buffer(), nil, nil
}

// Backlogged reports whether a producer on the loop should stop until the loop
// calls Handler.Drained. The caller holds the lock.
func (c *Conn) Backlogged() bool { return c.measure() && c.out.err == nil }

// measure notes whether pending went above the high mark, with what is being
// written: the kernel may not take it.
func (c *Conn) measure() bool {
	o := &c.out
	if !o.above && o.pending()+o.flying > c.loop.reactor.cfg.HighMark {
		o.above = true
	}
	return o.above
}

// Defer unlocks, and the loop writes at the end of its current turn. Unlike the
// other methods of the write side it must be called on the connection's loop.
func (c *Conn) Defer() {
	checkHeld(&c.out.mu)
	c.loop.check()
	c.out.mu.Unlock()
	if !c.dirty {
		c.dirty = true
		c.loop.dirty.add(c)
	}
}

// Flush unlocks and writes what is pending, as far as the kernel takes it now.
// It never waits. The rest is written when the kernel has room.
func (c *Conn) Flush() { c.flush(nil, nil, false) }

// FlushWith is Flush of what is pending, then big, then tail. A big payload is
// written from the caller's memory, and only what the kernel does not take is
// copied. FlushWith retains neither slice.
func (c *Conn) FlushWith(big, tail []byte) { c.flush(big, tail, false) }

// flush is called with the lock held and releases it.
func (c *Conn) flush(big, tail []byte, onLoop bool) {
	o := &c.out
	checkHeld(&o.mu)
	if o.secure != nil {
		c.flushSealed(big, tail, onLoop)
		return
	}
	if len(big)+len(tail) > 0 {
		c.gather(big, tail)
	}
	for !o.writing && !o.blocked && o.err == nil && o.pool != nil {
		out := o.pool
		from := o.sent
		o.pool, o.sent = nil, 0
		if from == len(out.B) {
			keepPending(out)
			break
		}
		n, err := c.write(out.B[from:], nil, nil)
		o.putBack(out, from+n)
		c.wrote(n, err)
	}
	if o.pool == nil && !o.writing && o.fin && o.err == nil {
		o.fin, o.err = false, ErrClosed
		o.news |= newsFlushed
	}
	o.feed()
	c.tell(onLoop)
}

// gather appends big and tail, or writes them from where they are.
func (c *Conn) gather(big, tail []byte) {
	o := &c.out
	if len(big) < directSize || o.writing || o.blocked || o.err != nil {
		if o.err == nil {
			b := c.Buffer()
			*b = append(append(*b, big...), tail...)
		}
		return
	}
	c.Buffer()
	head, from := o.pool, o.sent
	o.pool, o.sent = nil, 0
	n, err := c.write(head.B[from:], big, tail)
	if left := len(head.B) - from; n < left {
		head.B = append(append(head.B, big...), tail...)
		o.putBack(head, from+n)
	} else if skip := n - left; skip < len(big)+len(tail) {
		head.B = head.B[:0]
		if skip < len(big) {
			head.B = append(append(head.B, big[skip:]...), tail...)
		} else {
			head.B = append(head.B, tail[skip-len(big):]...)
		}
		o.putBack(head, 0)
	} else {
		keepPending(head)
	}
	c.wrote(n, err)
}

// write is write(2) without the lock.
func (c *Conn) write(a, b, d []byte) (n int, err error) {
	o := &c.out
	o.writing, o.edge, o.flying = true, false, len(a)+len(b)+len(d)
	c.output.Store(true) // before the attempt: room that comes after it is heeded
	o.mu.Unlock()
	if len(b)+len(d) == 0 {
		n, err = c.loop.sys.Write(c.fd, a)
	} else {
		n, err = c.loop.sys.Writev(c.fd, a, b, d)
	}
	o.mu.Lock()
	o.writing, o.flying = false, 0
	return n, err
}

// putBack returns what write(2) did not take to the front of what was
// appended meanwhile.
func (o *output) putBack(out *bytebufferpool.ByteBuffer, sent int) {
	if sent == len(out.B) {
		keepPending(out)
		return
	}
	if sent >= len(out.B)-sent { // moving costs less than sending did
		out.B = out.B[:copy(out.B, out.B[sent:])]
		sent = 0
	}
	if o.pool != nil {
		if sent > 0 && len(out.B)+len(o.pool.B) > cap(out.B) {
			out.B = out.B[:copy(out.B, out.B[sent:])]
			sent = 0
		}
		out.B = append(out.B, o.pool.B...)
		keepPending(o.pool)
	}
	o.pool, o.sent = out, sent
}

// wrote processes the result of one write(2).
func (c *Conn) wrote(n int, err error) {
	o := &c.out
	o.taken += int64(max(n, 0))
	switch {
	case o.doomed:
		o.drop(o.err)
		o.news |= newsFree
	case err == nil:
	case err != ErrAgain:
		o.drop(err)
		o.news |= newsFailed
	case o.edge: // room came between the attempt and now: try again
	default:
		o.blocked = true
		o.news |= newsBlocked
	}
	if !o.blocked {
		c.output.Store(false)
	}
	if o.above && o.pending() <= c.loop.reactor.cfg.LowMark {
		o.above = false
		o.release()
		o.news |= newsDrained
	}
}

// drop ends the output with err and forgets what is pending.
func (o *output) drop(err error) {
	if o.err == nil {
		o.err = err
	}
	if o.pool != nil {
		keepPending(o.pool)
		o.pool, o.sent = nil, 0
	}
	if o.secure != nil {
		o.secure.drop()
	}
	o.blocked = false
	o.release()
}

// Wake wakes the producers that wait for Room, so that they check again whether
// they may append. The caller holds the lock.
func (c *Conn) Wake() {
	checkHeld(&c.out.mu)
	c.out.release()
}

// release wakes the producers that wait for room.
func (o *output) release() {
	o.starved = false
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
}

// tell unlocks and passes the news to the loop.
func (c *Conn) tell(onLoop bool) {
	o := &c.out
	switch {
	case o.news == 0 || o.told:
		o.mu.Unlock()
	case onLoop:
		n := o.news
		o.news = 0
		o.mu.Unlock()
		c.heed(n)
	default:
		o.told = true
		o.mu.Unlock()
		c.loop.Post((*newsTask)(c))
	}
}

// newsTask is a Conn as a task that processes the news of its output.
type newsTask Conn

func (t *newsTask) Run() {
	c := (*Conn)(t)
	o := c.lock()
	n := o.news
	o.news, o.told = 0, false
	o.mu.Unlock()
	c.heed(n)
}

// writable runs on the loop when the kernel announces room.
func (c *Conn) writable() {
	o := c.lock()
	switch {
	case o.writing:
		o.edge = true
		o.mu.Unlock()
	case !o.blocked:
		o.mu.Unlock()
	default:
		o.blocked = false
		c.flush(nil, nil, true)
	}
}
