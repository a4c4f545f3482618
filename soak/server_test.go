//go:build soak

package soak

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"weir"
	"weir/internal/patience"
	"weir/plugin"
)

// feeds are the ways to feed a stream, each with its route.
var feeds = []string{"push", "pump", "source", "generator", "native", "detached"}

const nativeName = "soak/native"

func init() {
	plugin.Register(nativeName, plugin.Handler{Stream: native, Limit: 100_000, Doc: "what its order says"})
}

func routes() *weir.Mux {
	mux := new(weir.Mux)
	mux.Handle("GET /push/{id}", handler(push), note)
	mux.Handle("GET /pump/{id}", handler(pump), note).Inline()
	mux.Handle("GET /source/{id}", handler(source), note).Inline()
	mux.Handle("GET /generator/{id}", handler(generator), note)
	mux.Handle("GET /native/{id}", weir.Native(nativeName), note, unlessRefused)
	mux.Handle("GET /detached/{id}", handler(detached), note)
	mux.Handle("GET /unary/{id}", handler(unary), note)
	mux.Handle("GET /inline/{id}", handler(unary), note).Inline()
	mux.Handle("PUT /upload/{id}", handler(upload), note).StreamBody()
	mux.Handle("PUT /buffered/{id}", note(handler(buffered))) // middleware would run before the body is there
	return mux
}

// handler is one that answers what its record orders.
type handler func(w *weir.Response, r *weir.Request, rec *record)

func (h handler) Serve(w *weir.Response, r *weir.Request) { h(w, r, book.find(r.PathValue("id"))) }

// note is middleware that writes down that a handler runs, and what OnClose
// is told.
func note(next weir.Handler) weir.Handler {
	return weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
		rec := book.find(r.PathValue("id"))
		if rec == nil {
			w.Error(404, "no such record")
			return
		}
		rec.begin()
		r.OnClose(rec.end)
		next.Serve(w, r)
	})
}

// unlessRefused is middleware for a native handler, which is not run at all
// when its client has left already.
func unlessRefused(next weir.Handler) weir.Handler {
	return weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
		rec := book.find(r.PathValue("id"))
		next.Serve(w, r)
		select {
		case <-rec.exited:
		default:
			rec.exit(w.Stream().Cause())
		}
	})
}

// stream is what *weir.Stream and plugin.Sink have in common.
type stream interface {
	Send(p []byte) error
	Done() <-chan struct{}
	Cause() error
}

// pour sends what is ordered, and returns why it could not.
func pour(rec *record, s stream, commit func() error) error {
	switch rec.hold {
	case holdChunk:
		if err := commit(); err != nil {
			return err
		}
		fallthrough
	case holdHead:
		<-s.Done()
		return s.Cause()
	}
	b := body{r: rec}
	for {
		p, last := b.next(b.buf[:0])
		b.buf = p
		if err := s.Send(p); err != nil {
			return err
		}
		rec.produced.Add(int64(len(p)))
		if last {
			return nil
		}
		if !rest(s.Done(), rec.gap) {
			return s.Cause()
		}
	}
}

// rest waits; it reports whether nothing came in between.
func rest(done <-chan struct{}, d time.Duration) bool {
	if d == 0 {
		return true // Send will tell
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
		return false
	case <-timer.C:
		return true
	}
}

var tooLate = []byte("too late")

// depart notes how a stream ended for its producer, which then tries to go on
// (L7). A Send may fail a moment before the loop has told everyone.
func depart(rec *record, s stream, cause, after error) {
	rec.exit(cause)
	if err := s.Send(tooLate); !errors.Is(err, after) {
		rec.fault("Send after the end: got %v, want %v", err, after)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience.Limit)
	defer cancel()
	if !await(ctx.Done(), s.Done()) {
		rec.fault("Done is not closed after the end (%v)", cause)
	}
}

func push(w *weir.Response, _ *weir.Request, rec *record) {
	s := w.Stream()
	if err := pour(rec, s, s.Commit); err != nil {
		depart(rec, s, err, err)
		return
	}
	rec.exit(nil)
}

// detached pushes when its handler has returned, and ends by itself.
func detached(w *weir.Response, _ *weir.Request, rec *record) {
	s := w.Stream()
	s.Detach()
	go func() {
		err := pour(rec, s, s.Commit)
		if err == nil {
			err = s.Close()
		}
		if err == nil {
			depart(rec, s, nil, weir.ErrStreamEnded)
			return
		}
		depart(rec, s, err, err)
	}()
}

func native(c plugin.Call, s plugin.Sink) error {
	rec := book.find(c.PathValue("id"))
	err := pour(rec, s, s.Flush)
	if err != nil {
		depart(rec, s, err, err)
		if !s.Cancelled() {
			rec.fault("Cancelled: got false after %v", err)
		}
		return err
	}
	rec.exit(nil)
	return nil
}

func generator(w *weir.Response, r *weir.Request, rec *record) {
	if rec.hold == holdChunk {
		_ = w.Stream().Commit() // the context tells
	}
	err := w.StreamSeq(func(yield func([]byte, error) bool) {
		if cause := generate(rec, r.Context(), yield); cause == errRefused {
			rec.exit(w.Stream().Cause())
		} else {
			rec.exit(cause)
		}
	})
	if clean := len(rec.exits) == 1 && rec.exits[0].cause == nil; clean != (err == nil) {
		rec.fault("StreamSeq: got %v, the generator %v", err, rec.exits)
	}
}

var errRefused = errors.New("yield returned false")

func generate(rec *record, ctx context.Context, yield func([]byte, error) bool) error {
	if rec.hold != holdNot {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	b := body{r: rec}
	for {
		p, last := b.next(b.buf[:0])
		b.buf = p
		if !yield(p, nil) {
			return errRefused
		}
		rec.produced.Add(int64(len(p)))
		if last {
			return nil
		}
		if !rest(ctx.Done(), rec.gap) {
			return context.Cause(ctx)
		}
	}
}

// errCancelled is all that a step is told.
var errCancelled = errors.New("the step was called with cancelled")

// pump is pulled at its pace, and held by parking.
func pump(w *weir.Response, _ *weir.Request, rec *record) {
	src := weir.NextChunk(body{r: rec}, func(b *body, dst []byte, cancelled bool) ([]byte, error) {
		switch {
		case len(rec.exits) > 0:
			rec.fault("step(cancelled = %v) after the last one", cancelled)
			return dst, io.EOF
		case cancelled:
			rec.exit(errCancelled)
			return tooLate, nil // L5
		case rec.hold != holdNot:
			return dst, weir.ErrNotReady
		}
		p, last := b.next(dst)
		rec.produced.Add(int64(len(p)))
		if last {
			rec.exit(nil)
			return p, io.EOF
		}
		return p, nil
	})
	if rec.gap > 0 {
		src = weir.Paced(src, rec.gap)
	}
	s := w.StreamFrom(src)
	if rec.hold == holdChunk {
		_ = s.Commit() // the source is told
	}
}

// source parks between two chunks, and is woken by a timer of its own.
func source(w *weir.Response, _ *weir.Request, rec *record) {
	src := &sleeper{rec: rec, body: body{r: rec}}
	src.ready.Store(true)
	src.s = w.StreamFrom(src)
	if rec.hold == holdChunk {
		_ = src.s.Commit() // the source is told
	}
}

type sleeper struct {
	rec   *record
	body  body
	s     *weir.Stream
	ready atomic.Bool
	timer *time.Timer
}

func (q *sleeper) Next(dst []byte) ([]byte, error) {
	if len(q.rec.exits) > 0 {
		q.rec.fault("Next after Close")
	}
	if q.rec.hold != holdNot || q.rec.gap > 0 && !q.ready.Swap(false) {
		return dst, weir.ErrNotReady
	}
	p, last := q.body.next(dst)
	q.rec.produced.Add(int64(len(p)))
	switch {
	case last:
		return p, io.EOF
	case q.rec.gap == 0:
	case q.timer == nil:
		q.timer = time.AfterFunc(q.rec.gap, q.wake)
	default:
		q.timer.Reset(q.rec.gap)
	}
	return p, nil
}

// wake may come when the stream has ended.
func (q *sleeper) wake() {
	q.ready.Store(true)
	q.s.Wake()
}

func (q *sleeper) Close(cause error) {
	if q.timer != nil {
		q.timer.Stop()
	}
	q.rec.exit(cause)
}

// unary answers at once, or when it was told that nobody waits.
func unary(w *weir.Response, r *weir.Request, rec *record) {
	var cause error
	if rec.hold != holdNot {
		<-r.Context().Done()
		cause = context.Cause(r.Context())
	}
	answer(w, rec)
	rec.exit(cause)
}

func answer(w *weir.Response, rec *record) {
	b := body{r: rec}
	for last := rec.size == 0; !last; {
		b.buf, last = b.next(b.buf[:0])
		w.Write(b.buf)
	}
}

// upload reads the request's body, which has the record's content, while it
// arrives.
func upload(w *weir.Response, r *weir.Request, rec *record) {
	b := body{r: rec}
	piece := make([]byte, 4<<10)
	for {
		n, err := r.BodyReader().Read(piece)
		if bad := b.check(piece[:n]); bad != nil {
			rec.fault("upload: %v", bad)
		}
		rec.produced.Add(int64(n))
		switch {
		case err == nil:
		case err == io.EOF:
			if b.off != rec.upload {
				rec.fault("upload: got %d bytes, want %d", b.off, rec.upload)
			}
			answer(w, rec)
			rec.exit(nil)
			return
		default:
			rec.exit(err)
			return
		}
	}
}

// buffered has it all at once.
func buffered(w *weir.Response, r *weir.Request, rec *record) {
	b := body{r: rec}
	if err := b.check(r.Body()); err != nil || b.off != rec.upload {
		rec.fault("buffered upload: got %d bytes, want %d: %v", b.off, rec.upload, err)
	}
	answer(w, rec)
	rec.exit(nil)
}
