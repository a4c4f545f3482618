package main

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"weir/bench/internal/tour"
	"weir/plugin"
)

// loop is a decode loop: one goroutine that makes a token for each of its
// sequences every interval and sends them all.
type loop struct {
	send func(items []plugin.Item)

	mu       sync.Mutex
	interval time.Duration // of all sequences; 0 before the first
	joining  []*sequence
	all      []*sequence // those that ever joined
	done     report

	// The loop's goroutine's own.
	active []*sequence
	items  []plugin.Item
}

// report is the response of /steps.
type report struct {
	Steps   int64 `json:"steps"`
	Held    int64 `json:"held_ns"` // for which sending kept the loop from computing
	Refused int64 `json:"refused"` // tokens that a sink had no room for: they are sent in a later step
}

// sequence is one stream of tokens.
type sequence struct {
	tour.Tokens
	sink  plugin.Sink
	made  int // tokens that were sent, tour.Done among them
	over  bool
	frame []byte
}

func newLoop(send func([]plugin.Item)) *loop { return &loop{send: send} }

var errInterval = errors.New("decode: the loop has another interval")

// join adds a sequence for sink, from the next step on.
func (l *loop) join(t tour.Tokens, sink plugin.Sink) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch l.interval {
	case 0:
		l.interval = t.Interval
		go l.run(t.Interval)
	case t.Interval:
	default:
		return fmt.Errorf("%w: %v", errInterval, l.interval)
	}
	s := &sequence{Tokens: t, sink: sink}
	l.joining, l.all = append(l.joining, s), append(l.all, s)
	return nil
}

func (l *loop) run(interval time.Duration) {
	for range time.NewTicker(interval).C {
		l.admit()
		l.step()
	}
}

// admit adds new sequences, and removes those that have ended.
func (l *loop) admit() {
	l.active = slices.DeleteFunc(l.active, func(s *sequence) bool { return s.over || s.sink.Cancelled() })
	l.mu.Lock()
	defer l.mu.Unlock()
	l.active = append(l.active, l.joining...)
	l.joining = l.joining[:0]
}

// step sends a token to each sequence; all of them were made at the same time.
func (l *loop) step() {
	at := time.Now().UnixNano()
	l.items = l.items[:0]
	for _, s := range l.active {
		l.items = append(l.items, plugin.Item{Sink: s.sink, Data: s.next(at)})
	}
	begun := time.Now()
	l.send(l.items)
	held := time.Since(begun)
	refused := 0
	for i, s := range l.active {
		if errors.Is(l.items[i].Err, plugin.ErrBacklog) {
			refused++
			continue
		}
		s.sent(l.items[i].Err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done.Steps++
	l.done.Held += int64(held)
	l.done.Refused += int64(refused)
}

func (s *sequence) next(at int64) []byte {
	if s.made == s.N {
		return append(s.frame[:0], tour.Done...)
	}
	s.frame = s.AppendFrameMade(s.frame[:0], s.made, at)
	return s.frame
}

func (s *sequence) sent(err error) {
	s.made++
	if s.over = err != nil || s.made > s.N; s.over {
		_ = s.sink.Close() // an error means that the client has disconnected
	}
}

func (l *loop) report() report {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.done
}

// cancelled counts the clients that disconnected, of all that ever came.
func (l *loop) cancelled() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, s := range l.all {
		if s.sink.Cancelled() {
			n++
		}
	}
	return n
}

func sendSingle(items []plugin.Item) {
	for i := range items {
		items[i].Err = items[i].Sink.TrySend(items[i].Data)
	}
}
