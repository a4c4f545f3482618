// Package observe turns what happens in the gateway into what its operators
// see: the metrics, the access log, and the lines of the log about upstreams
// that fail.
//
// What happens once a request or an event is an atomic add, or a line in a
// queue. Everything else is gathered when the metrics are requested. The
// values of labels are names of the configuration, statuses and a few words, so
// that no client can make the metrics grow.
package observe

import (
	"weir/cmd/weir/internal/relay"
)

// Observer is the relay's Observer. Its methods are safe for concurrent use and
// never block.
type Observer struct {
	*Metrics
	*Failures
	*Shortage
	Access *Access
}

// Failed counts and logs a failed attempt.
func (o *Observer) Failed(a relay.Attempt) { o.Failures.add(a) }

// Ended counts and logs a request that has ended.
func (o *Observer) Ended(r *relay.Record) {
	o.Metrics.ended(r)
	o.Access.add(r)
}
