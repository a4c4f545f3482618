package hub_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/hub"
)

// T8. Those who read what is kept, in a format in which it takes six times as much, take nothing away from it.
func TestReadersDropNothing(t *testing.T) {
	const n = 10
	limits := hub.Limits{Event: 1000, History: 10_000, Memory: 10_000}
	atRoom(t, hub.Config{Limits: limits}, func(r *room) {
		for range n {
			r.publish("a", strings.Repeat("\x00", 500))
		}
		before := r.Stats().Bytes
		for range 3 {
			for _, as := range []string{"ndjson", "sse"} {
				s := r.join("/t/a?all=1&as="+as, "")
				if got := strings.Count(s.body(), "data"); got != n {
					t.Errorf("as %s: got %d events, want %d", as, got, n)
				}
				s.c.Close()
			}
		}
		if got := r.Stats().Bytes; got != before {
			t.Errorf("got %d bytes when it was read, want %d", got, before)
		}
	})
}

// T8. The bound of all topics holds whoever uses them. Who waits gets the event that is published last.
func TestMemoryOfTopicsInUse(t *testing.T) {
	limits := hub.Limits{Event: 1000, History: 5000, Memory: 10_000}
	atRoom(t, hub.Config{Limits: limits}, func(r *room) {
		missed := 0
		var subs []*hub.Subscription
		for i := range 50 {
			s, err := r.Subscribe(fmt.Sprint(i), "", nil)
			if err != nil {
				t.Fatal(err)
			}
			subs = append(subs, s)
			r.publish(fmt.Sprint(i), strings.Repeat("x", 900))
			if got := r.Stats().Bytes; got > limits.Memory {
				t.Fatalf("got %d bytes with %d topics, want at most %d", got, i+1, limits.Memory)
			}
		}
		for i, s := range subs {
			switch _, err := s.Next(r.Context()); {
			case errors.Is(err, hub.ErrBehind):
				missed++
			case err != nil:
				t.Errorf("topic %d: %v", i, err)
			}
			s.Close()
		}
		if missed > 43 {
			t.Errorf("%d of 50 have missed their event, want those that there is no room for", missed)
		}
	})
}

// T10.1. However many topics are used that nothing happens to: a new one comes in place of one that is not.
func TestRoomForATopic(t *testing.T) {
	const all, used = 200, 150
	atRoom(t, hub.Config{Limits: hub.Limits{Topics: all}}, func(r *room) {
		var subs []*hub.Subscription
		subscribe := func(topic string) error {
			s, err := r.Subscribe(topic, "", nil)
			if err == nil {
				subs = append(subs, s)
			}
			return err
		}
		for i := range used {
			if err := subscribe(fmt.Sprint("used", i)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range all {
			r.publish(fmt.Sprint("idle", i), "x")
		}
		if got := r.Stats().Topics; got != all {
			t.Errorf("got %d topics, want %d", got, all)
		}
		for i := range all - used {
			if err := subscribe(fmt.Sprint("new", i)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.Publish("one more", hub.Event{}); !errors.Is(err, hub.ErrTooMany) {
			t.Errorf("got %v, want ErrTooMany", err)
		}
		subs[all/2].Close()
		r.publish("one more", "x")
		for _, s := range subs {
			s.Close()
		}
	})
}

// T2. Two begin a topic at once: what either publishes, to a topic that the other has just made, is not lost.
func TestTopicIsMadeByTwo(t *testing.T) {
	h, err := hub.New(hub.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	over, cancel := context.WithCancel(t.Context())
	cancel() // what is published is there
	for i := range 2000 {
		topic := fmt.Sprint(i)
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				s, err := h.Subscribe(topic, "", nil)
				if err != nil {
					t.Error(err)
					return
				}
				defer s.Close()
				if n, err := h.Publish(topic, hub.Event{Data: []byte("x")}); n == 0 || err != nil {
					t.Errorf("got %d, %v", n, err)
				}
				if _, err := s.Next(over); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
	}
}

// Topics come and go while they are used: nobody gets what was not published, or out of order, and nothing is left.
func TestTopicsComeAndGo(t *testing.T) {
	limits := hub.Limits{Topics: 4, Event: 100, History: 1000, Memory: 2000}
	atRoom(t, hub.Config{Limits: limits}, func(r *room) {
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for n := range 100 {
					topic := fmt.Sprint((i + n) % 6)
					s, err := r.Subscribe(topic, "", &hub.Options{Policy: hub.Skip})
					if err != nil {
						if !errors.Is(err, hub.ErrTooMany) {
							t.Error(err)
						}
						continue
					}
					if _, err := r.Publish(topic, hub.Event{Data: []byte(topic)}); err != nil {
						t.Error(err)
					}
					e, err := s.Next(r.Context())
					if err != nil || e.Name == "" && string(e.Data) != topic {
						t.Errorf("topic %s: got %+v, %v", topic, e, err)
					}
					s.Close()
				}
			})
		}
		all.Wait()
		time.Sleep(time.Hour) // on the bubble's clock
		if s := r.Stats(); s != (hub.Stats{}) {
			t.Errorf("got %+v when all have left, want nothing", s)
		}
	})
}
