package reactor

import (
	"io"
	"syscall"
)

// A File is what FileSender sends: an *[os.File], or what has one inside. Its
// methods are called on the goroutine that sends it, SyscallConn once for each
// piece, whose error then ends the sending.
type File interface {
	io.ReaderAt
	syscall.Conn
}

// A FileSender is a [System] whose kernel sends files without a copy in this
// process. SendFile must be safe for concurrent use.
type FileSender interface {
	// SendFile writes head, and behind it n bytes of f from offset off on, as far
	// as fd takes them at once, and returns how many bytes of both it has
	// written; ErrAgain says that fd takes no more for now. Any other error may
	// be the file's or the connection's; [io.ErrUnexpectedEOF] is the file's:
	// it ends before. Without an error at least one byte was written. Reading f
	// may wait for a disk.
	SendFile(fd int, head []byte, f File, off int64, n int) (int, error)
	// Widen makes fd take more than it has sent, for a file, whose bytes are not
	// copied, or no more than usual again.
	Widen(fd int, wide bool)
}

// filePiece is how much of a file one call of FileSender.SendFile is for: while
// it runs, the descriptor of a connection that has ended is not closed.
const filePiece = 1 << 20

// wideFrom is the size from which a file is worth the calls of Widen.
const wideFrom = 64 << 10

// SendsFiles reports whether [Conn.SendFile] can be used: not with TLS, and not
// with every kernel.
func (c *Conn) SendsFiles() bool { return c.loop.files != nil && c.out.secure == nil }

// SendFile writes what is pending, and behind it n bytes of f from offset off
// on, without a copy of the file in this process. The caller holds the lock; it
// is released during the system calls, and held again when SendFile returns:
// count what was sent, and call Flush. Since reading f may wait for a disk,
// SendFile must not be called on a loop.
//
// It does not wait for the peer. If less than n bytes were sent and err is nil,
// room is closed when there may be room for more, or output has ended, which Err
// reports then. An error is why output has ended, or else that f cannot be sent
// like this: send the rest with FlushWith, which fails if it was the
// connection's. [io.ErrUnexpectedEOF] is for a file that ends before.
func (c *Conn) SendFile(f File, off int64, n int) (sent int, room <-chan struct{}, err error) {
	o := &c.out
	checkHeld(&o.mu)
	for sent < n && err == nil && !o.writing && !o.blocked {
		if err = c.Err(); err != nil {
			return sent, nil, err
		}
		out, from := o.pool, o.sent
		o.pool, o.sent = nil, 0
		var head []byte
		if out != nil {
			head = out.B[from:]
		}
		if n > wideFrom && !o.wide {
			o.wide = true
			c.loop.files.Widen(c.fd, true)
		}
		took, fault := c.writeFile(head, f, off+int64(sent), min(n-sent, filePiece))
		sent += max(0, took-len(head))
		if out != nil {
			o.putBack(out, from+min(took, len(head)))
		}
		if fault != nil && fault != ErrAgain {
			err, fault = fault, nil
		}
		c.wrote(took, fault)
	}
	if sent == n || err != nil {
		return sent, nil, err
	}
	if err := c.Err(); err != nil {
		return sent, nil, err
	}
	o.starved = true
	if o.room == nil {
		o.room = make(chan struct{})
	}
	return sent, o.room, nil
}

// Narrow undoes what SendFile has done for a large file, of which the kernel takes
// more than usual: call it before a response that is not a file. The caller
// holds the lock.
func (c *Conn) Narrow() {
	o := &c.out
	checkHeld(&o.mu)
	if o.wide {
		o.wide = false
		c.loop.files.Widen(c.fd, false)
	}
}

// writeFile is write for a file behind head.
func (c *Conn) writeFile(head []byte, f File, off int64, n int) (took int, err error) {
	o := &c.out
	o.writing, o.edge, o.flying = true, false, len(head)
	c.output.Store(true) // before the attempt: room that comes after it is heeded
	o.mu.Unlock()
	took, err = c.loop.files.SendFile(c.fd, head, f, off, n)
	o.mu.Lock()
	o.writing, o.flying = false, 0
	return took, err
}

// feed wakes the goroutine that waits to send more of a file, if it may, or has
// to learn that it never will. The lock is held.
func (o *output) feed() {
	if o.starved && !o.writing && (!o.blocked || o.fin || o.err != nil) {
		o.release()
	}
}
