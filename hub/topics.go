package hub

import (
	"cmp"
	"errors"
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
	opened := false
	defer func() {
		if !opened {
			h.leave(l)
		}
	}()
	if isNew {
		h.follow(l)
	}
	if !l.await(openWait, (*Log).settled) {
		return nil, fmt.Errorf("%w: it has not passed on topic %.80q in %v", ErrBusy, topic, openWait)
	}
	if err := l.endedBy(); err != nil && err != ErrEnded {
		return nil, err
	}
	opened = true
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
		l.idle.drop()
		return l, false, nil
	}
	if h.limits.Topics > 0 && len(h.topics) >= h.limits.Topics && !h.makeRoom() {
		return nil, false, fmt.Errorf("%w topics: %d", ErrTooMany, len(h.topics))
	}
	l = &Log{hub: h, topic: topic, users: 1}
	l.idle.log, l.kept.log = l, l
	h.topics[topic] = l
	h.startClock()
	return l, true, nil
}

// leave counts out who has opened a topic.
func (h *Hub) leave(l *Log) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	switch l.users--; {
	case l.users > 0:
	case l.removed:
		l.empty()
	default:
		l.used = now
		h.idle.moveToBack(&l.idle)
	}
}

// unfollowed stands for topics that nobody follows in this process.
var unfollowed Log

// followed returns the log of a topic that is followed here, else unfollowed.
func (h *Hub) followed(topic string) (*Log, error) {
	if err := h.checkName(topic); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, ErrClosed
	}
	return cmp.Or(h.topics[topic], &unfollowed), nil
}

// follow has the Broker pass the topic on.
func (h *Hub) follow(l *Log) {
	err := errors.New("hub: Broker.Follow panicked")
	defer func() {
		if err == nil {
			return
		}
		l.End(fmt.Errorf("hub: following topic %.80q: %w", l.topic, err))
		h.mu.Lock()
		defer h.mu.Unlock()
		h.remove(l) // the next one tries again
	}()
	var stop func()
	if stop, err = h.broker.Follow(l.topic, l); err != nil {
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

// aheadWait is how long the event of an id may take to arrive.
const aheadWait = 2 * time.Second

// awaitID waits until the log has come to the event of an id that another process
// with the same Broker has given out, and has had a moment earlier. An id whose event
// does not come is one of the future, or the Broker cannot be reached.
func (l *Log) awaitID(id string) {
	if id != "" && l.hub.broker.Keeps() {
		l.await(aheadWait, func(l *Log) bool {
			at, known := parseID(l.epoch, id)
			return !known || !l.ahead(at) || l.end != nil
		})
	}
}

// makeRoom forgets the topic that is idle longest. The Hub is locked.
func (h *Hub) makeRoom() bool {
	l := h.idle.front()
	if l == nil {
		return false
	}
	h.remove(l)
	go h.forget(l)
	return true
}

// remove takes a log off the lists. The Hub is locked.
func (h *Hub) remove(l *Log) {
	if !l.removed {
		l.removed = true
		delete(h.topics, l.topic)
		l.idle.drop()
		l.kept.drop()
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

// keep adds an entry to a log, if it still comes behind what that has, by the
// same numbering. When all logs together keep too much, those forget what they
// keep whose last event is oldest. The entry stays: subscribers do not have it
// yet.
func (h *Hub) keep(l *Log, epoch string, e *entry) (kept bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !l.add(epoch, e) {
		return false
	}
	if !l.removed {
		h.keeping.moveToBack(&l.kept)
	}
	for h.excess() {
		oldest := h.keeping.front()
		if oldest == nil || oldest == l {
			break
		}
		if oldest.trim() {
			oldest.kept.drop()
		}
	}
	return true
}

func (h *Hub) excess() bool { return h.bytes.Load() > h.limits.Memory }

// trim drops events while all logs together keep too much, and reports whether
// there are none left.
func (l *Log) trim() (empty bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.hub.excess() && l.count() > 0 {
		l.dropFirst()
	}
	return l.count() == 0
}
