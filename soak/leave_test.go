//go:build soak

package soak

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"time"
)

const (
	stayMin = 500 * time.Millisecond
	stayMax = 8 * time.Second
)

func (s *seat) way() leaving { return leaving(s.rng.IntN(int(ways))) }

// ask opens a connection with one request on it.
func (s *seat) ask(rec *record, receive int) (*wire, error) {
	w, err := connect(s.hall.addr, receive)
	if err == nil {
		w.say(rec.head())
	}
	return w, err
}

// goAway leaves for good. What comes after a half-close must not pass for a whole
// answer; from is the answer's body if its head was read.
func (s *seat) goAway(w *wire, how leaving, rec *record, from io.Reader, at int64) error {
	if err := w.leave(how, rec); err != nil {
		return fmt.Errorf("%v: leaving by %v: %w", rec, how, err)
	}
	switch how {
	case byHalfCloseReset:
		s.pause(0, 20*time.Millisecond)
		w.reset()
	case byHalfClose:
		defer w.Close()
		if from == nil {
			var err error
			if from, err = w.begin(rec); err != nil {
				return nil // closed without a word
			}
		}
		b := body{r: rec, off: at}
		return cut(rec, b.take(from, math.MaxInt64))
	}
	return nil
}

// noRequest leaves without a byte.
func (s *seat) noRequest() error {
	w, err := connect(s.hall.addr, 0)
	if err != nil {
		return err
	}
	s.pause(0, time.Second)
	return s.expectSilence(w)
}

// midRequest leaves when a part of the head is there.
func (s *seat) midRequest() error {
	w, err := connect(s.hall.addr, 0)
	if err != nil {
		return err
	}
	rec := book.open(s.ordinary(), "mid-request", never)
	head := rec.head()
	w.say(head[:1+s.rng.IntN(len(head)-1)])
	s.pause(0, time.Second)
	return s.expectSilence(w, rec)
}

// expectSilence leaves a server that has nothing to say.
func (s *seat) expectSilence(w *wire, records ...*record) error {
	how := s.way()
	if err := w.leave(how, records...); err != nil {
		return err
	}
	defer w.reset()
	if how == byHalfClose {
		return w.ended()
	}
	return nil
}

// atOnce leaves in the breath in which it asks.
func (s *seat) atOnce() error {
	o := s.ordinary()
	o.size = -1
	rec := book.open(o, "at once", maybe)
	w, err := s.ask(rec, 0)
	if err != nil {
		return err
	}
	return s.goAway(w, s.way(), rec, nil, 0)
}

// beforeHead leaves a stream that has not committed its head.
func (s *seat) beforeHead() error {
	return s.leaveHeld("before head", holdHead)
}

// beforeChunk leaves a stream that has sent its head only.
func (s *seat) beforeChunk() error {
	return s.leaveHeld("before chunk", holdChunk)
}

func (s *seat) leaveHeld(stage string, at hold) (err error) {
	rec := book.open(order{feed: s.feed(), size: -1, chunk: 1, gap: 400 * time.Millisecond, hold: at}, stage, gone)
	w, err := s.ask(rec, 0)
	if err != nil {
		return err
	}
	var from io.Reader
	if at == holdChunk {
		if from, err = w.begin(rec); err != nil {
			return err
		}
	}
	if !s.await(rec.began) {
		return fmt.Errorf("%v: not begun", rec)
	}
	s.pause(stayMin, stayMax)
	return s.goAway(w, s.way(), rec, from, 0)
}

// midStream leaves when it has taken a few chunks.
func (s *seat) midStream() error {
	o := s.ordinary()
	o.size = -1
	return s.leaveFlowing("mid-stream", o)
}

func (s *seat) leaveFlowing(stage string, o order) error {
	rec := book.open(o, stage, gone)
	w, err := s.ask(rec, 0)
	if err != nil {
		return err
	}
	from, err := w.begin(rec)
	if err != nil {
		return err
	}
	b := body{r: rec}
	chunks := 1 + s.rng.Int64N(20)
	for i := int64(0); i < chunks && err == nil && s.open(); i++ {
		err = b.take(from, 1+s.rng.Int64N(int64(o.chunk)*2))
	}
	s.hall.bytes.Add(b.off)
	if err != nil {
		w.reset()
		return fmt.Errorf("%v: after %d bytes: %w", rec, b.off, err)
	}
	s.pause(0, 400*time.Millisecond)
	return s.goAway(w, s.way(), rec, from, b.off)
}

// backPressured leaves when its stream has come to a stop because it reads
// nothing.
func (s *seat) backPressured() error {
	rec := book.open(order{feed: s.feed(), size: -1, chunk: 3000}, "back-pressured", gone)
	asked := time.Now()
	w, err := s.ask(rec, 16<<10)
	if err != nil {
		return err
	}
	if !s.await(rec.began) {
		return fmt.Errorf("%v: not begun", rec)
	}
	for last := int64(0); ; {
		s.nap(60*time.Millisecond, 60*time.Millisecond)
		now := rec.produced.Load()
		if now == last && now > 0 {
			break
		}
		last = now
	}
	s.nap(0, writeStall/8)
	if time.Since(asked) > writeStall { // on a busy machine
		rec.fate = either
		rec.leaves()
		w.reset()
		return nil
	}
	return s.goAway(w, s.way(), rec, nil, 0)
}

// requestsBehind leaves a stream with requests behind it, which must not be
// served any more.
func (s *seat) requestsBehind() error {
	o := s.ordinary()
	o.size = -1
	first := book.open(o, "requests behind", gone)
	w, err := connect(s.hall.addr, 0)
	if err != nil {
		return err
	}
	requests := first.head()
	for range 1 + s.rng.IntN(5) {
		requests = append(requests, book.open(s.ordinary(), "behind", never).head()...)
	}
	if s.rng.IntN(4) == 0 { // more than the server keeps
		requests = append(requests, bytes.Repeat(book.open(s.ordinary(), "behind", never).head(), 2000)...)
	}
	w.say(requests)
	from, err := w.begin(first)
	if err != nil {
		return err
	}
	b := body{r: first}
	if err := b.take(from, 1+s.rng.Int64N(2000)); err != nil {
		return fmt.Errorf("%v: %w", first, err)
	}
	s.pause(stayMin, stayMax)
	return s.goAway(w, s.way(), first, from, b.off)
}

// midUpload leaves while a handler reads its body.
func (s *seat) midUpload() error {
	rec := book.open(order{feed: "upload", upload: 40_000, size: 1, chunk: 1}, "mid-upload", gone)
	w, err := s.ask(rec, 0)
	if err != nil {
		return err
	}
	w.say(rec.piece(0, 1+s.rng.Int64N(rec.upload-1)))
	if !s.await(rec.began) {
		return fmt.Errorf("%v: not begun", rec)
	}
	s.pause(stayMin, time.Second)
	return s.goAway(w, s.way(), rec, nil, 0)
}

// midBuffered leaves while the server gathers its body, for a handler that
// then never runs.
func (s *seat) midBuffered() error {
	rec := book.open(order{feed: "buffered", upload: 40_000, size: 1, chunk: 1}, "mid-buffered", never)
	w, err := s.ask(rec, 0)
	if err != nil {
		return err
	}
	w.say(rec.piece(0, 1+s.rng.Int64N(rec.upload-1)))
	s.pause(stayMin, 3*time.Second)
	return s.goAway(w, s.way(), rec, nil, 0)
}

// waiting leaves a handler that has not answered and is no stream. To a client
// that shut its sending side only it still answers (L6).
func (s *seat) waiting() error {
	rec := book.open(order{feed: "unary", size: 5000, chunk: 1000, hold: holdHead}, "waiting", gone)
	w, err := s.ask(rec, 0)
	if err != nil {
		return err
	}
	if !s.await(rec.began) {
		return fmt.Errorf("%v: not begun", rec)
	}
	s.pause(stayMin, stayMax)
	how := s.way()
	if err := w.leave(how, rec); err != nil {
		return err
	}
	defer w.reset()
	if how != byHalfClose {
		return nil
	}
	if _, err := w.all(rec); err != nil {
		return err
	}
	return w.ended()
}
