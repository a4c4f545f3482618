package weir

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// A shutdown goes through these stages, of which the first two are there only
// with a Timeouts.DrainGrace. Drain counts from the beginning.
//
//	grace     new requests are served; every answer says Connection: close
//	refusing  new ones get 503, until the last of the others is answered
//	closing   nobody is let in, what is idle is closed, running answers go on
//	cutting   Drain is over: what still runs is cut in the course of Mercy

// DrainReport says how a shutdown went.
type DrainReport struct {
	Drained int           // requests and streams that were running, or came in the grace, and came to their end
	Cut     int           // those that did not
	Refused int           // requests that came after the grace, and got 503
	Took    time.Duration // from the call to the end
}

// Shutdown ends the server in good order. Any goroutine but a loop's.
//
// With a Timeouts.DrainGrace, new requests and connections are served for that
// long, so that whoever sends clients here can learn to send them elsewhere.
// After it they are answered with 503, by way of OnError with ErrServerClosed,
// for as long as others are running. Without a grace it stops accepting at
// once. What is idle in the end is closed.
//
// What was running before, or came in the grace, goes on for Timeouts.Drain
// from the call; Stream.Draining tells streams when new requests are no longer
// taken. What then still runs is cut with ErrServerClosed, each at a random
// moment within Timeouts.Mercy, so that not all clients come back at once.
//
// Called again it waits for the first call's end and returns its report. When
// the ctx of any of the calls is done everything is cut at once.
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
	ran := s.windDown(ctx, deadline)
	cut := 0
	if !s.await(ctx, deadline, s.empty) {
		cut = s.cutShards(ctx)
	}
	s.reactor.Close()
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

// windDown goes through the stages until nobody is let in any more. It returns how
// many requests ran at the beginning or came in the grace.
func (s *Server) windDown(ctx context.Context, deadline time.Time) (ran int) {
	grace := min(s.Timeouts.DrainGrace, s.Timeouts.Drain)
	if grace > 0 {
		ran = s.serveOn(ctx, grace)
		close(s.draining)
		s.await(ctx, deadline, s.answered)
	}
	s.reactor.StopListening()
	running := s.gather((*shard).close)
	if grace > 0 {
		return ran
	}
	close(s.draining) // not before they are counted: some end at once
	return running
}

// serveOn serves as before until the grace is over, and has every loop refuse
// new requests then.
func (s *Server) serveOn(ctx context.Context, grace time.Duration) (ran int) {
	before := s.gather(func(sh *shard) int { return sh.running() - int(sh.requests.Load()) })
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return before + s.gather((*shard).refuse)
}

// running counts the requests whose answers are not complete, and has the loop
// told of their ends.
func (sh *shard) running() (n int) {
	sh.each(func(c *conn) {
		if c.running() {
			n++
		}
	})
	return n
}

// refuse has the loop answer new requests with 503 and notes whose answers are
// waited for. It returns how many requests there have been.
func (sh *shard) refuse() int {
	sh.refusing = true
	sh.each(func(c *conn) {
		if c.running() {
			c.awaited = true
			sh.srv.left.Add(1)
		}
	})
	return int(sh.requests.Load())
}

// close has the loop close what is idle, and counts what is running.
func (sh *shard) close() (running int) {
	sh.closing = true
	sh.each(func(c *conn) {
		if c.drain() {
			running++
		}
	})
	return running
}

// cutShards has every loop cut what still runs, in the course of the mercy.
func (s *Server) cutShards(ctx context.Context) (cut int) {
	mercy := s.Timeouts.Mercy
	cut = s.gather(func(sh *shard) (n int) {
		sh.each(func(c *conn) {
			if c.running() {
				n++
			}
			c.cutting = true
			c.startTimer(sh.loop.Now().Add(time.Duration(rand.Int64N(int64(mercy)))))
		})
		return n
	})
	s.await(ctx, time.Now().Add(mercy+time.Second), s.empty) // the reactor's end cuts the rest
	return cut
}

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

func (s *Server) empty() bool    { return s.conns.Load() == 0 }
func (s *Server) answered() bool { return s.left.Load() == 0 }

// await waits until a condition holds that progress tells of; it reports
// whether that came to pass in time.
func (s *Server) await(ctx context.Context, deadline time.Time, holds func() bool) bool {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	for !holds() {
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

func (s *Server) tellProgress() {
	select {
	case s.progress <- struct{}{}:
	default: // one that was not taken yet says the same
	}
}

func (s *Server) connClosed() {
	if s.conns.Add(-1) == 0 && s.isDraining() {
		s.tellProgress()
	}
}

func (s *Server) isDraining() bool { return s.deadline.Load() != nil }

func (s *Server) drainDeadline() (time.Time, bool) {
	if at := s.deadline.Load(); at != nil {
		return *at, true
	}
	return time.Time{}, false
}

// running reports whether the connection has a request whose answer is not
// complete, and has the loop told of its end.
func (c *conn) running() bool {
	return c.phase == phaseBody || c.phase == phaseAnswering && !c.answered()
}

// awaitNoMore is the end of an answer, or of the connection.
func (c *conn) awaitNoMore() {
	if !c.awaited {
		return
	}
	c.awaited = false
	if c.srv.left.Add(-1) == 0 {
		c.srv.tellProgress()
	}
}

// turnAway answers a request that has come too late.
func (c *conn) turnAway() {
	c.srv.refused.Add(1)
	c.refuse(ErrServerClosed)
}

// drain closes an idle connection and reports whether it goes on. The answer
// that is being given is the connection's last.
func (c *conn) drain() bool {
	switch {
	case c.running():
		c.answered() // have the loop told of its end
		return true
	case c.phase == phaseAnswering:
		c.settle()
	case c.phase == phaseHead && c.ex == nil:
		c.over()
	case c.phase == phaseHead && c.shard.refusing:
		c.turnAway()
	} // else a request is arriving: its answer will be the last
	return false
}

// cut ends a connection whose time is up.
func (c *conn) cut() {
	if c.ex != nil {
		c.ex.cut(ErrServerClosed)
		c.ex.endBody(ErrServerClosed)
	}
	c.rc.Abort(ErrServerClosed)
}
