//go:build unix && !linux

package reactor

import (
	"time"

	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"github.com/panjf2000/gnet/v2/pkg/queue"
	"golang.org/x/sys/unix"
)

// kqueue reports the end of a direction with EV_EOF on its filter: on the read
// filter the peer shut its sending side, on the write filter nobody reads any
// more.
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

// bell wakes the loop by netpoll's own task queue.
type bell struct{ fd int }

func (b *bell) open(*netPoller) error { b.fd = -1; return nil }
func (b *bell) close()                {}

func (b *bell) ring(p *netPoller) {
	_ = p.poll.Trigger(queue.HighPriority, answer, p) // fails only when the poller is closed
}

func answer(p any) error { return p.(*netPoller).answer() }

// alarm is a timer of the runtime that rings the bell.
type alarm struct {
	fd    int
	timer *time.Timer
}

func (a *alarm) open(p *netPoller) error {
	a.fd = -1
	a.timer = time.AfterFunc(time.Hour, func() {
		_ = p.poll.Trigger(queue.HighPriority, tick, p) // as in ring
	})
	a.timer.Stop()
	return nil
}

func tick(p any) error { p.(*netPoller).sink.Tick(); return nil }

func (p *netPoller) Arm(at time.Time) {
	if at.IsZero() {
		p.alarm.timer.Stop()
		return
	}
	p.alarm.timer.Reset(time.Until(at))
}

func (a *alarm) silence() {}

func (a *alarm) close() {
	if a.timer != nil {
		a.timer.Stop()
	}
}
