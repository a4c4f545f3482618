package weir

import (
	"errors"
	"math/bits"
	"sync/atomic"
	"time"
)

// Stats is what a server has done since it was started.
type Stats struct {
	Connections      int
	Requests         uint64
	StreamsActive    int64
	StreamsTotal     uint64
	StreamsCancelled uint64  // the client disconnected, or was too slow
	StreamsFailed    uint64  // the handler failed
	CancelLatency    Latency // from when the loop saw the disconnect to when the handler was notified
	PendingBytes     int64   // output that the kernel has not taken
	BodyBytes        int64   // of requests that are kept, within BodyLimit (Limits.Bodies)
	BodyLimit        int64
	LogLost          uint64 // records that Server.Logger has not taken in time
	Loops            []LoopStats
}

// LoopStats is the state of an event loop.
type LoopStats struct {
	Turns        uint64        // how often it had something to do
	Delay        time.Duration // until it took a task, just now: how long everything on it waits
	PendingBytes int64
}

// Latency is quantiles of a duration, each rounded up by at most 12 %.
type Latency struct {
	Count         uint64
	P50, P99, Max time.Duration
}

type stats struct {
	streamID  atomic.Uint64
	active    atomic.Int64
	total     atomic.Uint64
	cancelled atomic.Uint64
	failed    atomic.Uint64
	latency   histogram
}

func (s *stats) nextStream() uint64 { return s.streamID.Add(1) }

func (s *stats) finished(cause error) {
	switch {
	case cause == nil, errors.Is(cause, ErrNoBody):
	case errors.Is(cause, ErrClientGone), errors.Is(cause, ErrSlowClient), errors.Is(cause, ErrServerClosed):
		s.cancelled.Add(1)
	default:
		s.failed.Add(1)
	}
}

// told notes that a handler was notified of a disconnect seen at that time.
func (s *stats) told(at time.Time) { s.latency.add(time.Since(at)) }

// Stats gathers the figures. It is safe for concurrent use, but must not be
// called on a loop: it waits for each loop, at most two seconds.
func (s *Server) Stats() Stats {
	st := Stats{
		Connections:      int(s.conns.Load()),
		StreamsActive:    s.stats.active.Load(),
		StreamsTotal:     s.stats.total.Load(),
		StreamsCancelled: s.stats.cancelled.Load(),
		StreamsFailed:    s.stats.failed.Load(),
		CancelLatency:    s.stats.latency.summary(),
	}
	if s.reactor != nil {
		st.LogLost = s.reactor.LogLost()
	}
	st.Requests, st.PendingBytes = s.visits.figures()
	for _, sh := range s.shards {
		st.Requests += sh.requests.Load()
	}
	st.Loops = s.askLoops()
	for _, l := range st.Loops {
		st.PendingBytes += l.PendingBytes
	}
	if s.bodies != nil {
		st.BodyBytes, st.BodyLimit = s.bodies.Used(), s.bodies.Limit()
	}
	return st
}

// loopPatience is how long Stats waits for a loop that is held up.
const loopPatience = 2 * time.Second

// askLoops asks each loop for its figures. Of a loop that does not respond in
// time only that is known.
func (s *Server) askLoops() (loops []LoopStats) {
	type part struct {
		id int
		LoopStats
	}
	parts, begin := make(chan part, len(s.shards)), time.Now()
	loops = make([]LoopStats, len(s.shards))
	for id, sh := range s.shards {
		loops[id].Delay = loopPatience
		sh.loop.Post(reactorTask(func() {
			parts <- part{id, LoopStats{sh.loop.Turns(), time.Since(begin), sh.conns.Pending()}}
		}))
	}
	late := time.NewTimer(loopPatience)
	defer late.Stop()
	for range s.shards {
		select {
		case p := <-parts:
			loops[p.id] = p.LoopStats
		case <-late.C:
			return loops
		case <-s.closed:
			return loops
		}
	}
	return loops
}

// histogram counts durations in eight buckets an octave of nanoseconds.
type histogram struct {
	max     atomic.Int64
	buckets [64 * 8]atomic.Uint64
}

func (h *histogram) add(d time.Duration) {
	n := max(int64(d), 1)
	h.buckets[bucket(uint64(n))].Add(1)
	for {
		old := h.max.Load()
		if n <= old || h.max.CompareAndSwap(old, n) {
			return
		}
	}
}

func bucket(n uint64) int {
	octave := bits.Len64(n) - 1
	if octave < 3 {
		return int(n)
	}
	return octave*8 + int(n>>(octave-3))&7
}

// ceiling is the largest value of a bucket.
func ceiling(i int) int64 {
	if i < 24 {
		return int64(i)
	}
	octave := i / 8
	return (int64(8+i%8)+1)<<(octave-3) - 1
}

func (h *histogram) summary() (l Latency) {
	var counts [len(h.buckets)]uint64
	for i := range h.buckets {
		counts[i] = h.buckets[i].Load()
		l.Count += counts[i]
	}
	l.Max = time.Duration(h.max.Load())
	quantile := func(num, den uint64) time.Duration {
		rank := (l.Count*num + den - 1) / den
		for i, n := range counts {
			if n >= rank {
				return min(time.Duration(ceiling(i)), l.Max)
			}
			rank -= n
		}
		return l.Max
	}
	if l.Count > 0 {
		l.P50, l.P99 = quantile(50, 100), quantile(99, 100)
	}
	return l
}
