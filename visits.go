package weir

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// visits are a server's requests that another server has received. Safe for
// concurrent use.
type visits struct {
	turns atomic.Uint64 // of the loops, for LoopHandlers

	mu       sync.Mutex
	running  map[*visit]struct{}
	total    uint64 // that have ever entered
	refusing bool   // the server shuts down: none is served any more
}

// enter counts a request in. It reports whether it must be refused.
func (v *visits) enter(g *visit) (refused bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.running == nil {
		v.running = make(map[*visit]struct{})
	}
	v.running[g] = struct{}{}
	v.total++
	return v.refusing
}

// leave counts a request out.
func (v *visits) leave(s *Server, g *visit) {
	v.mu.Lock()
	delete(v.running, g)
	last := len(v.running) == 0
	v.mu.Unlock()
	if last {
		s.madeProgress()
	}
}

// none reports whether no request runs.
func (v *visits) none() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.running) == 0
}

// count returns how many requests run and how many there have been, in one
// moment. From then on they are refused, if that is so.
func (v *visits) count(refuse bool) (running, total int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.refusing = v.refusing || refuse
	return len(v.running), int(v.total)
}

// figures are those for the statistics.
func (v *visits) figures() (total uint64, pending int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for g := range v.running {
		g.mu.Lock()
		pending += int64(len(g.pending) + g.flying)
		g.mu.Unlock()
	}
	return v.total, pending
}

// cut aborts what runs, in the course of the mercy, and returns how much that
// is.
func (v *visits) cut(mercy time.Duration) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	for g := range v.running {
		if mercy <= 0 {
			g.abort(nil, ErrServerClosed)
			continue
		}
		time.AfterFunc(rand.N(mercy), func() { g.abort(nil, ErrServerClosed) })
	}
	return len(v.running)
}
