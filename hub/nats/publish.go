package natsbroker

import (
	"container/heap"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"weir/hub"
	"weir/hub/nats/internal/wire"
)

const (
	batchLimit = 64 << 10 // bytes of a batch that waits behind another one of its topic
	headerRoom = 1 << 10  // of the server's limit on a message, for its headers
	eventCost  = 64       // what an event takes beside its bytes, for the bound
	ackWait    = 5 * time.Second
	retryWait  = 100 * time.Millisecond
)

// A publisher brings events into the stream. Each topic has an outbox whose batches
// are sent one after the other, the next one when the server has acknowledged the
// one before, so that events are stored in the order in which they were published,
// also when a batch has to be sent again. While a batch is under way the next one
// grows: the slower the server, the larger the batches.
//
// Two goroutines work for all topics: run sends, and one of the client library's
// takes the acknowledgements.
type publisher struct {
	b       *Broker
	inbox   string // acknowledgements arrive on inbox.TOKEN
	process string // the first half of message ids
	acks    *nats.Subscription
	wake    chan struct{} // run is to look again
	done    chan struct{} // run has returned

	mu      sync.Mutex // guards what follows, and the outboxes and batches
	topics  map[string]*outbox
	due     outboxes
	sent    map[uint64]*outbox // by the token of their first batch
	tokens  uint64
	bytes   int
	closing bool // no more events; what waits is sent at once
}

// An outbox has the events of one topic that are not stored yet.
type outbox struct {
	topic, subject string
	batches        []*batch  // the first is sent next, or under way; the last takes more events
	at             time.Time // when run is to look at it
	index          int       // in publisher.due
}

type batch struct {
	payload []byte
	events  int
	cost    int
	waiting []func(error)
	due     time.Time // when it is to be sent
	expires time.Time
	token   uint64    // 0: not sent yet
	again   time.Time // when it is to be sent again
}

// publish adds an event to its topic's outbox.
func (p *publisher) publish(topic string, e *hub.Event, done func(error)) error {
	size := wire.SizeOf(e.Name, e.Data)
	if limit := int(p.b.maxPayload.Load()) - headerRoom; size > limit {
		return fmt.Errorf("%w: %d bytes, the server takes %d", hub.ErrTooLarge, size, limit)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closing:
		return hub.ErrClosed
	case p.bytes+size+eventCost > p.b.config.Buffer:
		return fmt.Errorf("%w: %d bytes wait for the server", hub.ErrBusy, p.bytes)
	}
	o := p.topics[topic]
	if o == nil {
		subject, err := wire.AppendToken([]byte(p.b.config.Prefix+topicInfix), topic)
		if err != nil {
			return fmt.Errorf("%w: %w", hub.ErrTopic, err)
		}
		o = &outbox{topic: topic, subject: string(subject), index: -1}
		p.topics[topic] = o
	}
	m := o.open(size, p.b.config)
	begins, full := m.events == 0, m.full(p.b.config)
	if done != nil {
		m.waiting = append(m.waiting, done)
	}
	m.payload = wire.AppendEvent(m.payload, e.Name, e.Data)
	m.events++
	m.cost += size + eventCost
	p.bytes += size + eventCost
	if m == o.batches[0] && (begins || !full && m.full(p.b.config)) {
		p.schedule(o, m.sendAt(p.b.config))
	}
	return nil
}

// open returns the batch that takes an event of a size: the last one, unless it is
// under way or large, or a new one.
func (o *outbox) open(size int, c *Config) *batch {
	if n := len(o.batches); n > 0 {
		m := o.batches[n-1]
		if m.token == 0 && m.events < wire.MaxEvents && len(m.payload)+size <= batchLimit {
			return m
		}
	}
	now := time.Now()
	m := &batch{due: now.Add(c.BatchDelay), expires: now.Add(c.PublishTimeout)}
	o.batches = append(o.batches, m)
	return m
}

// full reports whether the batch is sent before its time.
func (m *batch) full(c *Config) bool {
	return len(m.payload) >= c.BatchBytes || m.events == wire.MaxEvents
}

func (m *batch) sendAt(c *Config) time.Time {
	if m.full(c) {
		return time.Time{}
	}
	return m.due
}

// schedule has run look at an outbox at a time, the zero one being now.
func (p *publisher) schedule(o *outbox, at time.Time) {
	o.at = at
	if o.index < 0 {
		heap.Push(&p.due, o)
	} else {
		heap.Fix(&p.due, o.index)
	}
	if o.index == 0 {
		p.kick()
	}
}

// kick has run look again, now.
func (p *publisher) kick() {
	select {
	case p.wake <- struct{}{}:
	default: // it is to look anyway
	}
}

// resume sends again what was under way when the connection was lost.
func (p *publisher) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range p.topics {
		o.batches[0].again = time.Time{}
		p.schedule(o, time.Time{})
	}
}

// run sends batches when they are due, until the publisher is closed and nothing is
// left to send.
func (p *publisher) run() {
	defer close(p.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		connected := p.b.conn.IsConnected() // may wait for the socket: not with the lock held, which Publish needs
		next, ok := p.step(time.Now(), connected)
		if !ok {
			return
		}
		timer.Reset(next)
		select {
		case <-p.wake:
		case <-timer.C:
		}
	}
}

// step deals with all outboxes that are due. It returns how long none is; ok is
// false when the publisher has ended.
func (p *publisher) step(now time.Time, connected bool) (next time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.due) > 0 {
		o := p.due[0]
		if wait := o.at.Sub(now); wait > 0 && !p.closing {
			return wait, true
		}
		m := o.batches[0]
		switch {
		case !m.expires.After(now):
			p.finish(o, m.expiry())
		case !connected, m.token != 0 && m.again.After(now):
			wait := m.expires
			if m.token != 0 && m.again.After(now) && m.again.Before(wait) {
				wait = m.again
			}
			if p.schedule(o, wait); p.closing { // look no more often than this, though all is due
				return min(time.Until(wait), retryWait), true
			}
		default:
			p.send(o, m, now)
		}
	}
	return time.Hour, !p.closing || len(p.topics) > 0
}

func (m *batch) expiry() error {
	if m.token == 0 {
		return fmt.Errorf("%w: the server was not reached", ErrTimeout)
	}
	return fmt.Errorf("%w: the server has not acknowledged it, but may have stored it", ErrTimeout)
}

// send sends a topic's first batch, for the first time or again. It is entered with
// the lock held, and releases it meanwhile.
func (p *publisher) send(o *outbox, m *batch, now time.Time) {
	if m.token == 0 {
		p.tokens++
		m.token = p.tokens
		p.sent[m.token] = o
	}
	m.again = now.Add(ackWait)
	p.schedule(o, earlier(m.again, m.expires))
	token := strconv.FormatUint(m.token, 36)
	msg := &nats.Msg{
		Subject: o.subject,
		Reply:   p.inbox + "." + token,
		Data:    m.payload,
		Header: nats.Header{
			jetstream.MsgIDHeader:          {p.process + token},
			jetstream.ExpectedStreamHeader: {p.b.config.Stream},
			wire.VersionHeader:             {wire.Version},
		},
	}
	p.mu.Unlock()
	err := p.b.conn.PublishMsg(msg) // may wait for the socket
	p.mu.Lock()
	if err != nil && len(o.batches) > 0 && o.batches[0] == m {
		p.retry(o, m, now)
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// retry sends a batch again soon.
func (p *publisher) retry(o *outbox, m *batch, now time.Time) {
	m.again = now.Add(retryWait)
	p.schedule(o, earlier(m.again, m.expires))
}

// An ack is what the server sends for a message that it has stored, or has not.
type ack struct {
	Seq   uint64              `json:"seq"`
	Error *jetstream.APIError `json:"error"`
}

// acknowledged takes one acknowledgement. It is called by the client library.
func (p *publisher) acknowledged(msg *nats.Msg) {
	token, err := strconv.ParseUint(msg.Subject[len(p.inbox)+1:], 36, 64)
	if err != nil {
		return // nothing of ours was sent with that
	}
	var a ack
	if status := msg.Header.Get(statusHeader); status != "" {
		a.Error = &jetstream.APIError{Code: 503, Description: "no stream takes " + p.b.config.Prefix + topicInfix + "*"}
		p.b.stream.suspect()
	} else if err := json.Unmarshal(msg.Data, &a); err != nil || a.Error == nil && a.Seq == 0 {
		a.Error = &jetstream.APIError{Code: 503, Description: "an acknowledgement that cannot be read"}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.sent[token]
	switch {
	case o == nil: // it was given up, or is acknowledged twice
	case a.Error == nil:
		p.finish(o, nil)
	case a.Error.Code == 503:
		p.retry(o, o.batches[0], time.Now())
	default:
		p.finish(o, fmt.Errorf("natsbroker: the server refused it: %w", a.Error))
	}
}

// finish ends a topic's first batch: it is stored, or err says why not. It is entered with the lock held, and releases it while it calls back.
func (p *publisher) finish(o *outbox, err error) {
	m := o.batches[0]
	o.batches[0] = nil
	o.batches = o.batches[1:]
	delete(p.sent, m.token)
	p.bytes -= m.cost
	if len(o.batches) > 0 {
		p.schedule(o, o.batches[0].sendAt(p.b.config))
	} else {
		if o.index >= 0 {
			heap.Remove(&p.due, o.index)
		}
		delete(p.topics, o.topic)
		p.kick() // for close
	}
	failed := m.events - len(m.waiting)
	if len(m.waiting) == 0 && (err == nil || failed == 0) {
		return
	}
	p.mu.Unlock()
	defer p.mu.Lock()
	if err != nil && failed > 0 {
		p.b.config.OnFailure(o.topic, failed, err)
	}
	for _, done := range m.waiting {
		done(err)
	}
}

// close sends what waits and returns when all of it is stored or given up.
func (p *publisher) close() {
	p.mu.Lock()
	p.closing = true
	p.mu.Unlock()
	p.kick()
	<-p.done
	_ = p.acks.Unsubscribe() // the connection may be closed
}

// outboxes is a heap of those that run has to look at, the next one first.
type outboxes []*outbox

func (h outboxes) Len() int           { return len(h) }
func (h outboxes) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h outboxes) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *outboxes) Push(x any) {
	o := x.(*outbox)
	o.index = len(*h)
	*h = append(*h, o)
}
func (h *outboxes) Pop() any {
	old := *h
	o := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	o.index = -1
	return o
}
