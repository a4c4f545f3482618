package hub

import (
	"fmt"
	"strings"
	"time"
)

// This file is which topics there are.

// checkName returns why a name cannot be a topic's.
func (h *Hub) checkName(topic string) error {
	switch {
	case topic == "":
		return fmt.Errorf("%w: it is empty", ErrTopic)
	case len(topic) > h.limits.Name:
		return fmt.Errorf("%w: %d bytes, want at most %d", ErrTopic, len(topic), h.limits.Name)
	case strings.ContainsFunc(topic, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return fmt.Errorf("%w: it has a control character", ErrTopic)
	}
	return nil
}

// openWait is how long a Broker may take to pass on what it keeps of a topic.
const openWait = 5 * time.Second

// open returns the log of a topic, which is followed from then on, and is not
// forgotten before leave is called.
func (h *Hub) open(topic string) (*Log, error) {
	if err := h.checkName(topic); err != nil {
		return nil, err
	}
	l, isNew, err := h.enter(topic)
	if err != nil {
		return nil, err
	}
	if isNew {
		h.follow(l)
	}
	select {
	case <-l.settled:
	default:
		late := time.NewTimer(openWait)
		defer late.Stop()
		select {
		case <-l.settled:
		case <-late.C:
			h.leave(l)
			return nil, fmt.Errorf("%w: it has not passed on topic %.80q in %v", ErrBusy, topic, openWait)
		}
	}
	if err := l.failed(); err != nil {
		h.leave(l)
		return nil, err
	}
	return l, nil
}

// enter finds the log of a topic or makes one, and counts the caller in.
func (h *Hub) enter(topic string) (l *Log, isNew bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, false, ErrClosed
	}
	if l = h.topics[topic]; l != nil {
		l.users++
		h.recent.MoveToBack(l.place)
		return l, false, nil
	}
	if h.limits.Topics > 0 && len(h.topics) >= h.limits.Topics && !h.makeRoom() {
		return nil, false, fmt.Errorf("%w topics: %d", ErrTooMany, len(h.topics))
	}
	l = &Log{hub: h, topic: topic, settled: make(chan struct{}), users: 1}
	l.place = h.recent.PushBack(l)
	h.topics[topic] = l
	h.startClock()
	return l, true, nil
}

// follow has the Broker pass the topic on.
func (h *Hub) follow(l *Log) {
	stop, err := h.broker.Follow(l.topic, l)
	if err != nil {
		l.End(fmt.Errorf("hub: following topic %.80q: %w", l.topic, err))
		h.mu.Lock()
		h.remove(l) // the next one tries again
		h.mu.Unlock()
		return
	}
	h.mu.Lock()
	removed := l.removed
	if !removed {
		l.stop = stop
	}
	h.mu.Unlock()
	if removed { // by Close
		stop()
	}
}

// leave counts out who has opened a topic.
func (h *Hub) leave(l *Log) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	l.users--
	if l.used = now; l.users == 0 && l.removed {
		l.empty()
	}
}

// aheadWait is how long the event of an id may take to arrive.
const aheadWait = 2 * time.Second

// awaitID waits until the log has come to the event of an id that another process
// with the same Broker has given out, and has had a moment earlier. An id whose event
// does not come is one of the future, or the Broker cannot be reached.
func (l *Log) awaitID(id string) {
	if id == "" || !l.hub.broker.Keeps() {
		return
	}
	late := time.NewTimer(aheadWait)
	defer late.Stop()
	for {
		news := l.behind(id)
		if news == nil {
			return
		}
		select {
		case <-news:
		case <-late.C:
			return
		}
	}
}

// behind returns what is closed at the next event, if an id is that of a later one
// than the log has had; else nil.
func (l *Log) behind(id string) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, known := parseID(l.epoch, id); !known || !l.last.Before(at) || l.end != nil {
		return nil
	}
	if l.news == nil {
		l.news = make(chan struct{})
	}
	return l.news
}

// roomLooks is at how many topics a new one looks for one in whose place it can
// come.
const roomLooks = 64

// makeRoom forgets the topic that is idle longest. The Hub is locked.
func (h *Hub) makeRoom() bool {
	for e, n := h.recent.Front(), 0; e != nil && n < roomLooks; e, n = e.Next(), n+1 {
		if l := e.Value.(*Log); l.users == 0 {
			h.remove(l)
			go h.forget(l)
			return true
		}
	}
	return false
}

// remove takes a log off the list. The Hub is locked.
func (h *Hub) remove(l *Log) {
	if !l.removed {
		l.removed = true
		delete(h.topics, l.topic)
		h.recent.Remove(l.place)
		if l.keeps != nil {
			h.keeping.Remove(l.keeps)
		}
	}
}

// forget gives up what a log that was removed has. Those that still use it can
// read what there is.
func (h *Hub) forget(l *Log) {
	l.End(ErrClosed)
	h.mu.Lock()
	stop := l.stop
	l.stop = nil
	if l.users == 0 {
		l.empty()
	}
	h.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// empty drops all that there is.
func (l *Log) empty() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.count() > 0 {
		l.dropFirst()
	}
}

// appended notes that a log has got an event. When all logs together keep too
// much, those that are idle longest forget what they keep.
func (h *Hub) appended(l *Log) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case l.removed:
	case l.keeps == nil:
		l.keeps = h.keeping.PushBack(l)
	default:
		h.keeping.MoveToBack(l.keeps)
	}
	for h.excess() && h.keeping.Len() > 0 {
		if l := h.keeping.Front().Value.(*Log); !l.trim() {
			h.keeping.Remove(l.keeps)
			l.keeps = nil
		}
	}
}

func (h *Hub) excess() bool { return h.bytes.Load() > h.limits.Memory }

// trim drops events while all logs together keep too much, and reports whether
// that was enough. The newest event stays for those who use the log.
func (l *Log) trim() (enough bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	least := min(l.users, 1)
	for l.hub.excess() && l.count() > least {
		l.dropFirst()
	}
	return !l.hub.excess()
}

// endedBy returns why nothing more can be published.
func (l *Log) endedBy() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end
}

// failed returns why the topic cannot be subscribed to.
func (l *Log) failed() error {
	if err := l.endedBy(); err != ErrEnded {
		return err
	}
	return nil
}
