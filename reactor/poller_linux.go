package reactor

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/bytesx"
)

const (
	eventsPerRound = 256
	yieldAfter     = 64 // events without a wait, after which others on this processor get their turn
)

// epoller is a Poller on epoll that waits as a goroutine does, not in the
// kernel: epoll's own descriptor is registered with the runtime's poller, and
// a loop without events parks until it becomes readable. A thread that blocked
// in epoll_wait would take its processor (P) with it, until the scheduler
// notices and starts another thread: with streams fed by goroutines that costs
// more than the loop does (docs/adr/0003).
//
//	epoll_wait(0) ── events ──> Sink.Ready …, Sink.Woken ───────────────┐
//	      └── none ──> park until readable ─────────────────────────────┴──> again
//	                        or the alarm ── rounds until one is not full ──> Sink.Tick
type epoller struct {
	fd    int      // file's
	last  int      // the highest descriptor that was added
	bell  int      // an eventfd, edge-triggered, so that it is never read
	file  *os.File // keeps fd in the runtime's poller
	wait  syscall.RawConn
	woken atomic.Bool

	got    int // events of this round
	err    error
	look   func(uintptr) bool // poll, made once
	events [eventsPerRound]unix.EpollEvent
}

func (*sockets) NewPoller() (Poller, error) {
	p := new(epoller)
	if err := p.open(); err != nil {
		_ = p.Close() // the cause is err
		return nil, err
	}
	return p, nil
}

func (p *epoller) open() (err error) {
	if p.fd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if err = unix.SetNonblock(p.fd, true); err != nil { // os.NewFile goes by it
		_ = unix.Close(p.fd) // the cause is err
		return os.NewSyscallError("fcntl", err)
	}
	p.file = os.NewFile(uintptr(p.fd), "epoll")
	if err = p.file.SetReadDeadline(time.Time{}); err != nil {
		return err // the runtime does not poll it
	}
	if p.wait, err = p.file.SyscallConn(); err != nil {
		return err
	}
	p.look = p.poll
	if p.bell, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return os.NewSyscallError("eventfd", err)
	}
	return p.add(p.bell, unix.EPOLLIN|unix.EPOLLET)
}

func (p *epoller) add(fd int, events uint32) error {
	p.last = max(p.last, fd)
	ev := unix.EpollEvent{Fd: int32(fd), Events: events}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &ev))
}

func (p *epoller) Add(fd int) error {
	return p.add(fd, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLRDHUP|unix.EPOLLET)
}

func (p *epoller) AddListener(fd int) error { return p.add(fd, unix.EPOLLIN) }

func (p *epoller) Remove(fd int) error {
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.fd, unix.EPOLL_CTL_DEL, fd, nil))
}

var one = binary.NativeEndian.AppendUint64(nil, 1)

func (p *epoller) Wake() {
	if p.woken.CompareAndSwap(false, true) {
		_, _ = bytesx.Write(p.bell, one) // fails only when its counter is at 2⁶⁴-1
	}
}

// Arm sets the deadline of the wait, which is a timer of the runtime.
func (p *epoller) Arm(at time.Time) {
	_ = p.file.SetReadDeadline(at) // fails only when the file is closed
}

func (p *epoller) Run(s Sink) error {
	for busy := 0; ; {
		err := p.wait.Read(p.look)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = p.overdue(s)
		} else if err == nil {
			err = p.round(s)
		}
		switch {
		case err == errStopped:
			return nil
		case err != nil:
			return err
		}
		if busy += p.got; busy >= yieldAfter {
			busy = 0
			runtime.Gosched()
		}
	}
}

// errStopped ends Run: the sink wants no more.
var errStopped = errors.New("reactor: the loop has stopped")

// overdue delivers what is ready and then calls Tick, until that says that it
// has run. epoll reports descriptors in the order in which they became ready:
// a round that is not full was the last of what there was, and after as many
// rounds as all descriptors take, what comes is new.
func (p *epoller) overdue(s Sink) error {
	p.Arm(time.Time{})
	for done := false; !done; done = s.Tick() {
		for left := 1 + p.last/eventsPerRound; left > 0; left-- {
			p.poll(0)
			if err := p.round(s); err != nil {
				return err
			}
			if p.got < eventsPerRound {
				break
			}
		}
	}
	return nil
}

// round delivers the events that poll has found.
func (p *epoller) round(s Sink) error {
	switch {
	case p.err == unix.EINTR:
	case p.err != nil:
		return os.NewSyscallError("epoll_wait", p.err)
	case !p.deliver(s):
		return errStopped
	}
	return nil
}

// poll looks for events without waiting. The runtime calls it again when there
// may be some.
func (p *epoller) poll(uintptr) (done bool) {
	p.got, p.err = bytesx.EpollWait(p.fd, p.events[:])
	return p.got > 0 || p.err != nil
}

// deliver delivers the events of a round, the wake-up last.
func (p *epoller) deliver(s Sink) (more bool) {
	rang := false
	for i := range p.got {
		ev := &p.events[i]
		if int(ev.Fd) == p.bell {
			rang = true
			continue
		}
		s.Ready(int(ev.Fd), translate(ev.Events))
	}
	if !rang {
		return true
	}
	p.woken.Store(false) // before the work: what is posted during it rings again
	return s.Woken()
}

func (p *epoller) Close() error {
	if p.bell > 0 {
		_ = unix.Close(p.bell) // nothing was written that could be lost
	}
	if p.file == nil {
		return nil
	}
	return p.file.Close()
}

func translate(ev uint32) (out Event) {
	if ev&unix.EPOLLIN != 0 {
		out |= Readable
	}
	if ev&unix.EPOLLOUT != 0 {
		out |= Writable
	}
	if ev&unix.EPOLLRDHUP != 0 {
		out |= HalfClosed
	}
	if ev&(unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		out |= Dead
	}
	return out
}

// pollRDHUP asks poll(2) for the peer's FIN behind unread input.
const pollRDHUP = unix.POLLRDHUP

// longWrite is what the kernel copies in some ten microseconds: what takes
// longer is announced to the scheduler.
const longWrite = 64 << 10

// read and write on a non-blocking socket only copy: to announce them to
// the scheduler costs more than it gains.
func read(fd int, p []byte) (int, error) { return bytesx.Recv(fd, p) }

func write(fd int, p []byte) (int, error) {
	if len(p) > longWrite {
		return unix.Write(fd, p)
	}
	return bytesx.Send(fd, p)
}

func unacknowledged(fd int) (int, error) { return unix.IoctlGetInt(fd, unix.SIOCOUTQ) }
