package reactor

import (
	"io"

	"golang.org/x/sys/unix"
)

var _ FileSender = (*sockets)(nil)

// SendFile implements FileSender by sendfile(2). head is sent with MSG_MORE, so
// that it shares a segment with what follows.
func (*sockets) SendFile(fd int, head []byte, f File, off int64, n int) (taken int, err error) {
	for len(head) > taken {
		k, err := unix.SendmsgN(fd, head[taken:], nil, nil, unix.MSG_MORE|unix.MSG_NOSIGNAL)
		switch {
		case err == nil:
			taken += k
		case err != unix.EINTR:
			return taken, wouldBlock("sendmsg", err)
		}
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return taken, err
	}
	var fault error
	err = raw.Control(func(src uintptr) {
		for n > 0 {
			k, err := unix.Sendfile(fd, int(src), &off, n) // advances off
			switch {
			case k > 0:
				n -= k
				taken += k
			case err == nil:
				fault = io.ErrUnexpectedEOF
				return
			case err != unix.EINTR:
				fault = wouldBlock("sendfile", err)
				return
			}
		}
	})
	if err != nil { // f is closed
		return taken, err
	}
	return taken, fault
}

// wide is what the kernel takes of a file beyond what it has sent, if its buffer
// grows to that. It refers to the file's pages, and copies none.
const wide = 4 << 20

// Widen implements FileSender. With the usual bound a file of 1 MiB costs half as
// much again: the kernel sends smaller packets and stops more often.
func (s *sockets) Widen(fd int, on bool) {
	n := s.unsent
	if on {
		n = max(n, wide)
	}
	_ = setUnsent(fd, n) // a unix socket has no such bound
}
