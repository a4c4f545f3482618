//go:build unix

package mock

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// Refuse makes new connections be refused from now on, as if the server's
// process had ended; open ones continue. The port stays the server's own.
func (s *Server) Refuse() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return nil
	}
	s.stopListening()
	fd, err := bind(netip.MustParseAddrPort(s.Addr()))
	s.holder = fd
	return err
}

// Accept takes connections again after Refuse.
func (s *Server) Accept() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holder < 0 {
		return nil
	}
	l, err := listen(s.holder, syscall.SOMAXCONN)
	s.release()
	if err != nil {
		return err
	}
	s.accept(l)
	return nil
}

func (s *Server) release() {
	if s.holder >= 0 {
		_ = syscall.Close(s.holder) // a bound socket has nothing to lose
		s.holder = -1
	}
}

// Refused returns an address, host:port, at which connections are refused for
// the time of a test: it is bound, so that no other process gets it, and not
// listened on.
func Refused(t TB) string {
	t.Helper()
	fd, err := bind(loopback)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	return address(t, fd)
}

// Silent returns an address, host:port, at which connections are neither
// accepted nor refused for the time of a test: dialling waits. It needs
// Linux's way of ignoring a SYN when a listener's queue is full.
func Silent(t TB) string {
	t.Helper()
	fd, err := bind(loopback)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Listen(fd, 0); err != nil { // a queue for one
		t.Fatalf("mock: listen: %v", err)
	}
	addr := address(t, fd)
	filler, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatalf("mock: %v", err)
	}
	t.Cleanup(func() { _ = filler.Close() })
	return addr
}

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

// bind returns a socket that has the address and does not listen.
func bind(at netip.AddrPort) (fd int, err error) {
	family, sa := syscall.AF_INET6, syscall.Sockaddr(&syscall.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()})
	if at.Addr().Is4() {
		family, sa = syscall.AF_INET, &syscall.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
	}
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err = syscall.Socket(family, syscall.SOCK_STREAM, 0)
	if err != nil {
		return -1, fmt.Errorf("mock: socket: %w", err)
	}
	syscall.CloseOnExec(fd)
	// Connections of a former listener may still have the port.
	err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err == nil {
		err = syscall.Bind(fd, sa)
	}
	if err != nil {
		_ = syscall.Close(fd) // the first error is the one to report
		return -1, fmt.Errorf("mock: bind %v: %w", at, err)
	}
	return fd, nil
}

// listen returns a listener on a copy of the socket.
func listen(fd, backlog int) (net.Listener, error) {
	if err := syscall.Listen(fd, backlog); err != nil {
		return nil, fmt.Errorf("mock: listen: %w", err)
	}
	copied, err := syscall.Dup(fd)
	if err != nil {
		return nil, fmt.Errorf("mock: dup: %w", err)
	}
	f := os.NewFile(uintptr(copied), "listener")
	defer f.Close()
	l, err := net.FileListener(f) // on yet another copy
	if err != nil {
		return nil, fmt.Errorf("mock: %w", err)
	}
	return l, nil
}

func address(t TB, fd int) string {
	t.Helper()
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatalf("mock: getsockname: %v", err)
	}
	in4, ok := sa.(*syscall.SockaddrInet4)
	if !ok {
		t.Fatalf("mock: getsockname: got %T, want an IPv4 address", sa)
	}
	return netip.AddrPortFrom(netip.AddrFrom4(in4.Addr), uint16(in4.Port)).String()
}
