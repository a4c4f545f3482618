package memloop

import (
	"time"

	"weir/reactor"
)

const (
	bell           = -1  // the place of a wake among the descriptors of a round
	eventsPerRound = 256 // as with epoll
)

// poller has the events of one loop. Kernel.mu guards next and rung.
type poller struct {
	kernel *Kernel
	next   []int // descriptors of later rounds, in the order of their edges
	rung   bool  // bell is in next
	signal chan struct{}
	timer  *time.Timer
	round  []event
}

type event struct {
	fd int
	ev reactor.Event
}

// NewPoller implements reactor.System.
func (k *Kernel) NewPoller() (reactor.Poller, error) {
	p := &poller{kernel: k, signal: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
	p.timer.Stop()
	return p, nil
}

// enqueue puts fd into the next round. Kernel.mu is held.
func (p *poller) enqueue(fd int) {
	p.next = append(p.next, fd)
	p.ring()
}

// ring makes Run look for events.
func (p *poller) ring() {
	select {
	case p.signal <- struct{}{}:
	default:
	}
}

func (p *poller) Add(fd int) error {
	c, err := p.kernel.at(fd)
	if err != nil {
		return err
	}
	defer p.kernel.mu.Unlock()
	c.poller, c.queued = p, false
	if c.ready() != 0 {
		c.edge()
	}
	return nil
}

func (p *poller) AddListener(int) error { return errNoListeners }

func (p *poller) Remove(fd int) error {
	c, err := p.kernel.at(fd)
	if err != nil {
		return err
	}
	defer p.kernel.mu.Unlock()
	c.poller = nil
	return nil
}

func (p *poller) Wake() {
	p.kernel.mu.Lock()
	defer p.kernel.mu.Unlock()
	if !p.rung {
		p.rung = true
		p.enqueue(bell)
	}
}

func (p *poller) Arm(at time.Time) {
	if at.IsZero() {
		p.timer.Stop()
		return
	}
	p.timer.Reset(time.Until(at))
}

// Run implements reactor.Poller. As epoll does, it fixes the events of a round
// when the round begins: what a handler closes meanwhile may still get an
// event.
func (p *poller) Run(s reactor.Sink) error {
	for {
		select {
		case <-p.signal:
			if !p.deliver(s) {
				return nil
			}
		case <-p.timer.C:
			if !p.overdue(s) {
				return nil
			}
		}
	}
}

// overdue delivers what is ready before each Tick.
func (p *poller) overdue(s reactor.Sink) (more bool) {
	for done := false; !done; done = s.Tick() {
		for left := p.waiting(); left > 0; left -= eventsPerRound {
			if !p.deliver(s) {
				return false
			}
		}
	}
	return true
}

func (p *poller) waiting() int {
	p.kernel.mu.Lock()
	defer p.kernel.mu.Unlock()
	return len(p.next)
}

// deliver is one round.
func (p *poller) deliver(s reactor.Sink) (more bool) {
	p.collect()
	defer func() { p.round = p.round[:0] }()
	for _, e := range p.round {
		if e.fd != bell {
			s.Ready(e.fd, e.ev)
		} else if !s.Woken() {
			return false
		}
	}
	return true
}

// collect turns the edges so far into the events of a round.
func (p *poller) collect() {
	k := p.kernel
	k.mu.Lock()
	defer k.mu.Unlock()
	part := p.next[:min(len(p.next), eventsPerRound)]
	for _, fd := range part {
		if fd == bell {
			p.rung = false
			p.round = append(p.round, event{fd: bell})
			continue
		}
		if c := k.table[fd]; c != nil && c.poller == p && c.queued {
			c.queued = false
			if ev := c.ready(); ev != 0 {
				p.round = append(p.round, event{fd, ev})
			}
		}
	}
	p.next = append(p.next[:0], p.next[len(part):]...)
	if len(p.next) > 0 {
		p.ring()
	}
}

func (p *poller) Close() error {
	p.timer.Stop()
	return nil
}
