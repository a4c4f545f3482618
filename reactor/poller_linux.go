package reactor

import (
	"encoding/binary"
	"os"
	"time"

	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"golang.org/x/sys/unix"
)

func translate(ev netpoll.IOEvent, _ netpoll.IOFlags) (out Event) {
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

// bell wakes the loop: an eventfd, edge-triggered, so that it is never read.
type bell struct{ fd int }

var one = binary.NativeEndian.AppendUint64(nil, 1)

func (b *bell) open(p *netPoller) (err error) {
	b.fd, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("eventfd", err)
	}
	return p.poll.AddRead(p.attachment(b.fd), true)
}

// ring cannot fail while the bell is open: its counter would have to reach 2⁶⁴-1.
func (b *bell) ring(*netPoller) { _, _ = unix.Write(b.fd, one) }

func (b *bell) close() { closeOpen(b.fd) }

// alarm is a timerfd, edge-triggered, so that it is never read either.
type alarm struct{ fd int }

func (a *alarm) open(p *netPoller) (err error) {
	a.fd, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("timerfd_create", err)
	}
	return p.poll.AddRead(p.attachment(a.fd), true)
}

func (p *netPoller) Arm(at time.Time) {
	var spec unix.ItimerSpec
	if !at.IsZero() {
		wait := max(time.Until(at), time.Nanosecond) // zero would disarm
		spec.Value = unix.NsecToTimespec(int64(wait))
	}
	_ = unix.TimerfdSettime(p.alarm.fd, 0, &spec, nil) // fails only for a bad descriptor or value
}

func (a *alarm) silence() {}
func (a *alarm) close()   { closeOpen(a.fd) }

func closeOpen(fd int) {
	if fd > 0 {
		_ = unix.Close(fd) // nothing was written through it
	}
}
