package weir

import (
	"context"
	"errors"
	"time"
)

// A shutdown goes through these stages. Drain counts from its beginning.
//
//	grace     as long as DrainGrace: requests are served, each response says Connection: close
//	refusing  new connections are refused; requests that still arrive get 503, connections
//	          that are quiet are closed, running responses continue
//	cutting   Drain has passed: what still runs is aborted in the course of Mercy
//
// Between the first two the listeners close, once all that the kernel had
// accepted is taken in.

// moment is how long a connection may be quiet once requests are refused. A
// client that has just connected, or has just read a response that did not say
// Connection: close, may have a request on the wire; it gets a response.
const moment = time.Second

// DrainReport is the result of a shutdown.
type DrainReport struct {
	Drained int           // requests and streams that were running, or came in the grace, and are complete
	Cut     int           // those that were aborted
	Refused int           // requests that came after the grace, and got 503
	Took    time.Duration // from the call to the end
}

// Shutdown ends the server gracefully. It must not be called on an event loop.
//
// With a Timeouts.DrainGrace, requests and connections are served for that
// long, so that load balancers can learn to send clients elsewhere. Then the
// server stops listening, and the address is free for another. Requests that
// still arrive, on connections that are open or that the kernel had accepted,
// get 503, and OnError is called with [ErrServerClosed]. Connections on which
// no request arrives are closed.
//
// What was running before, or came in the grace, continues for Timeouts.Drain
// from the call; [Stream.Draining] reports to streams that requests are refused
// now. What then still runs is aborted with [ErrServerClosed], each at a random
// moment within Timeouts.Mercy, so that not all clients come back at once.
//
// Called again, Shutdown waits for the first call's end and returns its report.
// When the ctx of any of the calls is done, everything is aborted at once.
func (s *Server) Shutdown(ctx context.Context) (DrainReport, error) {
	s.mu.Lock()
	started, first := s.started, s.hurry == nil
	if started && first {
		ctx, s.hurry = context.WithCancel(ctx)
	}
	hurry := s.hurry
	s.mu.Unlock()
	switch {
	case !started:
		return DrainReport{}, errors.New("weir: the server was not started")
	case !first:
		return s.awaitClosed(ctx, hurry), nil
	}
	defer hurry()
	begin := time.Now()
	deadline := begin.Add(s.Timeouts.Drain)
	s.deadline.Store(&deadline)
	ran := s.windDown(ctx)
	cut := 0
	if !s.awaitEmpty(ctx, deadline) {
		cut = s.cutRest(ctx)
	}
	s.reactor.Close()
	s.http2.end()
	s.report = DrainReport{Drained: max(0, ran-cut), Cut: cut, Refused: int(s.refused.Load()), Took: time.Since(begin)}
	close(s.closed)
	return s.report, nil
}

// awaitClosed waits for the end of a shutdown that another call has begun.
func (s *Server) awaitClosed(ctx context.Context, hurry context.CancelFunc) DrainReport {
	select {
	case <-s.closed:
	case <-ctx.Done():
		hurry()
		<-s.closed
	}
	return s.report
}

// windDown goes through the stages until requests are refused. It returns how
// many of them ran at the beginning or came in the grace.
func (s *Server) windDown(ctx context.Context) (ran int) {
	ran = s.gather(func(sh *shard) int { return sh.conns.Running() - int(sh.requests.Load()) })
	running, total := s.visits.count(false)
	ran += running - total
	s.serveOn(ctx, min(s.Timeouts.DrainGrace, s.Timeouts.Drain))
	s.reactor.StopListening()
	s.http2.drain()
	ran += s.gather((*shard).refuse)
	_, total = s.visits.count(true)
	ran += total
	close(s.draining) // not before they are counted: some end at once
	return ran
}

// serveOn lets the grace pass.
func (s *Server) serveOn(ctx context.Context, grace time.Duration) {
	if grace <= 0 {
		return
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// refuse makes the loop respond with 503 to requests, and close what is quiet.
// It returns how many requests there have been.
func (sh *shard) refuse() int {
	sh.conns.Refuse(moment)
	return int(sh.requests.Load())
}

// cutRest cuts what still runs, in the course of the mercy.
func (s *Server) cutRest(ctx context.Context) (cut int) {
	mercy := s.Timeouts.Mercy
	cut = s.gather(func(sh *shard) int { return sh.conns.Cut(mercy) })
	cut += s.visits.cut(mercy)
	if !s.awaitEmpty(ctx, time.Now().Add(mercy+time.Second)) { // the reactor's end cuts the rest
		s.visits.cut(0)
		s.await(context.Background(), time.Now().Add(lastWords), s.visits.none)
	}
	return cut
}

// lastWords is how long requests that are aborted at once may take to say so:
// their connections are other requests' as well, and end next.
const lastWords = 100 * time.Millisecond

// gather runs f on every loop and adds up what it returns.
func (s *Server) gather(f func(sh *shard) int) (sum int) {
	parts := make(chan int, len(s.shards))
	for _, sh := range s.shards {
		sh.loop.Post(reactorTask(func() { parts <- f(sh) }))
	}
	for range s.shards {
		sum += <-parts
	}
	return sum
}

// awaitEmpty waits until no connection is left, and no request that another
// server has received; it reports whether that came to pass in time.
func (s *Server) awaitEmpty(ctx context.Context, deadline time.Time) bool {
	return s.await(ctx, deadline, func() bool { return s.conns.Load() == 0 && s.visits.none() })
}

// await waits until done, which progress makes, and reports whether that came
// to pass in time.
func (s *Server) await(ctx context.Context, deadline time.Time, done func() bool) bool {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	for !done() {
		select {
		case <-s.progress:
		case <-timer.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (s *Server) connClosed() {
	if s.conns.Add(-1) == 0 {
		s.madeProgress()
	}
}

// madeProgress notifies a shutdown of an end that it may wait for.
func (s *Server) madeProgress() {
	if !s.isDraining() {
		return
	}
	select {
	case s.progress <- struct{}{}:
	default: // one that was not taken yet says the same
	}
}

func (s *Server) isDraining() bool { return s.deadline.Load() != nil }

func (s *Server) drainDeadline() (time.Time, bool) {
	if at := s.deadline.Load(); at != nil {
		return *at, true
	}
	return time.Time{}, false
}
