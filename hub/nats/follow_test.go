package natsbroker

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"weir/hub"
)

// captured is a hub's broker that does nothing, but for keeping the log of a topic.
type captured struct{ log *hub.Log }

func (c *captured) Publish(string, hub.Event) error { return nil }
func (c *captured) Keeps() bool                     { return true }
func (c *captured) Close() error                    { return nil }
func (c *captured) Follow(_ string, log *hub.Log) (func(), error) {
	c.log = log
	log.Ready() // so that subscribing does not wait
	return func() {}, nil
}

// offline returns a follower that asks no server, and a subscriber of what it passes on.
func offline(t *testing.T) (*follower, *hub.Subscription) {
	t.Helper()
	c := new(captured)
	h, err := hub.New(hub.Config{Broker: c, Policy: hub.Skip})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() }) // it returns nil
	s := subscribe(t, h, "t", "", false)
	b := &Broker{config: &Config{Logger: slog.New(slog.DiscardHandler)}, reported: map[string]time.Time{}}
	return &follower{b: b, topic: "t", log: c.log, catching: true}, s
}

// stored returns a message as the server has it, behind another one of its topic.
func stored(seq, before int) *nats.Msg {
	return &nats.Msg{Data: fmt.Append(nil, seq), Header: nats.Header{
		sequenceHeader: {fmt.Sprint(seq)}, beforeHeader: {fmt.Sprint(before)},
		timeHeader: {time.Now().Format(time.RFC3339Nano)},
	}}
}

// snap is what the server says of a stream of an incarnation.
func snap(incarnation string, first, end uint64) *snapshot {
	return &snapshot{at: time.Now(), incarnation: incarnation, first: first, end: end}
}

// taken is the follower's state behind messages 1 to 5.
func taken(t *testing.T, f *follower, s *hub.Subscription) {
	t.Helper()
	now := snap("a", 1, 6)
	p := page{}
	for i := 1; i <= 5; i++ {
		p.messages = append(p.messages, stored(i, i-1))
	}
	if fits, forgot := f.take(p, now, now); !fits || forgot {
		t.Fatalf("got fits %v, forgot %v", fits, forgot)
	}
	if again, _ := f.settle(); again {
		t.Fatal("it does not settle")
	}
	expect(t, s, "1 2 3 4 5")
}

// expect checks what the subscriber gets next.
func expect(t *testing.T, s *hub.Subscription, want string) {
	t.Helper()
	var got []string
	for range strings.Fields(want) {
		e := next(t, s)
		if e.Name == "gap" {
			e.Data = []byte("gap")
		}
		got = append(got, string(e.Data))
	}
	if strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A live message is held whose predecessor the server does not have any more: that is
// a gap, after a while, and not asked for again and again (T17).
func TestPredecessorRemoved(t *testing.T) {
	f, s := offline(t)
	taken(t, f, s)
	f.arrived(stored(9, 7))
	now, waited := snap("a", 1, 10), 0
	for again := true; again; waited++ {
		if fits, forgot := f.take(page{from: 5}, now, now); !fits || forgot || waited > maxDoubts {
			t.Fatalf("after %d looks: got fits %v, forgot %v", waited, fits, forgot)
		}
		var after time.Duration
		if again, after = f.settle(); again && after == 0 {
			t.Fatal("it looks again at once")
		}
	}
	if waited != maxDoubts+1 {
		t.Errorf("got %d looks, want %d: a replica may be late", waited, maxDoubts+1)
	}
	expect(t, s, "gap 9")
	f.arrived(stored(10, 9))
	expect(t, s, "10")
}

// A message that arrived late is not missing any more, and what was held follows it.
func TestPredecessorLate(t *testing.T) {
	f, s := offline(t)
	taken(t, f, s)
	f.arrived(stored(9, 7))
	now := snap("a", 1, 10)
	f.take(page{from: 5}, now, now)
	if again, _ := f.settle(); !again {
		t.Fatal("it does not look again")
	}
	f.take(page{from: 5, messages: []*nats.Msg{stored(7, 0)}}, now, snap("a", 6, 10)) // 5 was removed
	if again, _ := f.settle(); again {
		t.Fatal("it looks again")
	}
	expect(t, s, "7 9")
}

// A live message whose predecessors were all removed is not taken for the next one
// before it is known what else was removed.
func TestHeadRemoved(t *testing.T) {
	for name, test := range map[string]struct {
		first uint64 // of the stream, meanwhile
		want  string
	}{
		"it was the last before": {6, "9"},
		"others as well":         {8, "gap 9"},
		"by people":              {2, "gap 9"},
	} {
		t.Run(name, func(t *testing.T) {
			f, s := offline(t)
			taken(t, f, s)
			live := stored(9, 0)
			f.arrived(live)
			if !f.catching {
				t.Fatal("it does not look")
			}
			now := snap("a", test.first, 10)
			f.take(page{from: 5, messages: []*nats.Msg{live}}, now, now)
			if again, _ := f.settle(); again {
				t.Fatal("it does not settle")
			}
			expect(t, s, test.want)
		})
	}
}

// When the stream is another one, what was fetched or held of the former does not
// become part of it (T18).
func TestIncarnationsDoNotMix(t *testing.T) {
	f, s := offline(t)
	taken(t, f, s)
	f.catching = true
	f.arrived(stored(6, 5))
	f.arrived(stored(7, 0))
	former, now := snap("a", 1, 8), snap("b", 1, 2)
	for what, known := range map[string]*snapshot{"a page of the former": former, "the first look": now} {
		if fits, forgot := f.take(page{messages: []*nats.Msg{stored(6, 5)}}, known, now); fits || forgot {
			t.Fatalf("%s: got fits %v, forgot %v", what, fits, forgot)
		}
	}
	if fits, _ := f.take(page{messages: []*nats.Msg{stored(6, 5)}}, former, now); fits {
		t.Fatal("a page of the former fits into an empty log")
	}
	f.take(page{messages: []*nats.Msg{stored(1, 0)}}, now, now)
	if again, _ := f.settle(); again {
		t.Fatal("it does not settle")
	}
	f.arrived(stored(2, 1))
	expect(t, s, "gap 1 2")
}

// A page of which the network has lost a message is not taken for a whole one, and a
// message not for its end.
func TestPages(t *testing.T) {
	end := func(before, more int) *nats.Msg {
		return &nats.Msg{Header: nats.Header{statusHeader: {"204"}, beforeHeader: {fmt.Sprint(before)}, pendingHeader: {fmt.Sprint(more)}}}
	}
	status := func(code string) *nats.Msg { return &nats.Msg{Header: nats.Header{statusHeader: {code}}} }
	named := stored(7, 5)
	named.Header[statusHeader] = []string{"204"}
	for name, test := range map[string]struct {
		response []*nats.Msg
		err      string
		messages int
		more     uint64
	}{
		"whole":          {[]*nats.Msg{stored(5, 0), named, stored(9, 7), end(9, 4)}, "", 3, 4},
		"empty":          {[]*nats.Msg{status("404")}, "", 0, 0},
		"first lost":     {[]*nats.Msg{stored(7, 5)}, "lost", 0, 0},
		"one lost":       {[]*nats.Msg{stored(5, 0), stored(9, 7)}, "lost", 1, 0},
		"last lost":      {[]*nats.Msg{stored(5, 0), end(7, 0)}, "lost", 1, 0},
		"no stream":      {[]*nats.Msg{status("503")}, "no server", 0, 0},
		"something else": {[]*nats.Msg{status("408")}, "408", 0, 0},
	} {
		var p page
		var done bool
		var err error
		for _, m := range test.response {
			if done || err != nil {
				t.Errorf("%s: ends early", name)
			}
			done, err = p.add(m)
		}
		if done != (test.err == "") || (err == nil) != done || err != nil && !strings.Contains(err.Error(), test.err) || len(p.messages) != test.messages || p.more != test.more {
			t.Errorf("%s: got done %v, %v, %d messages and %d more", name, done, err, len(p.messages), p.more)
		}
	}
}

// A replica that is behind what the leader has said does not have its messages taken
// for old ones when they arrive.
func TestReplicaIsBehind(t *testing.T) {
	f, s := offline(t)
	taken(t, f, s)
	now := snap("a", 1, 7)
	if fits, _ := f.take(page{from: 5}, now, now); !fits {
		t.Fatal("the page does not fit")
	}
	f.arrived(stored(6, 5))
	expect(t, s, "6")
}
