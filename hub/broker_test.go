package hub

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func text(s string) Event { return Event{Data: []byte(s)} }

// The Broker begins anew: who is connected learns that it has missed something, and who comes meanwhile waits, so that
// a live one does not get what is old.
func TestBrokerBeginsAnew(t *testing.T) {
	atShared(t, func(t *testing.T, h *Hub, log *Log, s *Subscription) {
		log.Begin("two", Position{})
		if _, err := h.Subscribe("t", "", nil); !errors.Is(err, ErrBusy) {
			t.Errorf("before it is ready: got %v, want ErrBusy", err)
		}
		log.Append(Position{Seq: 1}, time.Now(), text("old"))
		time.AfterFunc(time.Second, func() {
			log.Append(Position{Seq: 2}, time.Now(), text("old, too"))
			log.Ready()
		})
		late, err := h.Subscribe("t", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer late.Close()
		log.Append(Position{Seq: 3}, time.Now(), text("new"))
		if e, err := late.Next(t.Context()); string(e.Data) != "new" || err != nil {
			t.Errorf("got %q, %v, want new", e.Data, err)
		}
		if _, err := s.Next(t.Context()); !errors.Is(err, ErrBehind) {
			t.Errorf("the one before: got %v, want ErrBehind", err)
		}
	})
}

// What a Broker passes on when the topic has ended changes nothing.
func TestBrokerAfterEnd(t *testing.T) {
	atShared(t, func(t *testing.T, h *Hub, log *Log, s *Subscription) {
		log.Append(Position{Seq: 1}, time.Now(), text("one"))
		log.Append(Position{Seq: 2}, time.Now(), text("two"))
		if err := h.End("t"); err != nil {
			t.Error(err)
		}
		log.Begin("two", Position{})
		log.Append(Position{Seq: 3}, time.Now(), text("three"))
		log.Ready()
		for _, want := range []string{"one", "two"} {
			if e, err := s.Next(t.Context()); string(e.Data) != want || err != nil {
				t.Errorf("got %q, %v, want %s", e.Data, err, want)
			}
		}
		if _, err := s.Next(t.Context()); err != ErrEnded {
			t.Errorf("got %v, want ErrEnded", err)
		}
		if _, err := h.Publish("t", text("x")); err != ErrEnded {
			t.Errorf("publishing: got %v, want ErrEnded", err)
		}
	})
}

// An event whose name cannot be sent, from another program, is nobody's.
func TestBrokerNames(t *testing.T) {
	atShared(t, func(t *testing.T, h *Hub, log *Log, s *Subscription) {
		log.Append(Position{Seq: 1}, time.Now(), Event{Name: "x\ndata: y", Data: []byte("1")})
		log.Append(Position{Seq: 2}, time.Now(), Event{Name: "x", Data: []byte("2")})
		if e, err := s.Next(t.Context()); e.Name != "x" || string(e.Data) != "2" || err != nil {
			t.Errorf("got %+v, %v, want the second one", e, err)
		}
	})
}

func TestBrokerIsNotUsedAfterClose(t *testing.T) {
	atShared(t, func(t *testing.T, h *Hub, log *Log, s *Subscription) {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		if _, err := h.Publish("t", text("x")); err != ErrClosed {
			t.Errorf("got %v, want ErrClosed", err)
		}
		if _, err := s.Next(t.Context()); err != ErrClosed {
			t.Errorf("got %v, want ErrClosed", err)
		}
	})
}

// faulty is a Broker whose Follow fails, or panics, at first.
type faulty struct {
	shared
	panics, fails int
}

func (f *faulty) Follow(topic string, log *Log) (stop func(), err error) {
	switch {
	case f.panics > 0:
		f.panics--
		panic("follow")
	case f.fails > 0:
		f.fails--
		return nil, errors.New("luck")
	}
	return f.shared.Follow(topic, log)
}

// A topic that could not be followed is tried again by the next one who wants it.
func TestBrokerFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, err := New(Config{Broker: &faulty{panics: 1, fails: 1}})
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic is lost")
				}
			}()
			_, _ = h.Subscribe("t", "", nil)
		}()
		if _, err := h.Subscribe("t", "", nil); err == nil || !strings.Contains(err.Error(), "luck") {
			t.Errorf("got %v, want the Broker's error", err)
		}
		if got := h.Stats(); got != (Stats{}) {
			t.Errorf("got %+v, want nothing", got)
		}
		s, err := h.Subscribe("t", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
	})
}

// T4 to T6 at the edges of what is kept: behind each position is what came after it, or it is a gap.
func TestEdgesOfTheRing(t *testing.T) {
	atShared(t, func(t *testing.T, h *Hub, log *Log, _ *Subscription) {
		for seq := range uint64(4) {
			log.Append(Position{Seq: 2 * seq}, time.Now(), text(strconv.FormatUint(2*seq, 10))) // 0 is not behind the beginning
		}
		log.mu.Lock()
		log.dropFirst() // 2
		log.mu.Unlock()
		for _, tt := range []struct {
			at   Position
			gap  bool
			next string
		}{
			{Position{}, true, "4"}, {Position{1, 9}, true, "4"},
			{Position{2, 0}, false, "4"}, {Position{2, 1}, false, "4"}, {Position{3, 0}, false, "4"},
			{Position{4, 0}, false, "6"}, {Position{4, math.MaxUint32}, false, "6"}, {Position{5, 0}, false, "6"},
			{Position{6, 0}, false, ""},
			{Position{6, 1}, true, "4"}, {Position{7, 0}, true, "4"}, {Position{math.MaxUint64, math.MaxUint32}, true, "4"},
		} {
			p := log.locate(idOf(log.epoch, tt.at), false)
			var found [1]*entry
			next := ""
			if n, _ := log.read(p.number, found[:]); n > 0 {
				next = string(found[0].Data)
			}
			if p.gap != tt.gap || next != tt.next {
				t.Errorf("%v: got gap %v and then %q, want %v and %q", tt.at, p.gap, next, tt.gap, tt.next)
			}
			if again := log.locate(p.before, false); again.gap || again.number != p.number {
				t.Errorf("%v: %s, which stands for all before, is another place", tt.at, p.before)
			}
		}
	})
}
