package natsbroker

import (
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
	fetchTimeout = 5 * time.Second

	statusHeader   = "Status"
	sequenceHeader = "Nats-Sequence"
	beforeHeader   = "Nats-Last-Sequence" // of a topic's message before this one; in a page, of the one before it there
	timeHeader     = "Nats-Time-Stamp"
	pendingHeader  = "Nats-Num-Pending"
)

// A page is some of a topic's stored messages, in order.
type page struct {
	messages []*nats.Msg
	more     uint64 // how many follow
}

// first returns the first message, or an empty one.
func (p *page) first() *nats.Msg {
	if len(p.messages) == 0 {
		return new(nats.Msg)
	}
	return p.messages[0]
}

// fetch asks the server for a topic's messages from a sequence on, a page of them.
// It blocks.
func (b *Broker) fetch(subject string, from uint64) (page, error) {
	request, err := json.Marshal(map[string]any{
		"next_by_subj": subject, "seq": max(1, from), "batch": pageMessages, "max_bytes": pageBytes,
	})
	if err != nil {
		return page{}, err
	}
	inbox := b.conn.NewInbox()
	replies, err := b.conn.SubscribeSync(inbox)
	if err != nil {
		return page{}, fmt.Errorf("natsbroker: fetch: %w", err)
	}
	defer func() { _ = replies.Unsubscribe() }() // the connection may be closed
	if err := b.conn.PublishRequest(b.direct, inbox, request); err != nil {
		return page{}, fmt.Errorf("natsbroker: fetch: %w", err)
	}
	var p page
	for {
		m, err := replies.NextMsg(fetchTimeout)
		if err != nil {
			return page{}, fmt.Errorf("natsbroker: fetch: %w", err)
		}
		switch status := m.Header.Get(statusHeader); status {
		case "":
			p.messages = append(p.messages, m)
		case "204": // the page is complete
			p.more = number(m, pendingHeader)
			return p, nil
		case "404": // the topic has none
			return p, nil
		case "503":
			b.stream.suspect()
			return page{}, errors.New("natsbroker: fetch: no server responds for the stream")
		default:
			return page{}, fmt.Errorf("natsbroker: fetch: status %s %s", status, m.Header.Get("Description"))
		}
	}
}

// number returns a number in a message's header, or 0.
func number(m *nats.Msg, name string) uint64 {
	n, err := strconv.ParseUint(m.Header.Get(name), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
