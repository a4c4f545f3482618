package observe

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"weir"
	"weir/cmd/weir/internal/target"
	"weir/cmd/weir/internal/upstream"
)

// gateway is the metrics that are read at their source when they are requested:
// those of the server, of its loops, and of the current upstreams.
type gateway struct {
	lost      func() uint64
	server    atomic.Pointer[weir.Server] // once it runs
	upstreams atomic.Pointer[[]*upstream.Upstream]
	budget    atomic.Pointer[target.Budget]
}

// SetServer makes the metrics show the figures of a server that was started.
func (m *Metrics) SetServer(srv *weir.Server) { m.gateway.server.Store(srv) }

// Server returns that server, nil until it was started.
func (m *Metrics) Server() *weir.Server { return m.gateway.server.Load() }

// SetUpstreams makes them show those upstreams, and no others.
func (m *Metrics) SetUpstreams(all []*upstream.Upstream) { m.gateway.upstreams.Store(&all) }

// SetBudget makes them show what a retry budget withholds.
func (m *Metrics) SetBudget(b *target.Budget) { m.gateway.budget.Store(b) }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	streams     = desc("weir_streams", "Requests that are being relayed.")
	pending     = desc("weir_pending_bytes", "Output that clients have not taken.")
	connections = desc("weir_connections", "Client connections.")
	heads       = desc("weir_request_heads_total", "Requests whose head has arrived.")
	bodies      = desc("weir_body_bytes", "Bytes of requests that are kept.")
	bodyLimit   = desc("weir_body_limit_bytes", "Above how many kept bytes requests are refused.")
	lostLines   = desc("weir_log_lines_lost_total", "Lines of the log and the access log that were not read in time or could not be written.")
	withheld    = desc("weir_retries_withheld_total", "Retries that the retry budget did not allow.")

	loopTurns = desc("weir_loop_turns_total", "Turns of an event loop: how often it had something to do.", "loop")
	loopDelay = desc("weir_loop_delay_seconds", "How long an event loop took to begin a task, when the metrics were asked for.", "loop")

	up       = desc("weir_upstream_up", "1 unless the health probes of an upstream fail, or its name has no address.", "upstream")
	breaker  = desc("weir_upstream_breaker", "State of an upstream's breaker: 0 closed, 1 half-open, 2 open.", "upstream")
	running  = desc("weir_upstream_running", "Requests that an upstream has now.", "upstream")
	requests = desc("weir_upstream_requests_total", "Responses of an upstream, by the first digit of their status.", "upstream", "status")
	failures = desc("weir_upstream_failures_total", "Attempts that failed, by reason.", "upstream", "reason")
)

// breakerLevel orders the states by how much passes.
var breakerLevel = map[target.State]float64{target.Closed: 0, target.HalfOpen: 1, target.Open: 2}

// Describe implements prometheus.Collector.
func (g *gateway) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		streams, pending, connections, heads, bodies, bodyLimit, lostLines, withheld,
		loopTurns, loopDelay, up, breaker, running, requests, failures,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (g *gateway) Collect(ch chan<- prometheus.Metric) {
	s := sink(ch)
	lost := g.lost()
	if srv := g.server.Load(); srv != nil {
		st := srv.Stats()
		lost += st.LogLost
		s.server(&st)
	}
	s.counter(lostLines, float64(lost))
	if b := g.budget.Load(); b != nil {
		s.counter(withheld, float64(b.Withheld()))
	}
	if ups := g.upstreams.Load(); ups != nil {
		for _, u := range *ups {
			s.upstream(u.Name, u.Standing.Snapshot(time.Now()))
		}
	}
}

// sink takes metrics.
type sink chan<- prometheus.Metric

func (s sink) gauge(d *prometheus.Desc, v float64, labels ...string) {
	s <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (s sink) counter(d *prometheus.Desc, v float64, labels ...string) {
	s <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
}

func (s sink) server(st *weir.Stats) {
	s.gauge(streams, float64(st.StreamsActive))
	s.gauge(pending, float64(st.PendingBytes))
	s.gauge(connections, float64(st.Connections))
	s.counter(heads, float64(st.Requests))
	s.gauge(bodies, float64(st.BodyBytes))
	s.gauge(bodyLimit, float64(st.BodyLimit))
	for id, l := range st.Loops {
		s.counter(loopTurns, float64(l.Turns), strconv.Itoa(id))
		s.gauge(loopDelay, l.Delay.Seconds(), strconv.Itoa(id))
	}
}

func (s sink) upstream(name string, snap target.Snapshot) {
	isUp := 0.0
	if snap.Up && !snap.Lost {
		isUp = 1
	}
	s.gauge(up, isUp, name)
	s.gauge(breaker, breakerLevel[snap.Breaker], name)
	s.gauge(running, float64(snap.Running), name)
	for class, n := range snap.Requests {
		if class > 0 {
			s.counter(requests, float64(n), name, strconv.Itoa(class)+"xx")
		}
	}
	for _, r := range target.Reasons() {
		s.counter(failures, float64(snap.Failures[r]), name, r.String())
	}
}
