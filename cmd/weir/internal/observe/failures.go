package observe

import (
	"log/slog"
	"sync"
	"time"

	"weir/cmd/weir/internal/front"
	"weir/cmd/weir/internal/relay"
)

// Failures logs failed attempts: the first one of an upstream at once, and then
// one line a second, which describes the last one and counts those since the
// line before.
type Failures struct {
	log *slog.Logger

	mu sync.Mutex
	of map[string]*failing // by upstream
}

// failing is an upstream of which a line was logged less than a second ago.
type failing struct {
	timer *time.Timer
	count int // of failures since that line
	last  failedAttempt
}

type failedAttempt struct {
	id, model, reason string
	number            int
	err               error
}

// failuresEvery is how often the failures of one upstream are logged.
const failuresEvery = time.Second

// NewFailures returns a Failures that logs to log.
func NewFailures(log *slog.Logger) *Failures {
	return &Failures{log: log, of: make(map[string]*failing)}
}

func (s *Failures) add(a relay.Attempt) {
	name := a.Upstream.Name
	last := failedAttempt{front.ID(a.Request), a.Model, a.Reason.String(), a.Number, a.Err}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.of[name]; f != nil {
		f.count++
		f.last = last
		return
	}
	s.of[name] = &failing{timer: time.AfterFunc(failuresEvery, func() { s.due(name) })}
	s.write(name, 1, last)
}

// due is a second after an upstream's last line.
func (s *Failures) due(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.of[name]
	switch {
	case f == nil: // Flush has logged it
	case f.count == 0:
		delete(s.of, name)
	default:
		s.write(name, f.count, f.last)
		f.count = 0
		f.timer.Reset(failuresEvery)
	}
}

// Flush logs what is still to be logged.
func (s *Failures) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, f := range s.of {
		f.timer.Stop()
		if f.count > 0 {
			s.write(name, f.count, f.last)
		}
	}
	clear(s.of)
}

func (s *Failures) write(name string, count int, a failedAttempt) {
	s.log.Warn("upstream failed", "upstream", name, "failures", count, "reason", a.reason,
		"id", a.id, "model", a.model, "attempt", a.number, "err", a.err)
}
