package natsbroker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"weir/hub"
	"weir/hub/nats/internal/wire"
	"weir/internal/leak"
)

func TestMain(m *testing.M) {
	if isChild() {
		child()
		return
	}
	os.Exit(leak.Check(withServer{m}))
}

// newHub returns a hub on a broker of its own, until the test ends.
func newHub(t testing.TB, url string, config Config, options ...nats.Option) (*hub.Hub, *Broker) {
	t.Helper()
	b := open(t, connect(t, url, options...), config)
	h, err := hub.New(hub.Config{Broker: b, Policy: hub.Skip})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() }) // it returns the broker's nil
	return h, b
}

func subscribe(t testing.TB, h *hub.Hub, topic, from string, all bool) *hub.Subscription {
	t.Helper()
	s, err := h.Subscribe(topic, from, &hub.Options{All: all})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func next(t testing.TB, s *hub.Subscription) hub.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	e, err := s.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// take returns the next n events' data, and checks that their ids differ.
func take(t testing.TB, s *hub.Subscription, n int) (data, ids []string) {
	t.Helper()
	seen := map[string]bool{}
	for range n {
		e := next(t, s)
		if e.ID == "" || seen[e.ID] {
			t.Fatalf("%q has id %q, which is empty or was there before", e.Data, e.ID)
		}
		seen[e.ID] = true
		data, ids = append(data, string(e.Data)), append(ids, e.ID)
	}
	return data, ids
}

func numbers(from, to int) (all []string) {
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprint(i))
	}
	return all
}

func publish(t testing.TB, h *hub.Hub, topic string, data ...string) {
	t.Helper()
	for _, d := range data {
		if _, err := h.Publish(topic, hub.Event{Data: []byte(d)}); err != nil {
			t.Fatal(err)
		}
	}
}

// publishWait publishes events that are then stored.
func publishWait(t testing.TB, b *Broker, topic string, data ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, d := range data {
		if err := b.PublishWait(ctx, topic, hub.Event{Data: []byte(d)}); err != nil {
			t.Fatal(err)
		}
	}
}

func same(t testing.TB, what string, got, want []string) {
	t.Helper()
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// What one process publishes, all get: with the same ids, in the order in which it
// was published, those that come later from what is stored (T15).
func TestProcessesShareTopics(t *testing.T) {
	url := startServer(t).url()
	one, _ := newHub(t, url, Config{})
	two, b := newHub(t, url, Config{})
	here, there := subscribe(t, one, "a.b>*", "", false), subscribe(t, two, "a.b>*", "", false)
	other := subscribe(t, one, "a.b", "", false)
	publish(t, one, "a.b>*", numbers(0, 500)...)
	publish(t, one, "a.b", "other")

	got, ids := take(t, here, 500)
	same(t, "the process that has published", got, numbers(0, 500))
	got, idsThere := take(t, there, 500)
	same(t, "the other process", got, numbers(0, 500))
	same(t, "ids", idsThere, ids)
	got, _ = take(t, other, 1)
	same(t, "the other topic", got, []string{"other"})

	three, _ := newHub(t, url, Config{})
	got, idsLater := take(t, subscribe(t, three, "a.b>*", "", true), 500)
	same(t, "a later process", got, numbers(0, 500))
	same(t, "ids", idsLater, ids)
	for i := range 499 {
		s, err := three.Subscribe("a.b>*", ids[i], nil)
		if err != nil {
			t.Fatal(err)
		}
		if e := next(t, s); e.ID != ids[i+1] {
			t.Fatalf("behind %s: got %s, want %s", ids[i], e.ID, ids[i+1])
		}
		if id, gap := s.Gap(); gap {
			t.Fatalf("behind %s: got a gap at %s", ids[i], id)
		}
		s.Close()
	}
	if info := streamInfo(t, b); info.State.Msgs > 100 {
		t.Errorf("got %d messages for 501 events, want them in batches", info.State.Msgs)
	}
}

func streamInfo(t testing.TB, b *Broker) *jetstream.StreamInfo {
	t.Helper()
	s, err := b.stream.js.Stream(t.Context(), b.config.Stream)
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo()
}

// An event keeps its name and its bytes, and its size has a limit, which is the
// server's.
func TestEvents(t *testing.T) {
	url := startServer(t).url()
	h, b := newHub(t, url, Config{})
	s := subscribe(t, h, "t", "", false)
	for _, want := range []hub.Event{
		{Data: []byte("plain")}, {Name: "named", Data: []byte{0, 255, '\n'}}, {Name: "empty"}, {Data: []byte(strings.Repeat("x", 60<<10))},
	} {
		if _, err := h.Publish("t", want); err != nil {
			t.Fatal(err)
		}
		if got := next(t, s); got.Name != want.Name || string(got.Data) != string(want.Data) {
			t.Errorf("got %q %.20q, want %q %.20q", got.Name, got.Data, want.Name, want.Data)
		}
	}
	if err := b.Publish("t", hub.Event{Data: make([]byte, 1<<20)}); !errors.Is(err, hub.ErrTooLarge) {
		t.Errorf("got %v, want %v", err, hub.ErrTooLarge)
	}
	if err := b.Publish("", hub.Event{}); !errors.Is(err, hub.ErrTopic) {
		t.Errorf("got %v, want %v", err, hub.ErrTopic)
	}
	if err := b.Publish("t", hub.Event{Name: "a\nid: 1"}); !errors.Is(err, hub.ErrEvent) {
		t.Errorf("got %v, want %v", err, hub.ErrEvent)
	}
}

// Messages that others publish are events; what is not a batch is skipped, and
// nothing else is (T20).
func TestForeignMessages(t *testing.T) {
	url := startServer(t).url()
	h, b := newHub(t, url, Config{Logger: slog.New(slog.DiscardHandler)})
	s := subscribe(t, h, "t", "", false)
	for _, m := range []nats.Msg{
		{Data: []byte("foreign")},
		{Data: []byte("\x00\x05ab"), Header: nats.Header{wire.VersionHeader: {"1"}}},
		{Data: []byte("\x00\x05later"), Header: nats.Header{wire.VersionHeader: {"2"}}},
		{Data: []byte("\x03a\nb\x02hi"), Header: nats.Header{wire.VersionHeader: {"1"}}},
		{Data: nil},
		{Data: []byte("\x01n\x02hi"), Header: nats.Header{wire.VersionHeader: {"1"}}},
		{Data: []byte("as received"), Header: nats.Header{
			sequenceHeader: {"18446744073709551615"}, beforeHeader: {"77"}, timeHeader: {"2100-01-01T00:00:00Z"}, pendingHeader: {"9"},
		}},
		{Data: []byte("no page ends here"), Header: nats.Header{statusHeader: {"404"}}},
		{Data: []byte("nor here"), Header: nats.Header{statusHeader: {"done"}}},
	} {
		m.Subject = "weir.topic.t"
		if _, err := b.stream.js.PublishMsg(t.Context(), &m); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"foreign", "", "hi", "as received", "no page ends here", "nor here"}
	got, _ := take(t, s, len(want))
	same(t, "live", got, want)
	later, _ := newHub(t, url, Config{Logger: slog.New(slog.DiscardHandler)})
	got, _ = take(t, subscribe(t, later, "t", "", true), len(want))
	same(t, "stored", got, want)
}

// A message as large as a page of what is fetched does not keep what follows it from
// being fetched.
func TestLargeMessages(t *testing.T) {
	url := startServer(t).url()
	js := connect(t, url)
	b := open(t, js, Config{})
	for range 3 {
		if _, err := js.Publish(t.Context(), "weir.topic.t", make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	publishWait(t, b, "t", "small")
	h, err := hub.New(hub.Config{Broker: b, Limits: hub.Limits{History: 16 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() }) // it returns the broker's nil
	s := subscribe(t, h, "t", "", true)
	for _, want := range []int{1 << 20, 1 << 20, 1 << 20, len("small")} {
		if e := next(t, s); len(e.Data) != want {
			t.Errorf("got %d bytes, want %d", len(e.Data), want)
		}
	}
}

// The server restarts. Publishers learn when the buffer is full; what was taken is
// delivered in order, once; subscribers stay, and their ids stay good (T16).
func TestServerRestart(t *testing.T) {
	n := startServer(t)
	h, b := newHub(t, n.url(), Config{Buffer: 64 << 10, PublishTimeout: 90 * time.Second})
	s := subscribe(t, h, "t", "", false)
	publishWait(t, b, "t", numbers(0, 10)...)
	_, ids := take(t, s, 10)
	n.stop()
	taken := 10
	for {
		_, err := h.Publish("t", hub.Event{Data: fmt.Append(nil, taken)})
		if errors.Is(err, hub.ErrBusy) {
			break
		}
		if err != nil || taken > 10000 {
			t.Fatalf("after %d events: %v", taken, err)
		}
		taken++
	}
	if taken < 300 {
		t.Errorf("the buffer took %d events, want more", taken)
	}
	n.start()
	got, _ := take(t, s, taken-10)
	same(t, "after the restart", got, numbers(10, taken))
	again, err := h.Subscribe("t", ids[4], nil)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	got, _ = take(t, again, taken-5)
	same(t, "who comes back", got, numbers(5, taken))
	later, _ := newHub(t, n.url(), Config{})
	back := subscribe(t, later, "t", ids[4], false)
	got, _ = take(t, back, taken-5)
	same(t, "who comes back elsewhere", got, numbers(5, taken))
	if id, gap := back.Gap(); gap {
		t.Errorf("got a gap at %s", id)
	}
}

// What could not be stored in time is reported, once: to PublishWait, and to
// OnFailure for what Publish took (T16).
func TestPublishTimeout(t *testing.T) {
	n := startServer(t)
	var failed atomic.Int64
	_, b := newHub(t, n.url(), Config{
		PublishTimeout: 300 * time.Millisecond,
		OnFailure: func(topic string, n int, err error) {
			if topic != "t" || !errors.Is(err, ErrTimeout) {
				t.Errorf("got %q, %v", topic, err)
			}
			failed.Add(int64(n))
		},
	})
	n.stop()
	for range 5 {
		if err := b.Publish("t", hub.Event{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.PublishWait(t.Context(), "t", hub.Event{}); !errors.Is(err, ErrTimeout) || hub.Status(err) != 503 {
		t.Errorf("got %v, want %v", err, ErrTimeout)
	}
	if got := failed.Load(); got != 5 {
		t.Errorf("got %d failures, want 5", got)
	}
	n.start()
	for late := time.Now().Add(patience); ; {
		err := b.PublishWait(t.Context(), "t", hub.Event{})
		if err == nil {
			break
		}
		if time.Now().After(late) {
			t.Fatal(err)
		}
	}
	if got := failed.Load(); got != 5 {
		t.Errorf("got %d failures, want 5", got)
	}
}

// PublishWait ends with its context, and the event is stored all the same.
func TestPublishWaitCancelled(t *testing.T) {
	n := startServer(t)
	h, b := newHub(t, n.url(), Config{PublishTimeout: patience / 2, MaxAge: -1})
	s := subscribe(t, h, "t", "", false)
	n.stop()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.PublishWait(ctx, "t", hub.Event{Data: []byte("x")}); err != context.Canceled {
		t.Errorf("got %v", err)
	}
	n.start()
	got, _ := take(t, s, 1)
	same(t, "event", got, []string{"x"})
}

// Close stores what was taken.
func TestClose(t *testing.T) {
	url := startServer(t).url()
	h, b := newHub(t, url, Config{BatchDelay: time.Second})
	publish(t, h, "t", numbers(0, 100)...)
	for range 2 {
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		_ = b.Close() // twice is once
	}
	if err := b.Publish("t", hub.Event{}); !errors.Is(err, hub.ErrClosed) {
		t.Errorf("got %v, want %v", err, hub.ErrClosed)
	}
	if _, err := b.Follow("t", nil); !errors.Is(err, hub.ErrClosed) {
		t.Errorf("got %v, want %v", err, hub.ErrClosed)
	}
	later, _ := newHub(t, url, Config{})
	got, _ := take(t, subscribe(t, later, "t", "", true), 100)
	same(t, "stored", got, numbers(0, 100))
}

// gate is a dialer that can be shut.
type gate struct {
	mu   sync.Mutex
	shut bool
	open []net.Conn
}

func (g *gate) Dial(network, address string) (net.Conn, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return nil, errors.New("the gate is shut")
	}
	c, err := net.Dial(network, address)
	if err == nil {
		g.open = append(g.open, c)
	}
	return c, err
}

// set cuts all connections and keeps new ones away, or lets them in.
func (g *gate) set(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = shut
	for _, c := range g.open {
		_ = c.Close() // it may be closed
	}
	g.open = nil
}

// stuckDialer makes connections whose writes wait while it is stuck.
type stuckDialer struct {
	mu      sync.Mutex
	free    chan struct{} // closed when it is not stuck any more; nil: it is not
	waiting chan struct{} // gets a value when a write waits
}

type stuckConn struct {
	net.Conn
	d *stuckDialer
}

func (d *stuckDialer) Dial(network, address string) (net.Conn, error) {
	c, err := net.Dial(network, address)
	return &stuckConn{c, d}, err
}

// stick has writes wait until free is called, once or more often.
func (d *stuckDialer) stick() (free func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.free = make(chan struct{})
	return sync.OnceFunc(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		close(d.free)
		d.free = nil
	})
}

func (c *stuckConn) Write(p []byte) (int, error) {
	c.d.mu.Lock()
	free := c.d.free
	c.d.mu.Unlock()
	if free != nil {
		select {
		case c.d.waiting <- struct{}{}:
		default:
		}
		<-free
	}
	return c.Conn.Write(p)
}

// Publish may be called on an event loop: it does not wait for a server that does not
// read.
func TestPublishDoesNotBlock(t *testing.T) {
	url, d := startServer(t).url(), &stuckDialer{waiting: make(chan struct{}, 1)}
	h, b := newHub(t, url, Config{BatchDelay: -1, PublishTimeout: 50 * time.Second}, nats.SetCustomDialer(d))
	s := subscribe(t, h, "t", "", false)
	publishWait(t, b, "t", "first")
	free := d.stick()
	published := make(chan struct{})
	go func() {
		defer close(published)
		for i := range 2000 {
			if err := b.Publish("t", hub.Event{Data: fmt.Append(nil, i)}); err != nil {
				t.Error(err)
			}
			if i == 0 {
				<-d.waiting // the client library is in its write now
			}
			for n := range 20 {
				if err := b.Publish(fmt.Sprint((20*i+n)%1000), hub.Event{}); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	select {
	case <-published:
	case <-time.After(patience / 4):
		t.Error("Publish waits for the socket")
	}
	free()
	got, _ := take(t, s, 2001)
	same(t, "all", got, append([]string{"first"}, numbers(0, 2000)...))
}

// A process that loses its connection gets what it missed, and a gap only if that
// was removed meanwhile (T16, T17).
func TestConnectionLost(t *testing.T) {
	purge := func(options ...jetstream.StreamPurgeOpt) func(*testing.T, *Broker) {
		return func(t *testing.T, b *Broker) {
			s, err := b.stream.js.Stream(t.Context(), "WEIR")
			if err == nil {
				err = s.Purge(t.Context(), options...)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, test := range map[string]struct {
		limit  int64
		remove func(*testing.T, *Broker) // all but the last 10
		gap    bool
		quiet  string // what the quiet topic gets
	}{
		"kept":         {limit: 1000, quiet: "after"},
		"removed":      {limit: 10, gap: true, quiet: "after"},
		"purged":       {limit: 1000, gap: true, quiet: "gap after", remove: purge()},
		"topic purged": {limit: 1000, gap: true, quiet: "after", remove: purge(jetstream.WithPurgeSubject("weir.topic.t"))},
	} {
		t.Run(name, func(t *testing.T) {
			url, g := startServer(t).url(), new(gate)
			config := Config{TopicMessages: test.limit, BatchDelay: -1}
			cut, _ := newHub(t, url, config, nats.SetCustomDialer(g))
			_, b := newHub(t, url, config)
			s := subscribe(t, cut, "t", "", false)
			quiet := subscribe(t, cut, "quiet", "", false)
			publishWait(t, b, "quiet", "before")
			publishWait(t, b, "t", numbers(0, 5)...)
			_, ids := take(t, s, 5)
			take(t, quiet, 1)
			g.set(true)
			publishWait(t, b, "t", numbers(5, 40)...)
			if test.remove != nil {
				test.remove(t, b)
			}
			publishWait(t, b, "t", numbers(40, 50)...)
			g.set(false)
			if test.gap {
				if e := next(t, s); e.Name != "gap" {
					t.Errorf("got %q %q, want a gap", e.Name, e.Data)
				}
				got, ids := take(t, s, 10)
				same(t, "behind the gap", got, numbers(40, 50))
				back := subscribe(t, cut, "t", ids[0], false)
				got, _ = take(t, back, 9)
				same(t, "who comes back", got, numbers(41, 50))
			} else {
				got, _ := take(t, s, 45)
				same(t, "missed", got, numbers(5, 50))
			}
			if id, gap := subscribe(t, cut, "t", ids[4], false).Gap(); gap != test.gap {
				t.Errorf("behind %s: got gap %v, %s", ids[4], gap, id)
			}
			publishWait(t, b, "quiet", "after")
			expect(t, quiet, test.quiet)
		})
	}
}

// What a client comes back for is a gap if the stream has removed it, and not if the
// topic has just been silent (T17).
func TestRemovedBeforeFollowing(t *testing.T) {
	url := startServer(t).url()
	config := Config{TopicMessages: 10, BatchDelay: -1}
	one, b := newHub(t, url, config)
	busy, quiet := subscribe(t, one, "busy", "", false), subscribe(t, one, "quiet", "", false)
	publishWait(t, b, "quiet", "q")
	publishWait(t, b, "busy", numbers(0, 30)...)
	_, ids := take(t, busy, 30)
	_, quietID := take(t, quiet, 1)
	two, _ := newHub(t, url, config)
	for i, want := range map[int]bool{0: true, 18: true, 19: false, 20: false, 28: false, 29: false} { // 19 was removed, and nothing behind it
		if id, gap := subscribe(t, two, "busy", ids[i], false).Gap(); gap != want {
			t.Errorf("behind %d: got gap %v, %s, want %v", i, gap, id, want)
		}
	}
	if id, gap := subscribe(t, two, "quiet", quietID[0], false).Gap(); gap {
		t.Errorf("the quiet topic has a gap at %s", id)
	}
	for _, unknown := range []string{"", "x", "1", ids[0] + "x", quietID[0], strings.Repeat("z", 1000)} {
		if _, gap := subscribe(t, two, "busy", unknown, false).Gap(); gap != (unknown != "") {
			t.Errorf("behind %.20q: got gap %v", unknown, gap)
		}
	}
}

// The place that a client has got where a topic began later is known where it began
// earlier, though there was no event since (T15).
func TestPlaceOfSilentTopic(t *testing.T) {
	url := startServer(t).url()
	config := Config{TopicMessages: 10, BatchDelay: -1}
	one, b := newHub(t, url, config)
	subscribe(t, one, "quiet", "", false)
	for i := range uint64(2) {
		publishWait(t, b, "busy", numbers(0, 10)...)
		eventually(t, func() bool {
			if _, err := b.stream.look(b.session.Load(), time.Now()); err != nil { // as it does from time to time
				t.Fatal(err)
			}
			b.checkAll()
			return b.safe("quiet") >= 10*(i+1)
		})
	}
	publishWait(t, b, "busy", numbers(0, 10)...) // the first 20 are removed
	two, _ := newHub(t, url, config)
	place := subscribe(t, two, "quiet", "", false).ID()
	back := subscribe(t, one, "quiet", place, false)
	if id, gap := back.Gap(); gap {
		t.Errorf("behind %s: got a gap at %s", place, id)
	}
	publishWait(t, b, "quiet", "new")
	expect(t, back, "new")
}

// eventually looks until what the broker's goroutines do has come about.
func eventually(t *testing.T, done func() bool) {
	t.Helper()
	for late := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("not within %v", patience)
		}
	}
}

// safe is up to which sequence the broker has all messages of a topic.
func (b *Broker) safe(topic string) (safe uint64) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, f := range b.followers {
		if f.mu.Lock(); f.topic == topic {
			safe = f.safe
		}
		f.mu.Unlock()
	}
	return safe
}

// A stream that was deleted, and one that came back from a backup, count anew: ids
// of before are unknown, and subscribers learn that they may have missed something (T18).
func TestAnotherIncarnation(t *testing.T) {
	doubtWait = 10 * time.Millisecond
	t.Cleanup(func() { doubtWait = 500 * time.Millisecond })
	deleted := func(t *testing.T, n *natsServer, b *Broker, fill func()) {
		fill()
		if err := b.stream.js.DeleteStream(t.Context(), "WEIR"); err != nil {
			t.Fatal(err)
		}
	}
	restored := func(t *testing.T, n *natsServer, b *Broker, fill func()) {
		restore := n.backup()
		fill()
		restore()
	}
	for name, test := range map[string]struct {
		lose func(*testing.T, *natsServer, *Broker, func())
		more []string // published afterwards
	}{
		"deleted":                   {deleted, []string{"e", "f", "g", "h"}},
		"restored, and soon longer": {restored, []string{"e", "f", "g", "h"}},
		"restored, and shorter":     {restored, []string{"h"}},
	} {
		t.Run(name, func(t *testing.T) {
			n := startServer(t)
			config := Config{BatchDelay: -1, PublishTimeout: 90 * time.Second, MaxAge: -1}
			one, b := newHub(t, n.url(), config)
			two, _ := newHub(t, n.url(), config)
			s, there := subscribe(t, one, "t", "", false), subscribe(t, two, "t", "", false)
			publishWait(t, b, "t", "a")
			var ids []string
			test.lose(t, n, b, func() {
				publishWait(t, b, "t", "b", "c", "d")
				_, ids = take(t, s, 4)
				take(t, there, 4)
			})
			publishWait(t, b, "t", test.more...)
			for name, s := range map[string]*hub.Subscription{"here": s, "there": there} {
				var got []string
				for len(got) == 0 || got[len(got)-1] != "h" {
					e := next(t, s)
					got = append(got, e.Name+string(e.Data))
					if e.ID == ids[3] {
						t.Errorf("%s: id %s names another event", name, e.ID)
					}
				}
				if text := strings.Join(got, " "); !strings.Contains(text, "gap") || !strings.HasSuffix(text, strings.Join(test.more, " ")) {
					t.Errorf("%s: got %q, want a gap and then all", name, got)
				}
			}
			if _, gap := subscribe(t, two, "t", ids[3], false).Gap(); !gap {
				t.Error("the last id of before is taken for one of now")
			}
		})
	}
}

// A process that comes to be behind gets what it could not take.
func TestFallsBehind(t *testing.T) {
	url := startServer(t).url()
	b := open(t, connect(t, url), Config{BatchDelay: -1, TopicMessages: -1})
	h, err := hub.New(hub.Config{Broker: b, Limits: hub.Limits{History: 16 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() }) // it returns the broker's nil
	s := subscribe(t, h, "t", "", false)
	publishWait(t, b, "t", "0")
	take(t, s, 1)
	b.mu.Lock() // keeps live messages from being passed on, and then from being taken
	js := connect(t, url)
	for i := 1; i < 3*liveMessages/2; i++ {
		if err := js.Conn().Publish("weir.topic.t", fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	err = js.Conn().FlushTimeout(patience)
	for err == nil && streamInfo(t, b).State.LastSeq < 3*liveMessages/2 {
		err = t.Context().Err()
	}
	b.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	got, _ := take(t, s, 3*liveMessages/2-1)
	same(t, "all", got, numbers(1, 3*liveMessages/2))
}

// A stream that exists must do.
func TestExistingStream(t *testing.T) {
	url := startServer(t).url()
	js := connect(t, url)
	count := 0
	for name, test := range map[string]struct {
		change func(*jetstream.StreamConfig)
		want   string
	}{
		"as it is made":     {func(*jetstream.StreamConfig) {}, ""},
		"with other limits": {func(c *jetstream.StreamConfig) { c.MaxBytes, c.MaxAge, c.Storage = 1<<20, 0, jetstream.MemoryStorage }, ""},
		"more subjects":     {func(c *jetstream.StreamConfig) { c.Subjects = append(c.Subjects, c.Name+".more") }, ""},
		"other subjects":    {func(c *jetstream.StreamConfig) { c.Subjects = []string{c.Name + ".*"} }, "subjects"},
		"no republishing":   {func(c *jetstream.StreamConfig) { c.RePublish = nil }, "republishing"},
		"headers only":      {func(c *jetstream.StreamConfig) { c.RePublish.HeadersOnly = true }, "republishing"},
		"no direct access":  {func(c *jetstream.StreamConfig) { c.AllowDirect = false }, "allow_direct"},
		"no acks":           {func(c *jetstream.StreamConfig) { c.NoAck = true }, "no_ack"},
		"work queue":        {func(c *jetstream.StreamConfig) { c.Retention = jetstream.WorkQueuePolicy }, "retention"},
		"transformed": {func(c *jetstream.StreamConfig) {
			c.SubjectTransform = &jetstream.SubjectTransformConfig{Source: c.Subjects[0], Destination: c.Name + ".{{wildcard(1)}}"}
		}, "transform"},
		"tiny messages": {func(c *jetstream.StreamConfig) { c.MaxMsgSize = 1000 }, "1000 bytes"},
		"short memory":  {func(c *jetstream.StreamConfig) { c.Duplicates = time.Second }, "duplicates"},
	} {
		t.Run(name, func(t *testing.T) {
			count++
			c, err := Config{Stream: fmt.Sprint("S", count), Prefix: fmt.Sprint("p", count)}.withDefaults()
			if err != nil {
				t.Fatal(err)
			}
			stream := c.stream()
			test.change(&stream)
			if _, err := js.CreateStream(t.Context(), stream); err != nil {
				t.Fatal(err)
			}
			b, err := New(t.Context(), js, *c)
			if err == nil {
				defer func() { _ = b.Close() }() // it returns nil
			}
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	for name, test := range map[string]struct {
		config Config
		ok     bool
	}{
		"zero":           {Config{}, true},
		"unlimited":      {Config{MaxAge: -1, MaxBytes: -1, TopicMessages: -1}, true},
		"no batches":     {Config{BatchDelay: -1, BatchBytes: -1}, true},
		"large batches":  {Config{BatchBytes: batchLimit + 1}, false},
		"long delay":     {Config{BatchDelay: time.Minute}, false},
		"no buffer":      {Config{Buffer: -1}, false},
		"endless":        {Config{PublishTimeout: -1}, false},
		"wildcards":      {Config{Prefix: "a.*"}, false},
		"replicas":       {Config{Replicas: 9}, false},
		"minus replicas": {Config{Replicas: -1}, false},
	} {
		if _, err := test.config.withDefaults(); (err == nil) != test.ok {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestVersion(t *testing.T) {
	for version, want := range map[string]bool{"2.11.0": true, "2.15.2": true, "3.0.0-dev": true, "2.10.29": false, "1.99.9": false, "": false, "x": false} {
		if got := atLeast(version, 2, 11); got != want {
			t.Errorf("%q: got %v", version, got)
		}
	}
}

// What is older than the hub keeps is not fetched, and is not missed: who has the last
// event of a quiet topic is up to date.
func TestOldEventsAreNotFetched(t *testing.T) {
	const age = 50 * time.Millisecond
	url := startServer(t).url()
	one, b := newHub(t, url, Config{BatchDelay: -1})
	s := subscribe(t, one, "t", "", false)
	publishWait(t, b, "t", numbers(0, 10)...)
	_, ids := take(t, s, 10)
	for begun := time.Now(); time.Since(begun) < 2*age; {
		time.Sleep(age)
	}
	two, err := hub.New(hub.Config{Broker: open(t, connect(t, url), Config{}), Limits: hub.Limits{Age: age}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = two.Close() }) // it returns the broker's nil
	for i, want := range map[int]bool{0: true, 8: true, 9: false} {
		if id, gap := subscribe(t, two, "t", ids[i], false).Gap(); gap != want {
			t.Errorf("behind %d: got gap %v, %s, want %v", i, gap, id, want)
		}
	}
}

// Close does not wait for a server that is away, but for what it has to store.
func TestCloseWhileAway(t *testing.T) {
	fetchTimeout = time.Hour
	t.Cleanup(func() { fetchTimeout = 5 * time.Second })
	n := startServer(t)
	h, b := newHub(t, n.url(), Config{PublishTimeout: 10 * time.Millisecond, OnFailure: func(string, int, error) {}})
	n.stop()
	go func() { _, _ = h.Subscribe("t", "", nil) }() // it fails
	eventually(t, func() bool { return b.followersN() > 0 })
	publish(t, h, "t", "x")
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_ = h.Close() // it returns the broker's nil
	}()
	select {
	case <-closed:
	case <-time.After(patience / 2):
		t.Fatal("Close waits for the server")
	}
}

func (b *Broker) followersN() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.followers)
}

// A user with the permissions that the package's documentation lists can do all that
// the broker does.
func TestPermissions(t *testing.T) {
	doubtWait = 10 * time.Millisecond
	t.Cleanup(func() { doubtWait = 500 * time.Millisecond })
	n := startServerWith(t, `authorization {
	users: [
		{ user: weir, password: secret, permissions: {
			publish: ["weir.topic.*", "$JS.API.DIRECT.GET.WEIR", "$JS.API.STREAM.INFO.WEIR", "$JS.API.STREAM.CREATE.WEIR", "$JS.API.STREAM.UPDATE.WEIR"]
			subscribe: ["weir.live.*", "_INBOX.>", "$JS.EVENT.ADVISORY.STREAM.*.WEIR"]
		} }
	]
}`)
	var mu sync.Mutex
	var refused []error
	url := strings.Replace(n.url(), "//", "//weir:secret@", 1)
	collect := nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		mu.Lock()
		defer mu.Unlock()
		refused = append(refused, err)
	})
	config := Config{BatchDelay: -1, PublishTimeout: 50 * time.Second}
	h, b := newHub(t, url, config, collect)
	s := subscribe(t, h, "t", "", false)
	publishWait(t, b, "t", "a")
	take(t, s, 1)
	restore := n.backup()
	publishWait(t, b, "t", "b", "c")
	_, ids := take(t, s, 2)
	restore()
	publishWait(t, b, "t", "d") // its number was that of another event
	expect(t, s, "gap a d")
	later, _ := newHub(t, url, config, collect)
	if _, gap := subscribe(t, later, "t", ids[1], false).Gap(); !gap {
		t.Error("another process takes an id of before for one of now")
	}
	mu.Lock()
	defer mu.Unlock()
	for _, err := range refused {
		if errors.Is(err, nats.ErrPermissionViolation) {
			t.Error(err)
		}
	}
}

// Wrong credentials are an error of the connection, and permissions that lack the
// stream one of New.
func TestNoPermission(t *testing.T) {
	n := startServerWith(t, `authorization { users: [{ user: weir, password: secret, permissions: { publish: ["weir.topic.*"], subscribe: [">"] } }] }`)
	if conn, err := nats.Connect(n.url()); err == nil {
		conn.Close()
		t.Error("a connection without credentials is accepted")
	}
	js := connect(t, strings.Replace(n.url(), "//", "//weir:secret@", 1))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second/4)
	defer cancel()
	if b, err := New(ctx, js, Config{}); err == nil {
		_ = b.Close() // it returns nil
		t.Error("New needs no permission")
	}
}
