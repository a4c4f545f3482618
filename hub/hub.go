package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

var (
	// ErrTooLarge is returned for an event above Limits.Event: 413.
	ErrTooLarge = errors.New("hub: event is too large")
	// ErrEvent is returned for an event that cannot be sent: 400.
	ErrEvent = errors.New("hub: event cannot be sent")
	// ErrTopic is returned for a name that cannot be a topic's: 400.
	ErrTopic = errors.New("hub: invalid name of a topic")
	// ErrTooMany is returned when there are as many topics or subscribers as
	// Limits allows: 503.
	ErrTooMany = errors.New("hub: too many")
	// ErrBusy is returned while the Broker cannot take an event, or has not
	// passed on what it keeps of a topic in time: 503.
	ErrBusy = errors.New("hub: broker is not ready")
	// ErrBehind is the cause of a subscriber that was cut because the events
	// that it would get next are not kept any more.
	ErrBehind = errors.New("hub: subscriber is behind what is kept")
	// ErrEnded is returned for what is published to a topic after Hub.End.
	ErrEnded = errors.New("hub: topic has ended")
	// ErrClosed is returned after Hub.Close.
	ErrClosed = errors.New("hub: closed")
)

// Status returns the status of a response to a request that has failed with
// err, which a Hub has returned.
func Status(err error) int {
	switch {
	case errors.Is(err, ErrTooLarge):
		return 413
	case errors.Is(err, ErrEvent), errors.Is(err, ErrTopic):
		return 400
	case errors.Is(err, ErrEnded):
		return 410
	case errors.Is(err, ErrTooMany), errors.Is(err, ErrBusy), errors.Is(err, ErrClosed):
		return 503
	}
	return 500
}

// A Policy says what happens to a subscriber that is behind by more than is
// kept. It is never waited for. Zero is Cut in a [Config], and in [Options]
// what the Config says.
type Policy uint8

const (
	// Cut aborts its response with ErrBehind. A client that comes back with the
	// id of its last event learns from the head of the response what it has
	// missed.
	Cut Policy = 1 + iota
	// Skip continues with the oldest event that is kept, with a notice before
	// it: "event: gap" whose data is the id of that event, or {"gap":"…"}.
	Skip
)

// Limits bound what topics and subscribers may use. Each field lists its
// default, which zero means, and what happens beyond it. Negative means no
// limit, where it is permitted.
type Limits struct {
	Event       int           // bytes of an event, its name included: 64 KiB; ErrTooLarge, 413; not negative
	Name        int           // bytes of a topic's name: 256; ErrTopic, 400; not negative
	Topics      int           // 20,000; the one that is idle longest is forgotten, else ErrTooMany, 503
	Subscribers int           // of all topics: 100,000; ErrTooMany, 503
	PerTopic    int           // subscribers of one topic: no limit; ErrTooMany, 503
	History     int           // bytes that a topic keeps, with what they take in memory: 1 MiB; the oldest are dropped; not negative
	Memory      int64         // bytes that all topics keep: 64 MiB; those lose theirs first whose last event is oldest; not negative
	Age         time.Duration // of what is kept: 5 min; dropped
}

// DefaultLimits returns what the zero value of each field means.
func DefaultLimits() Limits {
	return Limits{
		Event: 64 << 10, Name: 256, Topics: 20_000, Subscribers: 100_000, PerTopic: -1,
		History: 1 << 20, Memory: 64 << 20, Age: 5 * time.Minute,
	}
}

// fillIn puts the defaults in place of zeros.
func (l *Limits) fillIn() error {
	d := DefaultLimits()
	for _, f := range []struct {
		name     string
		value    *int
		standard int
		needed   bool
	}{
		{"Event", &l.Event, d.Event, true}, {"Name", &l.Name, d.Name, true}, {"History", &l.History, d.History, true},
		{"Topics", &l.Topics, d.Topics, false}, {"Subscribers", &l.Subscribers, d.Subscribers, false}, {"PerTopic", &l.PerTopic, d.PerTopic, false},
	} {
		if *f.value == 0 {
			*f.value = f.standard
		}
		if *f.value < 0 && f.needed {
			return fmt.Errorf("hub: Limits.%s is %d: want a positive number, or 0 for the default", f.name, *f.value)
		}
	}
	if l.Memory == 0 {
		l.Memory = d.Memory
	}
	if l.Age == 0 {
		l.Age = d.Age
	}
	switch {
	case l.Memory < 0:
		return fmt.Errorf("hub: Limits.Memory is %d: want a positive number, or 0 for the default", l.Memory)
	case int64(l.History) > l.Memory:
		return fmt.Errorf("hub: Limits.History (%d) must not be above Memory (%d)", l.History, l.Memory)
	case l.Event > l.History:
		return fmt.Errorf("hub: Limits.Event (%d) must not be above History (%d)", l.Event, l.History)
	}
	return nil
}

// Config is what a Hub is made with. The zero value of each field is a good
// default.
type Config struct {
	Broker    Broker        // nil: the topics are this process's
	Limits    Limits        //
	Policy    Policy        // for subscribers that are behind: Cut
	Heartbeat time.Duration // silence after which subscribers of SSE get a comment: 30 s; negative: never
	Spread    time.Duration // when a server shuts down, its subscribers' responses end one by one over that time: 5 s; negative: the server cuts them
}

// A Hub is topics: what is published to one goes to all its subscribers, and is
// kept for a while for those that come back. It is safe for concurrent use. Make
// one with [New].
type Hub struct {
	config Config
	limits Limits
	broker Broker
	pace   pace
	ticks  uint64        // of the clock; tick's
	beats  atomic.Uint32 // of the clock
	bytes  atomic.Int64  // that all logs take
	subs   atomic.Int64

	mu      sync.Mutex
	topics  map[string]*Log
	idle    chain // those without users, the one that had some last behind
	keeping chain // those that keep something, the one that got an event last behind
	drains  map[<-chan struct{}]*drain
	ticking bool
	closed  bool
	done    chan struct{} // closed by Close
}

// New makes a Hub. It returns an error if the configuration makes no sense.
func New(c Config) (*Hub, error) {
	if c.Policy > Skip {
		return nil, fmt.Errorf("hub: Config.Policy is %d: want Cut or Skip", c.Policy)
	}
	c.Policy = cmp.Or(c.Policy, Cut)
	if err := c.Limits.fillIn(); err != nil {
		return nil, err
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = 30 * time.Second
	}
	if c.Spread == 0 {
		c.Spread = 5 * time.Second
	}
	if c.Broker == nil {
		c.Broker = newMemory()
	}
	return &Hub{
		config: c, limits: c.Limits, broker: c.Broker, pace: paceOf(&c),
		topics: make(map[string]*Log), drains: make(map[<-chan struct{}]*drain), done: make(chan struct{}),
	}, nil
}

// Publish sends an event to all subscribers of a topic, and keeps it for those
// that come back. It never waits for one of them. delivered is how many there
// are in this process. e.ID is ignored, and e.Data copied.
func (h *Hub) Publish(topic string, e Event) (delivered int, err error) {
	return h.publish(topic, e, h.broker.Publish)
}

// PublishWait is Publish, except that it returns when the Broker has stored the
// event, so that it is not lost with this process. It blocks, and must not be called
// on an event loop. If the Broker has no method PublishWait, it is Publish.
func (h *Hub) PublishWait(ctx context.Context, topic string, e Event) (delivered int, err error) {
	b, ok := h.broker.(interface {
		PublishWait(ctx context.Context, topic string, e Event) error
	})
	if !ok {
		return h.Publish(topic, e)
	}
	return h.publish(topic, e, func(topic string, e Event) error { return b.PublishWait(ctx, topic, e) })
}

func (h *Hub) publish(topic string, e Event, send func(topic string, e Event) error) (delivered int, err error) {
	if err := e.check(h.limits.Event); err != nil {
		return 0, err
	}
	e.ID = ""
	if h.broker.Keeps() {
		l, err := h.followed(topic)
		if err != nil {
			return 0, err
		}
		return l.published(topic, e, send)
	}
	l, err := h.open(topic)
	if err != nil {
		return 0, err
	}
	defer h.leave(l)
	return l.published(topic, e, send)
}

// published sends an event of the topic, unless that has ended.
func (l *Log) published(topic string, e Event, send func(topic string, e Event) error) (delivered int, err error) {
	if err := l.endedBy(); err != nil {
		return 0, err
	}
	if err := send(topic, e); err != nil {
		return 0, err
	}
	return int(l.subs.Load()), nil
}

// End ends a topic in this process: its subscribers get what there is, and
// their responses are complete. An EventSource that comes back with the id of
// the last event gets 204, so that it does not come back again; others get what
// is kept. The topic is forgotten when what it keeps is too old, and can then
// begin anew.
//
// A [Broker] does not pass that on to other processes: there publish an event
// that says so.
func (h *Hub) End(topic string) error {
	l, err := h.open(topic)
	if err != nil {
		return err
	}
	l.End(nil)
	h.leave(l)
	return nil
}

// Close ends all topics, and then the Broker. Subscribers' responses are
// complete. It does not wait for them.
func (h *Hub) Close() error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil
	}
	h.closed = true
	close(h.done)
	var logs []*Log
	for _, l := range h.topics {
		h.remove(l)
		logs = append(logs, l)
	}
	h.mu.Unlock()
	for _, l := range logs {
		h.forget(l)
	}
	return h.broker.Close()
}

// Stats is how much a Hub has.
type Stats struct {
	Topics      int
	Subscribers int
	Bytes       int64 // of memory for what is kept
}

// Stats returns how much there is now.
func (h *Hub) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Stats{Topics: len(h.topics), Subscribers: int(h.subs.Load()), Bytes: h.bytes.Load()}
}
