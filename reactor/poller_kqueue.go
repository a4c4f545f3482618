//go:build unix && !linux

package reactor

import (
	"sync/atomic"
	"time"

	gneterrors "github.com/panjf2000/gnet/v2/pkg/errors"
	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"github.com/panjf2000/gnet/v2/pkg/queue"
	"golang.org/x/sys/unix"
)

// netPoller is a Poller on gnet's kqueue. The wake-up and the clock, a timer
// of the runtime, go by its queue of tasks.
type netPoller struct {
	poll  *netpoll.Poller
	clock *time.Timer
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
	p.clock = time.AfterFunc(time.Hour, func() { p.trigger(tick) })
	p.clock.Stop()
	return p, nil
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

// trigger fails only when the poller is closed, and then nobody waits for it.
func (p *netPoller) trigger(f queue.Func) { _ = p.poll.Trigger(queue.HighPriority, f, p) }

func answer(p any) error { return p.(*netPoller).answer() }

// answer runs on the loop after a Wake.
func (p *netPoller) answer() error {
	p.woken.Store(false) // before the work: what is posted during it wakes again
	if p.over = !p.sink.Woken(); p.over {
		return gneterrors.ErrEngineShutdown
	}
	return nil
}

func tick(p any) error { p.(*netPoller).sink.Tick(); return nil }

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
	return p.poll.Close()
}

// translate reads a kevent. kqueue reports the end of a direction with EV_EOF
// on its filter: on the read filter the peer shut its sending side, on the
// write filter nobody reads any more.
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

// pollRDHUP is Linux's: elsewhere FIN is seen when the input before it was read.
const pollRDHUP = 0

// read and write are the ordinary system calls.
func read(fd int, p []byte) (int, error)  { return unix.Read(fd, p) }
func write(fd int, p []byte) (int, error) { return unix.Write(fd, p) }
