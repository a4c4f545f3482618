//go:build unix

package reactor

import (
	"sync/atomic"

	gneterrors "github.com/panjf2000/gnet/v2/pkg/errors"
	"github.com/panjf2000/gnet/v2/pkg/netpoll"
)

// netPoller is a Poller on gnet's epoll or kqueue. The clock and, on Linux,
// the wake-up are descriptors of our own (alarm, bell), so that neither a
// timer nor a wake costs a goroutine or an allocation.
type netPoller struct {
	poll  *netpoll.Poller
	bell  bell
	alarm alarm
	sink  Sink
	scrap netpoll.PollAttachment // netpoll takes the descriptor from it and does not keep it
	woken atomic.Bool
	over  bool
}

func (sockets) NewPoller() (Poller, error) {
	poll, err := netpoll.OpenPoller()
	if err != nil {
		return nil, err
	}
	p := &netPoller{poll: poll}
	if err = p.bell.open(p); err == nil {
		err = p.alarm.open(p)
	}
	if err != nil {
		_ = p.Close() // the cause is err
		return nil, err
	}
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
		p.bell.ring(p)
	}
}

// answer runs on the loop when the bell was heard.
func (p *netPoller) answer() error {
	p.woken.Store(false) // before the work: what is posted during it rings again
	if p.over = !p.sink.Woken(); p.over {
		return gneterrors.ErrEngineShutdown
	}
	return nil
}

func (p *netPoller) Run(s Sink) error {
	p.sink = s
	err := p.poll.Polling(p.event)
	if p.over {
		return nil
	}
	return err
}

func (p *netPoller) event(fd int, ev netpoll.IOEvent, flags netpoll.IOFlags) error {
	switch fd {
	case p.bell.fd:
		return p.answer()
	case p.alarm.fd:
		p.alarm.silence()
		p.sink.Tick()
	default:
		p.sink.Ready(fd, translate(ev, flags))
	}
	return nil
}

func (p *netPoller) Close() error {
	p.bell.close()
	p.alarm.close()
	return p.poll.Close()
}
