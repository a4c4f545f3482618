package observe

import (
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"weir"
	"weir/cmd/weir/internal/relay"
	"weir/middleware"
)

// request is what the trace knows of a request, from its head to its end.
type request struct {
	since time.Time
	state atomic.Uint32
}

// traced has the request of the trace, for Began.
var traced = weir.NewKey[*request]("traced")

const (
	unclaimed = iota
	claimed   // the relay, or a native route, will report the end: it knows more
	ended     // there was an end, and it is reported
)

// Trace is the server's: it counts and logs every response, including all
// refusals, unless the relay has claimed the request.
func (o *Observer) Trace() *weir.Trace {
	return &weir.Trace{
		Start: func(r *weir.Request) any {
			q := &request{since: time.Now()}
			traced.Set(r, q)
			return q
		},
		End: o.responded,
		Refused: func(remote netip.AddrPort, listen net.Addr) {
			o.answers.count(503)
			o.Access.addRefused(remote, listen)
		},
	}
}

// Began claims a request for the relay.
func (o *Observer) Began(r *weir.Request) bool {
	q, ok := traced.Get(r)
	return !ok || q.state.CompareAndSwap(unclaimed, claimed)
}

// responded is the trace's End.
func (o *Observer) responded(r *weir.Request, state any, sent weir.ResponseStats, cause error) {
	status := middleware.LogStatus(sent, cause)
	o.answers.count(status)
	q, ok := state.(*request)
	if !ok || !q.state.CompareAndSwap(unclaimed, ended) {
		return
	}
	o.Access.add(&relay.Record{
		Request: r, Status: sent.Status, Bytes: sent.Bytes, Took: time.Since(q.since), Err: cause, Left: status == middleware.StatusDisconnected,
	})
}
