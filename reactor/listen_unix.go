//go:build unix

package reactor

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/panjf2000/gnet/v2/pkg/socket"
	"golang.org/x/sys/unix"
)

// descriptorReserve is what connections do not use, for files, an admin server
// and whatever else the process opens, loopDescriptors what each loop needs for
// its poller and its listeners.
const (
	descriptorReserve = 64
	loopDescriptors   = 4
)

// DescriptorBudget raises the soft limit on descriptors to the hard one and
// returns how many of them the connections of a process may hold: all but a
// reserve of 64, and 4 for each processor's loop. It is the default of
// [Config].MaxOpen.
func DescriptorBudget() int {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return 1 << 10
	}
	if lim.Cur < lim.Max {
		raised := unix.Rlimit{Cur: lim.Max, Max: lim.Max}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &raised); err == nil {
			lim = raised
		}
	}
	return max(16, int(min(lim.Cur, 1<<24))-descriptorReserve-loopDescriptors*runtime.GOMAXPROCS(0))
}

// bind opens the listening sockets of one address: on Linux one for each loop,
// between which the kernel distributes, elsewhere and for unix sockets one.
func (r *Reactor) bind(addr string) ([]*listener, error) {
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		lis, err := bindUnix(path)
		return []*listener{lis}, err
	}
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return nil, err
	}
	if !reusePort || len(r.all) == 1 {
		lis, err := bindTCP(tcp, false, r.cfg.unsent())
		return []*listener{lis}, err
	}
	if tcp.Port != 0 { // another process that shares the port would go unnoticed: try without
		probe, err := bindTCP(tcp, false, r.cfg.unsent())
		if err != nil {
			return nil, err
		}
		_ = unix.Close(probe.fd) // never accepted from
	}
	var group []*listener
	for range r.all {
		lis, err := bindTCP(tcp, true, r.cfg.unsent())
		if err != nil {
			for _, l := range group {
				_ = unix.Close(l.fd) // never accepted from
			}
			return nil, err
		}
		tcp = lis.addr.(*net.TCPAddr) // the next ones take the port that the first got
		group = append(group, lis)
	}
	return group, nil
}

const reusePort = runtime.GOOS == "linux"

func bindTCP(addr *net.TCPAddr, shared bool, unsent int) (*listener, error) {
	opts := []socket.Option[int]{{SetSockOpt: socket.SetReuseAddr, Opt: 1}}
	if shared {
		opts = append(opts, socket.Option[int]{SetSockOpt: socket.SetReuseport, Opt: 1})
	}
	// Accepted connections inherit these.
	opts = append(opts,
		socket.Option[int]{SetSockOpt: socket.SetNoDelay, Opt: 1},
		socket.Option[int]{SetSockOpt: setKeepAlive, Opt: 15},
		socket.Option[int]{SetSockOpt: setUnsent, Opt: unsent})
	fd, _, err := socket.TCPSocket("tcp", listenString(addr), true, opts, nil)
	if err != nil {
		return nil, bindError(err)
	}
	got, err := localTCP(fd)
	if err != nil {
		_ = unix.Close(fd) // the cause is err
		return nil, err
	}
	return &listener{fd: fd, addr: got, share: !shared}, nil
}

func setKeepAlive(fd, seconds int) error {
	return socket.SetKeepAlivePeriod(fd, seconds)
}

// setUnsent bounds what the kernel accepts beyond what it has sent. It may
// accept one piece of 64 KiB more.
func setUnsent(fd, bytes int) error {
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, bytes))
}

// listenString names all interfaces, of both families if the machine has IPv6.
func listenString(addr *net.TCPAddr) string {
	switch {
	case addr.IP != nil:
		return addr.String()
	case haveIPv6():
		return ":" + strconv.Itoa(addr.Port)
	}
	return "0.0.0.0:" + strconv.Itoa(addr.Port)
}

var haveIPv6 = sync.OnceValue(func() bool {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return unix.Bind(fd, &unix.SockaddrInet6{Addr: [16]byte{15: 1}}) == nil
})

func localTCP(fd int) (net.Addr, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return nil, os.NewSyscallError("getsockname", err)
	}
	return net.TCPAddrFromAddrPort(addrPort(sa)), nil
}

func bindError(err error) error {
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return fmt.Errorf("%w: another process, or an earlier instance, has this port; stop it or choose another", err)
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("%w: ports below 1024 need privileges (CAP_NET_BIND_SERVICE)", err)
	}
	return err
}

func accept(fd int) (int, netip.AddrPort, error) {
	for {
		nfd, sa, err := socket.Accept(fd)
		switch {
		case err == nil:
			return nfd, addrPort(sa), nil
		case errors.Is(err, unix.EAGAIN):
			return 0, netip.AddrPort{}, ErrAgain
		case !errors.Is(err, unix.EINTR):
			return 0, netip.AddrPort{}, os.NewSyscallError("accept", err)
		}
	}
}

func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

func noDescriptors(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE)
}

// aborted are errors of one connection, not of the listener.
func aborted(err error) bool {
	return errors.Is(err, unix.ECONNABORTED) || errors.Is(err, unix.EPROTO) || errors.Is(err, unix.EPERM)
}

// spareDescriptor is kept so that, when descriptors have run out, a connection
// can still be accepted and refused. All loops accept through it: what one of
// them frees for a moment must not go to another's connection, or the spare
// would be lost for as long as descriptors are short.
//
// Other code of the process may open a file just then. The descriptor is
// missing after that, and the next one that becomes free takes its place,
// before a connection gets it.
type spareDescriptor struct {
	mu   sync.RWMutex // read: to accept
	f    *os.File
	over bool // the reactor has closed
}

func (s *spareDescriptor) open() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.take()
}

func (s *spareDescriptor) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.give()
	s.over = true
}

func (s *spareDescriptor) take() {
	if s.f == nil && !s.over {
		s.f, _ = os.Open(os.DevNull) // without it, refuse returns accept's error
	}
}

func (s *spareDescriptor) give() {
	if s.f != nil {
		_ = s.f.Close() // the null device
		s.f = nil
	}
}

func (s *spareDescriptor) accept(listener int) (int, netip.AddrPort, error) {
	s.mu.RLock()
	missing := s.f == nil
	s.mu.RUnlock()
	if missing {
		s.open()
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return accept(listener)
}

// refuse frees the spare descriptor for as long as it takes to accept, respond
// and close. The error is that of accept, ErrAgain if no connection waits.
func (s *spareDescriptor) refuse(listener int, refusal []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.give()
	defer s.take()
	fd, _, err := accept(listener)
	if err == nil {
		refuseNow(new(sockets), fd, refusal)
	}
	return err
}

// refuseNow responds and closes without waiting for anything. Input that has
// arrived is read, so that closing does not send RST after the response.
func refuseNow(sys System, fd int, refusal []byte) {
	var scrap [4 << 10]byte
	_, _ = sys.Write(fd, refusal) // who does not get it sees the end instead
	_ = sys.ShutdownWrite(fd)
	_, _ = sys.Read(fd, scrap[:])
	_ = sys.Close(fd, false)
}
