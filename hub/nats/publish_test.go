package natsbroker

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"weir/hub"
)

// away returns a publisher whose server is away.
func away(t *testing.T, config Config) *publisher {
	t.Helper()
	c, err := config.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	b := &Broker{config: c, stream: new(stream)}
	b.maxPayload.Store(1 << 20)
	b.stream.last.Store(new(snapshot))
	return &publisher{b: b, wake: make(chan struct{}, 1), topics: map[string]*outbox{}, sent: map[uint64]*outbox{}}
}

// What is published while the server is away shares a batch only with what came at
// about the same time: each event gets its time.
func TestEachEventHasItsTime(t *testing.T) {
	p := away(t, Config{OnFailure: func(string, int, error) {}})
	for i := range 3 {
		if err := p.publish("t", new(hub.Event), nil); err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			p.topics["t"].batches[0].closes = time.Now()
		}
	}
	got := p.topics["t"].batches
	if len(got) != 2 || got[0].events != 2 || got[1].events != 1 || !got[1].expires.After(got[0].expires) {
		t.Fatalf("got %d batches, want 2", len(got))
	}
	p.expire(got[0].expires)
	if got := p.topics["t"].batches; len(got) != 1 || got[0].events != 1 {
		t.Errorf("got %d batches, want that of the last event", len(got))
	}
	p.expire(got[1].expires)
	if len(p.topics)+len(p.due)+p.bytes != 0 {
		t.Errorf("got %d topics, %d due, %d bytes, want none", len(p.topics), len(p.due), p.bytes)
	}
}

// The bound on what waits counts what a topic takes, too.
func TestBufferCountsTopics(t *testing.T) {
	p := away(t, Config{Buffer: 1 << 20})
	n := 0
	for ; ; n++ {
		err := p.publish(fmt.Sprint(n), new(hub.Event), nil)
		if errors.Is(err, hub.ErrBusy) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if n < 1000 || n > 2000 || len(p.topics) != n || len(p.due) != n {
		t.Errorf("got %d topics, %d due, after %d events", len(p.topics), len(p.due), n)
	}
}

func TestIsPassing(t *testing.T) {
	for name, test := range map[string]struct {
		err  jetstream.APIError
		want bool
	}{
		"no leader":            {jetstream.APIError{Code: 503, ErrorCode: 10008}, true},
		"full":                 {jetstream.APIError{Code: 503, ErrorCode: 10077}, true},
		"no storage":           {jetstream.APIError{Code: 500, ErrorCode: 10047}, true},
		"too many requests":    {jetstream.APIError{Code: 429, ErrorCode: 10167}, true},
		"duplicate in process": {jetstream.APIError{Code: 409, ErrorCode: 10158}, true},
		"another stream":       {jetstream.APIError{Code: 400, ErrorCode: 10060}, false},
		"sealed":               {jetstream.APIError{Code: 400, ErrorCode: 10109}, false},
	} {
		if got := isPassing(&test.err); got != test.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

// A stream that is full and discards what is new refuses events, and the publisher
// learns why (T16).
func TestStreamIsFull(t *testing.T) {
	url := startServer(t).url()
	c, err := (Config{}).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	full := c.stream()
	full.Discard, full.MaxMsgs = jetstream.DiscardNew, 1
	js := connect(t, url)
	if _, err := js.CreateStream(t.Context(), full); err != nil {
		t.Fatal(err)
	}
	b := open(t, js, Config{PublishTimeout: 300 * time.Millisecond})
	if _, err := js.Publish(t.Context(), "weir.topic.t", nil); err != nil {
		t.Fatal(err)
	}
	err = b.PublishWait(t.Context(), "t", hub.Event{})
	if !errors.Is(err, ErrTimeout) || hub.Status(err) != 503 || !strings.Contains(err.Error(), "maximum messages exceeded") {
		t.Errorf("got %v, want %v and the server's reason", err, ErrTimeout)
	}
}

// A server or a stream that takes small messages only gets small batches, however many
// events wait.
func TestSmallMessages(t *testing.T) {
	const size = 4 << 10
	for name, test := range map[string]struct {
		server string
		stream int32
	}{"server": {"max_payload: 8192", 0}, "stream": {"", 8192}} {
		t.Run(name, func(t *testing.T) {
			url := startServerWith(t, test.server).url()
			c, err := (Config{}).withDefaults()
			if err != nil {
				t.Fatal(err)
			}
			config := c.stream()
			config.MaxMsgSize = test.stream
			js := connect(t, url)
			if _, err := js.CreateStream(t.Context(), config); err != nil {
				t.Fatal(err)
			}
			h, b := newHub(t, url, Config{PublishTimeout: 50 * time.Second})
			s := subscribe(t, h, "t", "", false)
			var want []string
			for i := range 50 {
				want = append(want, fmt.Sprintf("%0*d", size, i))
			}
			publish(t, h, "t", want...)
			got, _ := take(t, s, len(want))
			same(t, "all", got, want)
			if err := b.Publish("t", hub.Event{Data: make([]byte, 8192)}); !errors.Is(err, hub.ErrTooLarge) {
				t.Errorf("got %v, want %v", err, hub.ErrTooLarge)
			}
		})
	}
}

// A socket that takes nothing does not keep publishers from learning in time that
// their events were not stored (T16).
func TestTimeoutWhileStuck(t *testing.T) {
	url, d := startServer(t).url(), &stuckDialer{waiting: make(chan struct{}, 1)}
	failed := make(chan struct{}, 9)
	b := open(t, connect(t, url, nats.SetCustomDialer(d)), Config{
		BatchDelay: -1, PublishTimeout: 300 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
		OnFailure: func(string, int, error) {
			failed <- struct{}{}
			panic("of the user's function")
		},
	})
	free := d.stick()
	defer free()
	if err := b.Publish("other", hub.Event{}); err != nil {
		t.Fatal(err)
	}
	<-d.waiting // the client library is in its write now
	stored := make(chan error, 1)
	go func() { stored <- b.PublishWait(t.Context(), "t", hub.Event{}) }()
	late := time.After(patience / 2)
	select {
	case err := <-stored:
		if !errors.Is(err, ErrTimeout) {
			t.Errorf("got %v, want %v", err, ErrTimeout)
		}
	case <-late:
		t.Fatal("PublishWait waits for the socket")
	}
	select {
	case <-failed:
	case <-late:
		t.Fatal("OnFailure is not called")
	}
}

// Close in the midst of publishing: what was taken is stored, and what comes later is
// refused.
func TestCloseWhilePublishing(t *testing.T) {
	url := startServer(t).url()
	b := open(t, connect(t, url), Config{PublishTimeout: 50 * time.Second})
	var taken atomic.Int64
	var publishers sync.WaitGroup
	for i := range 4 {
		publishers.Go(func() {
			for {
				var err error
				if i%2 == 0 {
					err = b.PublishWait(t.Context(), "t", hub.Event{})
				} else {
					err = b.Publish("t", hub.Event{})
					runtime.Gosched()
				}
				switch {
				case errors.Is(err, hub.ErrClosed):
					return
				case err == nil:
					taken.Add(1)
				case !errors.Is(err, hub.ErrBusy):
					t.Error(err)
					return
				}
			}
		})
	}
	publishWait(t, b, "other", "x")
	_ = b.Close() // it returns nil
	publishers.Wait()
	b = open(t, connect(t, url), Config{})
	h, err := hub.New(hub.Config{Broker: b, Limits: hub.Limits{History: 1 << 30, Memory: 1 << 30}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() }) // it returns the broker's nil
	s := subscribe(t, h, "t", "", true)
	for range taken.Load() {
		next(t, s)
	}
}
