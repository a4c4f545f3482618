package natsbroker

import (
	"container/heap"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
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
	batchCost  = 512      // what a batch takes beside its events, with its topic
	ackWait    = 5 * time.Second
	retryWait  = 100 * time.Millisecond
)

// A publisher brings events into the stream. Each topic has an outbox whose batches
// are sent one after the other, the next one when the server has acknowledged the
// one before, so that events are stored in the order in which they were published,
// also when a batch has to be sent again. While a batch is under way the next one
// grows: the slower the server, the larger the batches.
//
// Three goroutines work for all topics: run sends, and may wait for the socket; watch
// gives up what has waited too long; and one of the client library's takes the
// acknowledgements.
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
	at             time.Time // when the first is to be sent, or sent again
	index          int       // in publisher.due
}

type batch struct {
	payload []byte
	events  int
	cost    int
	waiting []func(error)
	due     time.Time // when it is to be sent
	closes  time.Time // it takes no more events then: they shall have their time, too
	expires time.Time
	token   uint64 // 0: not sent yet
	refused error  // why it was not stored the last time it was sent
}

// publish adds an event to its topic's outbox.
func (p *publisher) publish(topic string, e *hub.Event, done func(error)) error {
	size, limit := wire.SizeOf(e.Name, e.Data), p.b.limit()
	switch {
	case size > limit:
		return fmt.Errorf("%w: %d bytes, the server takes %d", hub.ErrTooLarge, size, limit)
	case !wire.IsName(e.Name):
		return fmt.Errorf("%w: its name has a line break or a NUL", hub.ErrEvent)
	}
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing {
		return hub.ErrClosed
	}
	o := p.topics[topic]
	if o == nil {
		subject, err := wire.AppendToken([]byte(p.b.config.Prefix+topicInfix), topic)
		if err != nil {
			return fmt.Errorf("%w: %w", hub.ErrTopic, err)
		}
		o = &outbox{topic: topic, subject: string(subject), index: -1}
	}
	m, cost := o.open(size, min(limit, batchLimit), now), size+eventCost
	if m == nil {
		cost += batchCost
	}
	if p.bytes+cost > p.b.config.Buffer {
		return fmt.Errorf("%w: %d bytes wait for the server", hub.ErrBusy, p.bytes)
	}
	if m == nil {
		m = newBatch(p.b.config, now)
		o.batches = append(o.batches, m)
		p.topics[topic] = o
	}
	full := m.full(p.b.config)
	m.add(e, cost, done)
	p.bytes += cost
	if m == o.batches[0] && (m.events == 1 || !full && m.full(p.b.config)) {
		p.schedule(o, p.sendAt(m))
	}
	return nil
}

// open returns the batch that takes an event of a size: the last one, unless it is
// under way, large or old. Then there is none.
func (o *outbox) open(size, limit int, now time.Time) *batch {
	if len(o.batches) == 0 {
		return nil
	}
	m := o.batches[len(o.batches)-1]
	if m.token != 0 || m.events == wire.MaxEvents || len(m.payload)+size > limit || !m.closes.After(now) {
		return nil
	}
	return m
}

func newBatch(c *Config, now time.Time) *batch {
	due := now.Add(c.BatchDelay)
	return &batch{due: due, closes: due.Add(c.PublishTimeout / 8), expires: now.Add(c.PublishTimeout)}
}

func (m *batch) add(e *hub.Event, cost int, done func(error)) {
	if done != nil {
		m.waiting = append(m.waiting, done)
	}
	m.payload = wire.AppendEvent(m.payload, e.Name, e.Data)
	m.events++
	m.cost += cost
}

// full reports whether the batch is sent before its time.
func (m *batch) full(c *Config) bool {
	return len(m.payload) >= c.BatchBytes || m.events == wire.MaxEvents
}

// sendAt returns when a batch is to be sent, the zero time being now.
func (p *publisher) sendAt(m *batch) time.Time {
	if p.closing || m.full(p.b.config) {
		return time.Time{}
	}
	return m.due
}

// schedule has an outbox's first batch sent at a time.
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
		next, ok := p.step(connected)
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

// step sends what is due. It returns when to look again; ok is false when the
// publisher has ended.
func (p *publisher) step(connected bool) (next time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !connected {
		return time.Second, !p.closing || len(p.topics) > 0
	}
	for len(p.due) > 0 {
		if wait := time.Until(p.due[0].at); wait > 0 {
			return wait, true
		}
		p.send(p.due[0])
	}
	return time.Hour, !p.closing
}

// watch gives up what has waited too long, until run has ended.
func (p *publisher) watch() {
	ticker := time.NewTicker(max(p.b.config.PublishTimeout/16, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-p.done:
			return
		case now := <-ticker.C:
			p.expire(now)
		}
	}
}

func (p *publisher) expire(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range p.topics {
		for len(o.batches) > 0 && !o.batches[0].expires.After(now) {
			p.finish(o, o.batches[0].expiry())
		}
	}
}

func (m *batch) expiry() error {
	switch {
	case m.token == 0:
		return fmt.Errorf("%w: the server was not reached", ErrTimeout)
	case m.refused != nil:
		return fmt.Errorf("%w: %w", ErrTimeout, m.refused)
	}
	return fmt.Errorf("%w: the server has not acknowledged it, but may have stored it", ErrTimeout)
}

// send sends a topic's first batch, for the first time or again. It is entered with
// the lock held, and releases it meanwhile.
func (p *publisher) send(o *outbox) {
	m := o.batches[0]
	if m.token == 0 {
		p.tokens++
		m.token = p.tokens
		p.sent[m.token] = o
	}
	m.refused = nil
	p.schedule(o, time.Now().Add(ackWait))
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
	switch {
	case err == nil, p.sent[m.token] != o: // under way, or given up meanwhile
	case errors.Is(err, nats.ErrMaxPayload): // of a server that takes less than the one before
		p.finish(o, fmt.Errorf("%w: %w", hub.ErrTooLarge, err))
	default:
		p.retry(o, err)
	}
}

// retry sends a batch again soon.
func (p *publisher) retry(o *outbox, refused error) {
	o.batches[0].refused = refused
	p.schedule(o, time.Now().Add(retryWait))
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
	case isPassing(a.Error):
		p.retry(o, fmt.Errorf("the server has refused it: %w", a.Error))
	default:
		p.finish(o, fmt.Errorf("natsbroker: the server has refused it: %w", a.Error))
	}
}

// duplicateInProcess is the code of an error that is no loss: the same message was
// sent before, and a cluster has not agreed on it yet.
const duplicateInProcess = 10158

// isPassing reports whether a message that was refused may be stored later.
func isPassing(e *jetstream.APIError) bool {
	return e.Code >= 500 || e.Code == 429 || e.ErrorCode == duplicateInProcess
}

// finish ends a topic's first batch: it is stored, or err says why not. It is entered
// with the lock held, and releases it while it calls back.
func (p *publisher) finish(o *outbox, err error) {
	m := o.batches[0]
	o.batches[0] = nil
	o.batches = o.batches[1:]
	delete(p.sent, m.token)
	p.bytes -= m.cost
	if len(o.batches) > 0 {
		p.schedule(o, p.sendAt(o.batches[0]))
	} else {
		heap.Remove(&p.due, o.index)
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
		p.b.report(o.topic, failed, err)
	}
	for _, done := range m.waiting {
		done(err)
	}
}

// report calls Config.OnFailure, whose panic does not end the process.
func (b *Broker) report(topic string, n int, err error) {
	defer func() {
		if v := recover(); v != nil {
			b.config.Logger.Error("natsbroker: Config.OnFailure panicked", "topic", topic, "panic", v, "stack", string(debug.Stack()))
		}
	}()
	b.config.OnFailure(topic, n, err)
}

// close sends what waits and returns when all of it is stored or given up.
func (p *publisher) close() {
	p.mu.Lock()
	p.closing = true
	for _, o := range p.topics {
		if m := o.batches[0]; m.token == 0 {
			p.schedule(o, p.sendAt(m))
		}
	}
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
