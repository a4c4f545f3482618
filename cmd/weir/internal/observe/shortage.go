package observe

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Shortage counts attempts for which this machine had no descriptor, port or
// memory, and logs them at most once a second. They are not an upstream's
// fault. It is safe for concurrent use.
type Shortage struct {
	log   *slog.Logger
	count prometheus.Counter
	said  atomic.Int64 // when it was logged last, in unix seconds
}

// NewShortage returns a Shortage that m counts and that logs to log.
func NewShortage(log *slog.Logger, m *Metrics) *Shortage {
	s := &Shortage{log: log, count: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "weir_local_shortages_total",
		Help: "Attempts for which the gateway had no descriptor, port or memory for a connection to an upstream.",
	})}
	m.registry.MustRegister(s.count)
	return s
}

// Short implements the relay's Observer.
func (s *Shortage) Short(err error) {
	s.count.Inc()
	now := time.Now().Unix()
	if last := s.said.Load(); last != now && s.said.CompareAndSwap(last, now) {
		s.log.Error("cannot connect to upstreams for now; raise the limit on open files (ulimit -n) or the range of local ports", "err", err)
	}
}
