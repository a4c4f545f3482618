//go:build unix

package reactor

import (
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/panjf2000/gnet/v2/pkg/socket"
	"golang.org/x/sys/unix"
)

func (s *sockets) Connect(addr string) (fd int, err error) {
	var sa unix.Sockaddr
	family := unix.AF_UNIX
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		sa = &unix.SockaddrUnix{Name: path}
	} else if family, sa, err = tcpSockaddr(addr); err != nil {
		return 0, err
	}
	if fd, err = nonblockingSocket(family); err != nil {
		return 0, err
	}
	if family != unix.AF_UNIX {
		if err = socket.SetNoDelay(fd, 1); err == nil {
			err = setUnsent(fd, s.unsent)
		}
	}
	if err == nil {
		if err = unix.Connect(fd, sa); err == unix.EINPROGRESS {
			err = nil
		}
	}
	if err != nil {
		_ = unix.Close(fd) // the cause is err
		return 0, os.NewSyscallError("connect", err)
	}
	return fd, nil
}

func tcpSockaddr(addr string) (int, unix.Sockaddr, error) {
	ap, err := netip.ParseAddrPort(addr)
	switch {
	case err != nil:
		return 0, nil, fmt.Errorf("reactor: dialling needs an address and a port: %w", err)
	case ap.Addr().Is4():
		return unix.AF_INET, &unix.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()}, nil
	}
	return unix.AF_INET6, &unix.SockaddrInet6{Port: int(ap.Port()), Addr: ap.Addr().As16()}, nil
}

func nonblockingSocket(family int) (int, error) {
	fd, err := unix.Socket(family, unix.SOCK_STREAM, 0)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	unix.CloseOnExec(fd)
	if err = unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd) // the cause is err
		return 0, os.NewSyscallError("fcntl", err)
	}
	return fd, nil
}
