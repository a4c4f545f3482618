package hub

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// shared is a Broker whose events the test appends, as if other processes had
// published them.
type shared struct{ log *Log }

func (s *shared) Publish(string, Event) error { return nil }
func (s *shared) Keeps() bool                 { return true }
func (s *shared) Close() error                { return nil }
func (s *shared) Follow(_ string, log *Log) (stop func(), err error) {
	s.log = log
	log.Begin("one", Position{})
	log.Ready()
	return func() {}, nil
}

// atShared runs f in a bubble with a hub on such a Broker, and a subscriber of its
// topic t.
func atShared(t *testing.T, f func(t *testing.T, h *Hub, log *Log, s *Subscription)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		broker := new(shared)
		h, err := New(Config{Broker: broker})
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		s, err := h.Subscribe("t", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		f(t, h, broker.log, s)
	})
}

// A client comes back with the id of an event that the process from which it comes
// had a moment before this one (T15).
func TestIDThatIsAhead(t *testing.T) {
	for name, test := range map[string]struct {
		id    Position
		gap   bool
		after time.Duration // until it subscribes
	}{
		"has come":   {Position{Seq: 3}, false, 0},
		"comes":      {Position{Seq: 7, Part: 2}, false, time.Second},
		"is passed":  {Position{Seq: 6}, false, time.Second},
		"is reached": {Position{Seq: 8}, false, time.Second},
		"never":      {Position{Seq: 99}, true, aheadWait},
	} {
		t.Run(name, func(t *testing.T) {
			atShared(t, func(t *testing.T, h *Hub, log *Log, _ *Subscription) {
				log.Append(Position{Seq: 3}, time.Now(), text("3"))
				time.AfterFunc(time.Second, func() {
					log.Append(Position{Seq: 7, Part: 2}, time.Now(), text("7.2"))
					log.Reached(Position{Seq: 10})
				})
				begun := time.Now()
				s, err := h.Subscribe("t", idOf(epochOf("one", "t"), test.id), nil)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				if _, gap := s.Gap(); gap != test.gap {
					t.Errorf("got gap %v", gap)
				}
				if after := time.Since(begun); after != test.after {
					t.Errorf("subscribed after %v, want %v", after, test.after)
				}
			})
		})
	}
}

// storing is a Broker that can say when an event is stored.
type storing struct {
	shared
	ctx    context.Context
	stored []string
}

func (s *storing) PublishWait(ctx context.Context, topic string, e Event) error {
	s.ctx, s.stored = ctx, append(s.stored, topic+" "+string(e.Data)+e.ID)
	return context.Cause(ctx)
}

// PublishWait waits for what can be waited for, within the limits of Publish.
func TestPublishWait(t *testing.T) {
	broker := new(storing)
	stored, err := New(Config{Broker: broker, Limits: Limits{Event: 10}})
	if err != nil {
		t.Fatal(err)
	}
	defer stored.Close()
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := stored.PublishWait(ctx, "t", Event{ID: "ignored", Data: []byte("x")}); err != nil || broker.ctx != ctx {
		t.Errorf("got %v, or another context", err)
	}
	cancel()
	if _, err := stored.PublishWait(ctx, "t", Event{Data: []byte("y")}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the broker's error", err)
	}
	for topic, data := range map[string]string{"t": "more than 10 bytes", "": "x", "\n": "x"} {
		if _, err := stored.PublishWait(t.Context(), topic, Event{Data: []byte(data)}); err == nil {
			t.Errorf("%q %q is published", topic, data)
		}
	}
	if got := strings.Join(broker.stored, ", "); got != "t x, t y" {
		t.Errorf("got %q", got)
	}

	h, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	s, err := h.Subscribe("t", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if n, err := h.PublishWait(ctx, "t", Event{Data: []byte("x")}); n != 1 || err != nil {
		t.Errorf("in memory: got %d, %v", n, err)
	}
}
