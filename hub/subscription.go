package hub

import (
	"cmp"
	"context"
	"fmt"
	"sync"
)

// A Subscription is a subscriber that is not an HTTP response of [Hub.Serve]: a
// WebSocket, a test, another part of the program. It must be used on one
// goroutine at a time, except for Close, which is safe for concurrent use.
type Subscription struct {
	log   *Log
	place place
	next  uint64
	id    string // of what it has got last
	skip  bool
	once  sync.Once
	left  chan struct{} // closed by Close
}

// Subscribe subscribes to a topic, with the events behind the one that has the
// id from; with "" with the next one. Options are as for Serve, but for Format;
// o may be nil. As Serve does, it waits for the Broker, if that keeps events.
func (h *Hub) Subscribe(topic, from string, o *Options) (*Subscription, error) {
	if o == nil {
		o = new(Options)
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	l, err := h.subscribe(topic)
	if err != nil {
		return nil, err
	}
	from = cmp.Or(o.From, from)
	l.awaitID(from)
	at := l.locate(from, o.All)
	skip := cmp.Or(o.Policy, h.config.Policy) == Skip
	return &Subscription{log: l, place: at, next: at.number, id: at.before, skip: skip, left: make(chan struct{})}, nil
}

// Gap reports whether events may have been missed before the first one, and the
// id of that, as [Hub.Serve] does by gap=<id>.
func (s *Subscription) Gap() (id string, missed bool) { return s.place.id, s.place.gap }

// ID returns the id to come back with: that of the last event that Next has
// returned, and before there is one, the id that stands for all before it.
func (s *Subscription) ID() string { return s.id }

// Next waits for the next event. It returns ErrBehind when that is not kept any
// more, unless the policy is Skip: then it is an event with the name "gap",
// whose data is the id of the one that follows. It returns ErrEnded when the
// topic has ended, ErrClosed after Close, and the cause when ctx is done. Do not
// modify the event's data.
func (s *Subscription) Next(ctx context.Context) (Event, error) {
	for {
		select {
		case <-s.left:
			return Event{}, ErrClosed
		default:
		}
		if e, ready, err := s.look(); ready {
			s.id = cmp.Or(e.ID, s.id)
			return e, err
		}
		news := s.log.newsUnless(func(l *Log) bool { return !l.upToDate(s.next) })
		if news == nil {
			continue // some has just come
		}
		select {
		case <-news:
		case <-s.left:
		case <-ctx.Done():
			return Event{}, fmt.Errorf("hub: waiting for an event: %w", context.Cause(ctx))
		}
	}
}

// look returns what there is for Next.
func (s *Subscription) look() (e Event, ready bool, err error) {
	var found [1]*entry
	n, what := s.log.read(s.next, found[:])
	switch {
	case n > 0:
		s.next++
		return found[0].Event, true, nil
	case what == behind && s.skip:
		number, before, first := s.log.skip()
		s.next = number
		return Event{ID: before, Name: gapName, Data: []byte(first)}, true, nil
	case what == behind:
		return Event{}, true, ErrBehind
	case what == ended:
		return Event{}, true, s.log.endedBy()
	}
	return Event{}, false, nil
}

// Close ends the subscription. Call it once it is not used any more.
func (s *Subscription) Close() {
	s.once.Do(func() {
		close(s.left)
		s.log.hub.unsubscribe(s.log)
	})
}
