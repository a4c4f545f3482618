//go:build soak

package soak

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"weir/internal/patience"
)

// plan is what one client does, from connecting to having gone. A plan that
// returns an error has seen the server do something wrong.
type plan struct {
	name   string
	weight int
	play   func(s *seat) error
}

// plans are drawn by weight. Those that only take an answer stand first: about
// half of all streams come to their end.
var plans = []plan{
	{"whole", 42, (*seat).whole},
	{"slow reader", 4, (*seat).slowReader},
	{"pipelined", 4, (*seat).pipelined},
	{"uploaded", 3, (*seat).uploaded},
	{"unary", 3, (*seat).unary},
	{"garbage", 3, (*seat).garbage},
	{"garbage behind", 2, (*seat).garbageBehind},

	{"stalled", 3, (*seat).stalled},
	{"no request", 2, (*seat).noRequest},
	{"mid-request", 2, (*seat).midRequest},
	{"at once", 4, (*seat).atOnce},
	{"before head", 7, (*seat).beforeHead},
	{"before chunk", 7, (*seat).beforeChunk},
	{"mid-stream", 18, (*seat).midStream},
	{"back-pressured", 7, (*seat).backPressured},
	{"requests behind", 4, (*seat).requestsBehind},
	{"mid-upload", 5, (*seat).midUpload},
	{"mid-buffered", 2, (*seat).midBuffered},
	{"waiting", 4, (*seat).waiting},
}

// seat is one client after the other.
type seat struct {
	hall *hall
	rng  *rand.Rand
	kept *wire // a connection that may be used again
	late bool  // the hall has closed, and the client has taken its time
}

func (s *seat) sit() {
	for s.open() {
		p := s.draw()
		s.hall.mu.Lock()
		s.hall.played[p.name]++
		s.hall.mu.Unlock()
		if err := p.play(s); err != nil {
			s.hall.fault(fmt.Sprintf("%s: %v", p.name, err))
		}
	}
	s.drop()
}

// open reports whether the hall still is.
func (s *seat) open() bool {
	select {
	case <-s.hall.over:
		return false
	default:
		return true
	}
}

func (s *seat) draw() plan {
	sum := 0
	for _, p := range plans {
		sum += p.weight
	}
	n := s.rng.IntN(sum)
	for _, p := range plans {
		if n -= p.weight; n < 0 {
			return p
		}
	}
	panic("unreachable")
}

// pause waits between min and max. When the hall closes it goes on at once, but
// for a delay that is another one for each client: thousands that leave at the
// same moment would only measure how fast they can.
func (s *seat) pause(min, max time.Duration) {
	select {
	case <-s.hall.over:
		if !s.late {
			s.late = true
			s.nap(0, rampDown)
		}
	case <-time.After(s.between(min, max)):
	}
}

// nap is a pause of a client that goes on when the hall closes.
func (s *seat) nap(min, max time.Duration) { <-time.After(s.between(min, max)) }

func (s *seat) between(min, max time.Duration) time.Duration {
	return min + time.Duration(s.rng.Int64N(int64(max-min)+1))
}

func (s *seat) feed() string { return feeds[s.rng.IntN(len(feeds))] }

// ordinary is a stream of 2 to 10 s, now and then of large chunks, or of none.
func (s *seat) ordinary() order {
	o := order{feed: s.feed(), chunk: 20 + s.rng.IntN(500), gap: 400 * time.Millisecond}
	if s.rng.IntN(20) == 0 {
		o.chunk = 5000
	}
	o.size = int64(o.chunk) * int64(5+s.rng.IntN(20))
	return o
}

// wire is a connection: at times the one that was used before.
func (s *seat) wire() (*wire, error) {
	if w := s.kept; w != nil {
		s.kept = nil
		return w, w.SetDeadline(time.Now().Add(patience.Limit))
	}
	return connect(s.hall.addr, 0)
}

// keep uses a connection again, or not.
func (s *seat) keep(w *wire) {
	if s.rng.IntN(2) == 0 {
		s.kept = w
		return
	}
	_ = w.Close() // nothing is pending
}

func (s *seat) drop() {
	if s.kept != nil {
		_ = s.kept.Close() // nothing is pending
		s.kept = nil
	}
}

// whole takes one stream to its end.
func (s *seat) whole() error {
	return s.takeAll(book.open(s.ordinary(), "whole", whole))
}

// takeAll sends the requests at once and takes the answers, each to its end.
func (s *seat) takeAll(records ...*record) error {
	w, err := s.wire()
	if err != nil {
		return err
	}
	var requests []byte
	for _, r := range records {
		requests = append(requests, r.head()...)
	}
	w.say(requests)
	for _, r := range records {
		n, err := w.all(r)
		s.hall.bytes.Add(n)
		if err != nil {
			w.reset()
			return err
		}
	}
	s.keep(w)
	return nil
}

func (s *seat) pipelined() error {
	var records []*record
	for i := range 2 + s.rng.IntN(3) {
		o := s.ordinary()
		o.size = int64(o.chunk) * int64(1+s.rng.IntN(6))
		if i%2 == 1 {
			o.feed = "inline"
		}
		records = append(records, book.open(o, "pipelined", whole))
	}
	return s.takeAll(records...)
}

func (s *seat) unary() error {
	var records []*record
	for range 1 + s.rng.IntN(8) {
		feed := []string{"unary", "inline"}[s.rng.IntN(2)]
		records = append(records, book.open(order{feed: feed, size: s.rng.Int64N(20_000), chunk: 1000}, "unary", whole))
		s.pause(0, 200*time.Millisecond)
	}
	return s.takeAll(records...)
}

// slowReader is behind all the time, and never for as long as a stall lasts.
func (s *seat) slowReader() error {
	rec := book.open(order{feed: s.feed(), size: 400 << 10, chunk: 2000}, "slow reader", whole)
	w, err := connect(s.hall.addr, 16<<10)
	if err != nil {
		return err
	}
	defer w.Close()
	w.say(rec.head())
	from, err := w.begin(rec)
	if err != nil {
		return err
	}
	b := body{r: rec}
	for err == nil {
		s.nap(50*time.Millisecond, 250*time.Millisecond)
		err = b.take(from, 16<<10)
	}
	s.hall.bytes.Add(b.off)
	if err != io.EOF || b.off != rec.size {
		return fmt.Errorf("%v: got %d of %d bytes, %w", rec, b.off, rec.size, err)
	}
	return nil
}

// stalled takes nothing until its stream is cut.
func (s *seat) stalled() error {
	rec := book.open(order{feed: s.feed(), size: -1, chunk: 4000}, "stalled", slow)
	w, err := connect(s.hall.addr, 16<<10)
	if err != nil {
		return err
	}
	defer w.Close()
	w.say(rec.head())
	if !s.await(rec.closed) {
		return fmt.Errorf("%v: not cut", rec)
	}
	from, err := w.begin(rec)
	if err != nil {
		return nil // RST has taken the head, too
	}
	b := body{r: rec}
	return cut(rec, b.take(from, 1<<62))
}

// cut is how an answer without an end must end for its client.
func cut(rec *record, err error) error {
	if err == io.EOF {
		return fmt.Errorf("%v: a part of the answer passes for the whole", rec)
	}
	if errors.Is(err, errContent) {
		return err
	}
	return nil
}

// await waits for something that the server has to do.
func (s *seat) await(event <-chan struct{}) bool {
	timer := time.NewTimer(patience.Limit)
	defer timer.Stop()
	select {
	case <-event:
		return true
	case <-timer.C:
		return false
	}
}

func (s *seat) uploaded() error {
	feed := []string{"upload", "buffered"}[s.rng.IntN(2)]
	rec := book.open(order{feed: feed, upload: 1 + s.rng.Int64N(60<<10), size: 1 + s.rng.Int64N(5000), chunk: 1000}, "uploaded", whole)
	w, err := s.wire()
	if err != nil {
		return err
	}
	w.say(rec.head())
	for off := int64(0); off < rec.upload; {
		end := min(rec.upload, off+1+s.rng.Int64N(20<<10))
		w.say(rec.piece(off, end))
		off = end
		s.nap(0, 300*time.Millisecond)
	}
	n, err := w.all(rec)
	s.hall.bytes.Add(n)
	if err != nil {
		w.reset()
		return err
	}
	s.keep(w)
	return nil
}
