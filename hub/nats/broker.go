package natsbroker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"weir/hub"
	"weir/hub/nats/internal/wire"
)

const (
	liveMessages = 2048 // that wait for the broker's goroutine: at most 128 MiB of what brokers publish
	checkEvery   = time.Minute
	watchEvery   = 5 * time.Second
)

// A Broker is a [hub.Broker] whose topics are in a stream of NATS JetStream, and are
// shared by all processes that use the stream. It is safe for concurrent use.
//
// Publish returns when the event is in the broker's buffer, from where batches of
// events are sent; [Broker.PublishWait] when it is stored.
type Broker struct {
	config     *Config
	conn       *nats.Conn
	stream     *stream
	publisher  *publisher
	workers    workers
	direct     string       // subject of requests for stored messages
	maxPayload atomic.Int64 // of a message, by the server that the connection is to

	live    chan *nats.Msg
	ctx     context.Context // done when Close has stored what there was
	cancel  context.CancelFunc
	session atomic.Pointer[session]
	ended   sync.WaitGroup
	closing sync.Once

	mu        sync.RWMutex // guards followers; not held while one is called
	followers map[*nats.Subscription]*follower
	reported  map[string]time.Time // what was logged when
}

var _ hub.Broker = (*Broker)(nil)

// A session is the context of requests. It is done when the connection was lost and
// is back: what was asked before gets no response.
type session struct {
	context.Context
	end context.CancelFunc
}

// renew ends the session, if there is one, and begins another.
func (b *Broker) renew() {
	ctx, cancel := context.WithCancel(b.ctx)
	if before := b.session.Swap(&session{ctx, cancel}); before != nil {
		before.end()
	}
}

// New returns a broker on a connection, when its stream is there: it creates one
// with the limits of config if there is none. It needs a server of version 2.11 or
// later.
func New(ctx context.Context, js jetstream.JetStream, config Config) (*Broker, error) {
	c, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &Broker{
		config:    c,
		conn:      js.Conn(),
		direct:    apiPrefix(js) + "DIRECT.GET." + c.Stream,
		live:      make(chan *nats.Msg, liveMessages),
		followers: map[*nats.Subscription]*follower{},
		reported:  map[string]time.Time{},
	}
	b.stream = &stream{js: js, config: c.stream(), changed: b.checkAll, doubt: make(chan struct{}, 1)}
	b.ctx, b.cancel = context.WithCancel(context.WithoutCancel(ctx))
	b.renew()
	if err := b.start(ctx); err != nil {
		b.cancel()
		return nil, err
	}
	return b, nil
}

func (b *Broker) start(ctx context.Context) error {
	info, err := b.stream.open(ctx)
	if err != nil {
		return err
	}
	if window := info.Config.Duplicates; window <= b.config.PublishTimeout {
		return fmt.Errorf("natsbroker: stream %s looks for duplicates within %v, want more than Config.PublishTimeout, %v", b.config.Stream, window, b.config.PublishTimeout)
	}
	b.maxPayload.Store(b.conn.MaxPayload())
	p := &publisher{
		b: b, inbox: b.conn.NewInbox(), process: nuid.Next() + ".",
		wake: make(chan struct{}, 1), done: make(chan struct{}),
		topics: map[string]*outbox{}, sent: map[uint64]*outbox{},
	}
	if p.acks, err = b.conn.Subscribe(p.inbox+".*", p.acknowledged); err != nil {
		return fmt.Errorf("natsbroker: %w", err)
	}
	b.publisher = p
	b.workers.start()
	status := b.conn.StatusChanged(nats.CONNECTED, nats.CLOSED)
	go p.run()
	b.ended.Go(p.watch)
	b.ended.Go(b.deliver)
	b.ended.Go(func() { b.watchConnection(status) })
	b.ended.Go(b.watchStream)
	return nil
}

func apiPrefix(js jetstream.JetStream) string {
	switch o := js.Options(); {
	case o.APIPrefix != "":
		return o.APIPrefix + "."
	case o.Domain != "":
		return "$JS." + o.Domain + ".API."
	}
	return jetstream.DefaultAPIPrefix
}

// Publish puts an event into the buffer, as [hub.Hub.Publish] has it do. It does not block. Errors:
// [hub.ErrTooLarge], [hub.ErrEvent], [hub.ErrTopic], [hub.ErrBusy] while Config.Buffer
// bytes wait for the server, [hub.ErrClosed].
//
// An event that was taken is stored within Config.PublishTimeout, or Config.OnFailure
// is called.
func (b *Broker) Publish(topic string, e hub.Event) error {
	return b.publisher.publish(topic, &e, nil)
}

// PublishWait publishes an event and returns when it is stored. It blocks, and must
// not be called on an event loop. An error other than those of Publish, and that of
// ctx, may come for an event that is stored all the same. [hub.Hub.PublishWait] calls
// it, and keeps to hub.Limits.
func (b *Broker) PublishWait(ctx context.Context, topic string, e hub.Event) error {
	stored := make(chan error, 1)
	if err := b.publisher.publish(topic, &e, func(err error) { stored <- err }); err != nil {
		return err
	}
	select {
	case err := <-stored:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// limit is how large a message may be, its headers not counted.
func (b *Broker) limit() int {
	limit := int(b.maxPayload.Load())
	if s := b.stream.snapshot(); s.maxMessage > 0 {
		limit = min(limit, s.maxMessage)
	}
	return limit - headerRoom
}

// Follow brings a topic's events to log until stop is called. It may wait for the
// connection's socket.
func (b *Broker) Follow(topic string, log *hub.Log) (stop func(), err error) {
	token, err := wire.AppendToken(nil, topic)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", hub.ErrTopic, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ctx.Err() != nil {
		return nil, hub.ErrClosed
	}
	f := &follower{b: b, topic: topic, subject: b.config.Prefix + topicInfix + string(token), log: log}
	_, f.age = log.Wants()
	if f.live, err = b.conn.ChanSubscribe(b.config.Prefix+liveInfix+string(token), b.live); err != nil {
		return nil, fmt.Errorf("natsbroker: %w", err)
	}
	b.followers[f.live] = f
	f.catching = true // from the time on from which live messages may arrive
	b.workers.add(f)
	return f.stop, nil
}

// Keeps returns true: the stream has the events, also of topics that nobody follows.
func (b *Broker) Keeps() bool { return true }

// Close stores what was published, which takes Config.PublishTimeout at most, and
// ends the broker. It may also wait for the connection's socket. The connection stays
// open. Close must not be called by Config.OnFailure.
func (b *Broker) Close() error {
	b.closing.Do(func() {
		b.publisher.close()
		b.cancel()
		b.workers.close()
		b.ended.Wait()
		b.mu.Lock()
		defer b.mu.Unlock()
		for live := range b.followers {
			_ = live.Unsubscribe() // the connection may be closed
		}
		clear(b.followers)
	})
	return nil
}

// deliver passes live messages on.
func (b *Broker) deliver() {
	full := false // the channel was: messages may have been dropped
	for {
		select {
		case m := <-b.live:
			b.mu.RLock()
			f := b.followers[m.Sub]
			b.mu.RUnlock()
			if f != nil {
				f.arrived(m)
			}
			full = full || len(b.live) >= cap(b.live)-1
			if full && len(b.live) < cap(b.live)/2 {
				full = false
				b.check((*follower).dropped)
			}
		case <-b.ctx.Done():
			return
		}
	}
}

// watchConnection sees to a connection that was lost and is back.
func (b *Broker) watchConnection(status chan nats.Status) {
	defer b.conn.RemoveStatusListener(status)
	for {
		select {
		case <-b.ctx.Done():
			return
		case s := <-status:
			if s == nats.CLOSED {
				b.config.Logger.Error("natsbroker: the connection is closed, and does not come back; connect with nats.MaxReconnects(-1), and close the broker first")
				return
			}
			b.maxPayload.Store(b.conn.MaxPayload())
			b.renew()
			b.publisher.resume()
			b.checkAll()
		}
	}
}

// watchStream sees to what nobody else notices: a stream that was deleted, live
// messages that were lost on their way through a cluster.
func (b *Broker) watchStream() {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	advisories := make(chan *nats.Msg, 16)
	for _, event := range []string{"CREATED", "DELETED", "UPDATED"} {
		sub, err := b.conn.ChanSubscribe("$JS.EVENT.ADVISORY.STREAM."+event+"."+b.config.Stream, advisories)
		if err != nil {
			continue // then the ticker has to do
		}
		defer func() { _ = sub.Unsubscribe() }() // the connection may be closed
	}
	for {
		select {
		case <-b.ctx.Done():
			return
		case <-advisories:
		case <-b.stream.doubt:
		case <-ticker.C:
			before := time.Now().Add(-checkEvery)
			b.check(func(f *follower) bool { return f.lastChecked().Before(before) })
		}
		if _, err := b.stream.look(b.session.Load(), time.Now()); err != nil && b.conn.IsConnected() {
			b.failed("", err)
		}
	}
}

// checkAll has the followers look at what is stored.
func (b *Broker) checkAll() { b.check(func(*follower) bool { return true }) }

// check has those look for which this is due.
func (b *Broker) check(due func(*follower) bool) {
	b.mu.RLock()
	all := slices.Collect(maps.Values(b.followers))
	b.mu.RUnlock()
	for _, f := range all {
		if due(f) {
			f.check()
		}
	}
}

// forget ends the subscription of a follower.
func (b *Broker) forget(f *follower) {
	_ = f.live.Unsubscribe() // the connection may be closed
	b.mu.Lock()
	delete(b.followers, f.live)
	b.mu.Unlock()
}

func (b *Broker) unreadable(topic string, seq uint64, err error) {
	b.log("natsbroker: a message was skipped", "topic", topic, "sequence", seq, "error", err)
}

func (b *Broker) failed(topic string, err error) {
	if errors.Is(err, context.Canceled) {
		return // the session has ended
	}
	b.log("natsbroker: the server does not respond as expected; trying again", "error", err, "topic", topic)
}

// log writes a line, the same one at most once in a few seconds.
func (b *Broker) log(message string, args ...any) {
	b.mu.Lock()
	last := b.reported[message]
	now := time.Now()
	again := now.Sub(last) >= watchEvery
	if again {
		b.reported[message] = now
	}
	b.mu.Unlock()
	if again {
		b.config.Logger.Warn(message, args...)
	}
}

// ErrTimeout is the error of events that were not stored within
// Config.PublishTimeout. It is a [hub.ErrBusy], too: 503.
var ErrTimeout = fmt.Errorf("%w: event was not stored in time", hub.ErrBusy)
