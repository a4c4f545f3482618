//go:build unix

package reactor

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// sockets is the real kernel.
type sockets struct {
	unsent int // what it may hold of an outgoing connection beyond what it has sent
}

func (*sockets) Read(fd int, p []byte) (int, error) {
	for {
		n, err := read(fd, p)
		switch {
		case n > 0:
			return n, nil
		case err == nil:
			return 0, io.EOF
		case err != unix.EINTR:
			return 0, wouldBlock("read", err)
		}
	}
}

func (*sockets) Write(fd int, p []byte) (int, error) {
	for {
		n, err := write(fd, p)
		switch {
		case err == nil:
			return n, nil
		case err != unix.EINTR:
			return 0, wouldBlock("write", err)
		}
	}
}

func (*sockets) Writev(fd int, a, b, c []byte) (int, error) {
	var store [3][]byte
	iovs := store[:0]
	for _, p := range [...][]byte{a, b, c} {
		if len(p) > 0 {
			iovs = append(iovs, p)
		}
	}
	for {
		n, err := unix.Writev(fd, iovs)
		switch {
		case err == nil:
			return n, nil
		case err != unix.EINTR:
			return 0, wouldBlock("writev", err)
		}
	}
}

func (*sockets) Unacknowledged(fd int) (int, error) {
	n, err := unacknowledged(fd)
	return n, os.NewSyscallError("unacknowledged", err)
}

func (*sockets) ShutdownWrite(fd int) error {
	return os.NewSyscallError("shutdown", unix.Shutdown(fd, unix.SHUT_WR))
}

func (*sockets) Close(fd int, reset bool) error {
	if reset { // unix sockets have no RST; a failure only means an ordinary close
		_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	return os.NewSyscallError("close", unix.Close(fd))
}

func (*sockets) SocketError(fd int) error {
	code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && code != 0 {
		err = unix.Errno(code)
	}
	return os.NewSyscallError("socket", err)
}

func (*sockets) State(fd int) (ev Event) {
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLOUT | pollRDHUP}}
	if _, err := unix.Poll(fds[:], 0); err != nil {
		return Readable | Writable // reading and writing will show it
	}
	got := fds[0].Revents
	if got&unix.POLLIN != 0 {
		ev |= Readable
	}
	switch {
	case got&pollRDHUP != 0,
		pollRDHUP == 0 && got&(unix.POLLIN|unix.POLLHUP|unix.POLLERR) == unix.POLLIN && atEnd(fd):
		ev |= HalfClosed
	}
	if got&unix.POLLOUT != 0 {
		ev |= Writable
	}
	if got&(unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0 {
		ev |= Dead
	}
	return ev
}

// atEnd reports whether the next read would report the end. That read would
// clear an error that SocketError must return.
func atEnd(fd int) bool {
	var p [1]byte
	n, _, err := unix.Recvfrom(fd, p[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return n == 0 && err == nil
}

func wouldBlock(call string, err error) error {
	if err == unix.EAGAIN {
		return ErrAgain
	}
	return os.NewSyscallError(call, err)
}
