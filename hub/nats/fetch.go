package natsbroker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	pageMessages = 256
	pageBytes    = 1 << 20

	statusHeader   = "Status"
	sequenceHeader = "Nats-Sequence"
	beforeHeader   = "Nats-Last-Sequence" // of a topic's message before this one; in a page, of the one before it there
	timeHeader     = "Nats-Time-Stamp"
	pendingHeader  = "Nats-Num-Pending"
)

// fetchTimeout is how long the next message of a response may take. Tests change it.
var fetchTimeout = 5 * time.Second

// A page is some of a topic's stored messages, in order.
type page struct {
	from     uint64 // messages from this sequence on were asked for; 0: all
	messages []*nats.Msg
	more     uint64 // how many follow
}

// begins returns the sequence of the first message, or 0.
func (p *page) begins() uint64 {
	if len(p.messages) == 0 {
		return 0
	}
	return number(p.messages[0], sequenceHeader)
}

// overlaps reports whether the page begins with the message that it was to begin with.
func (p *page) overlaps() bool { return p.from > 0 && p.begins() == p.from }

// fetch asks the server for a topic's messages from a sequence on, a page of them,
// which has more than the one of that sequence, if there are more. It blocks.
func (b *Broker) fetch(subject string, from uint64) (page, error) {
	p, err := b.page(subject, from)
	if err == nil && len(p.messages) == 1 && p.more > 0 { // it is as large as a page
		var rest page
		rest, err = b.page(subject, p.begins()+1)
		p.messages, p.more = append(p.messages, rest.messages...), rest.more
	}
	p.from = from
	return p, err
}

func (b *Broker) page(subject string, from uint64) (page, error) {
	return b.get(map[string]any{"next_by_subj": subject, "seq": max(1, from), "batch": pageMessages, "max_bytes": pageBytes})
}

// lastBefore returns the sequence of a topic's last message that was stored before a
// time, or 0. It blocks.
func (b *Broker) lastBefore(subject string, at time.Time) (uint64, error) {
	p, err := b.get(map[string]any{"multi_last": []string{subject}, "up_to_time": at})
	if len(p.messages) == 0 || isLater(header(p.messages[0], timeHeader), at.UTC().Format(time.RFC3339Nano)) { // to a stream that is empty, no time is none
		return 0, err
	}
	return p.begins(), err
}

// get asks the server for stored messages. It blocks.
func (b *Broker) get(what map[string]any) (p page, err error) {
	request, err := json.Marshal(what)
	if err != nil {
		return p, err
	}
	session, inbox := b.session.Load(), b.conn.NewInbox()
	replies := make(chan *nats.Msg, pageMessages+1) // SubscribeSync would make one for 65,536
	sub, err := b.conn.ChanSubscribe(inbox, replies)
	if err != nil {
		return p, fmt.Errorf("natsbroker: fetch: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }() // the connection may be closed
	if err := b.conn.PublishRequest(b.direct, inbox, request); err != nil {
		return p, fmt.Errorf("natsbroker: fetch: %w", err)
	}
	late := time.NewTimer(fetchTimeout)
	defer late.Stop()
	for done := false; !done; late.Reset(fetchTimeout) {
		select {
		case m := <-replies:
			if done, err = p.add(m); err == errGone {
				b.stream.suspect()
			}
		case <-late.C:
			err = context.DeadlineExceeded
		case <-session.Done():
			err = session.Err()
		}
		if err != nil {
			return page{}, fmt.Errorf("natsbroker: fetch: %w", err)
		}
	}
	return p, nil
}

var (
	errTorn = errors.New("messages were lost on their way")
	errGone = errors.New("no server responds for the stream")
)

// add takes one message of a response, and reports whether it is the last one.
func (p *page) add(m *nats.Msg) (done bool, err error) {
	seq, last := number(m, sequenceHeader), uint64(0)
	if n := len(p.messages); n > 0 {
		last = number(p.messages[n-1], sequenceHeader)
	}
	status := m.Header.Get(statusHeader)
	switch {
	case (seq > 0 || status == "204") && number(m, beforeHeader) != last:
		return false, errTorn
	case seq > 0: // a message; it may have a field that is called Status
		p.messages = append(p.messages, m)
		return false, nil
	case status == "204": // the page is complete
		p.more = number(m, pendingHeader)
		return true, nil
	case status == "404": // there are none
		return true, nil
	case status == "503":
		return false, errGone
	}
	return false, fmt.Errorf("status %s %s", status, m.Header.Get("Description"))
}

// header returns what the server says of a message. Whoever published it may have
// given it fields of the same names, which come before the server's.
func header(m *nats.Msg, name string) string {
	all := m.Header[name]
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}

// number returns a number that the server says of a message, or 0.
func number(m *nats.Msg, name string) uint64 {
	n, err := strconv.ParseUint(header(m, name), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
