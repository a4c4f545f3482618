//go:build unix && !linux

package reactor

import (
	"os"
	"sync"
	"sync/atomic"
	"time"

	gneterrors "github.com/panjf2000/gnet/v2/pkg/errors"
	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	gnetqueue "github.com/panjf2000/gnet/v2/pkg/queue"
	"golang.org/x/sys/unix"
)

// netPoller is a Poller on gnet's kqueue. The wake-up goes by its queue of
// tasks; the clock, a timer of the runtime, writes to a pipe: kqueue reports
// descriptors in the order in which they became ready, so that what was ready
// before the alarm is delivered before it.
type netPoller struct {
	poll  *netpoll.Poller
	clock *time.Timer
	alarm [2]int // the pipe; mu guards it against closing

	mu     sync.Mutex
	closed bool

	sink  Sink
	scrap netpoll.PollAttachment // netpoll takes the descriptor from it and does not keep it
	woken atomic.Bool
	over  bool
}

func (*sockets) NewPoller() (Poller, error) {
	poll, err := netpoll.OpenPoller()
	if err != nil {
		return nil, err
	}
	p := &netPoller{poll: poll}
	if err := p.open(); err != nil {
		_ = poll.Close() // the cause is err
		return nil, err
	}
	return p, nil
}

func (p *netPoller) open() error {
	if err := unix.Pipe(p.alarm[:]); err != nil {
		return os.NewSyscallError("pipe", err)
	}
	for _, fd := range p.alarm {
		unix.CloseOnExec(fd)
		if err := unix.SetNonblock(fd, true); err != nil {
			p.closeAlarm()
			return os.NewSyscallError("fcntl", err)
		}
	}
	if err := p.poll.AddRead(p.attachment(p.alarm[0]), false); err != nil {
		p.closeAlarm()
		return err
	}
	p.clock = time.AfterFunc(time.Hour, p.ring)
	p.clock.Stop()
	return nil
}

func (p *netPoller) closeAlarm() {
	for _, fd := range p.alarm {
		_ = unix.Close(fd) // a pipe
	}
}

// ring puts the alarm behind what is ready. The clock calls it on a goroutine
// of its own.
func (p *netPoller) ring() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		_, _ = unix.Write(p.alarm[1], []byte{0}) // fails only when the pipe is full of alarms
	}
}

// rang runs on the loop after ring.
func (p *netPoller) rang() {
	var all [16]byte
	_, _ = unix.Read(p.alarm[0], all[:]) // it was reported as readable
	if !p.sink.Tick() {
		p.ring()
	}
}

func (p *netPoller) attachment(fd int) *netpoll.PollAttachment {
	p.scrap.FD = fd
	return &p.scrap
}

func (p *netPoller) Add(fd int) error         { return p.poll.AddReadWrite(p.attachment(fd), true) }
func (p *netPoller) AddListener(fd int) error { return p.poll.AddRead(p.attachment(fd), false) }
func (p *netPoller) Remove(fd int) error      { return p.poll.Delete(fd) }

func (p *netPoller) Wake() {
	if p.woken.CompareAndSwap(false, true) {
		p.trigger(answer)
	}
}

// trigger fails only if the poller is closed, and then nothing waits for it.
func (p *netPoller) trigger(f gnetqueue.Func) { _ = p.poll.Trigger(gnetqueue.HighPriority, f, p) }

func answer(p any) error { return p.(*netPoller).answer() }

// answer runs on the loop after a Wake.
func (p *netPoller) answer() error {
	p.woken.Store(false) // before the work: what is posted during it wakes again
	if p.over = !p.sink.Woken(); p.over {
		return gneterrors.ErrEngineShutdown
	}
	return nil
}

func (p *netPoller) Arm(at time.Time) {
	if at.IsZero() {
		p.clock.Stop()
		return
	}
	p.clock.Reset(time.Until(at))
}

func (p *netPoller) Run(s Sink) error {
	p.sink = s
	err := p.poll.Polling(func(fd int, filter netpoll.IOEvent, flags netpoll.IOFlags) error {
		if fd == p.alarm[0] {
			p.rang()
			return nil
		}
		p.sink.Ready(fd, translate(filter, flags))
		return nil
	})
	if p.over {
		return nil
	}
	return err
}

func (p *netPoller) Close() error {
	p.clock.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.closeAlarm()
	return p.poll.Close()
}

// translate reads a kevent. kqueue reports the end of a direction with EV_EOF
// on its filter: on the read filter the peer shut down its write side, on the
// write filter it no longer reads.
func translate(filter netpoll.IOEvent, flags netpoll.IOFlags) (out Event) {
	switch filter {
	case unix.EVFILT_READ:
		out = Readable
		if flags&unix.EV_EOF != 0 {
			out |= HalfClosed
		}
	case unix.EVFILT_WRITE:
		out = Writable
		if flags&unix.EV_EOF != 0 {
			out |= Dead
		}
	}
	if flags&unix.EV_ERROR != 0 {
		out |= Dead
	}
	return out
}

// pollRDHUP is Linux's: elsewhere FIN is seen when the input before it was
// read.
const pollRDHUP = 0

// read and write are the ordinary system calls.
func read(fd int, p []byte) (int, error)  { return unix.Read(fd, p) }
func write(fd int, p []byte) (int, error) { return unix.Write(fd, p) }

func unacknowledged(fd int) (int, error) {
	return unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_NWRITE)
}
