package weir

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// DrainReport says how a shutdown went.
type DrainReport struct {
	Drained int           // requests and streams that were running and came to their end
	Cut     int           // those that did not
	Took    time.Duration // from the call to the end
}

// Shutdown ends the server in good order: it stops accepting, closes idle
// connections, tells streams (Stream.Draining) and lets what is running go on
// for Timeouts.Drain. What then still runs is cut with ErrServerClosed, each
// at a random moment within Timeouts.Mercy, so that not all clients come back
// at once. When ctx is done everything is cut at once.
//
// Called again it waits for the first call's end and returns its report.
func (s *Server) Shutdown(ctx context.Context) (DrainReport, error) {
	s.mu.Lock()
	started := s.started
	s.mu.Unlock()
	if !started {
		return DrainReport{}, errors.New("weir: the server was not started")
	}
	first := false
	s.drain.Do(func() { first = true })
	if !first {
		return s.awaitClosed(ctx)
	}
	begin := time.Now()
	deadline := begin.Add(s.Timeouts.Drain)
	s.deadline.Store(&deadline)
	s.reactor.StopListening()
	running := s.drainShards() // before the streams are told, of which some end at once
	close(s.draining)
	cut := 0
	if !s.awaitEmpty(ctx, s.Timeouts.Drain) {
		cut = s.cutShards(ctx)
	}
	s.reactor.Close()
	s.report = DrainReport{Drained: max(0, running-cut), Cut: cut, Took: time.Since(begin)}
	close(s.closed)
	return s.report, nil
}

func (s *Server) awaitClosed(ctx context.Context) (DrainReport, error) {
	select {
	case <-s.closed:
		return s.report, nil
	case <-ctx.Done():
		return DrainReport{}, ctx.Err()
	}
}

// drainShards has every loop close what is idle, and counts what is running.
func (s *Server) drainShards() (running int) {
	return s.gather(func(sh *shard) (n int) {
		sh.each(func(c *conn) {
			if c.drain() {
				n++
			}
		})
		return n
	})
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
	s.awaitEmpty(ctx, mercy+time.Second) // the reactor's end cuts the rest
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

// awaitEmpty waits until the last connection is gone; it reports whether that
// came to pass in time.
func (s *Server) awaitEmpty(ctx context.Context, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for s.conns.Load() > 0 {
		select {
		case <-s.empty:
		case <-timer.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (s *Server) connClosed() {
	if s.conns.Add(-1) == 0 && s.isDraining() {
		select {
		case s.empty <- struct{}{}:
		default:
		}
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
// complete.
func (c *conn) running() bool {
	return c.phase == phaseBody || c.phase == phaseAnswering && !c.answered()
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
