package observe

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"weir/cmd/weir/internal/relay"
	"weir/cmd/weir/internal/upstream"
)

// Metrics is what /metrics shows.
type Metrics struct {
	registry *prometheus.Registry
	gateway  gateway

	before  prometheus.Observer // a request held up before it is sent
	event   prometheus.Observer // a piece of a response held up
	hungUp  prometheus.Observer
	first   *prometheus.HistogramVec
	whole   *prometheus.HistogramVec
	delays  *prometheus.HistogramVec
	ends    *prometheus.CounterVec
	left    *prometheus.CounterVec
	events  *prometheus.CounterVec
	reloads *prometheus.CounterVec
	answers statuses

	models    sync.Map // by name: *modelMetrics
	upstreams sync.Map // by name: prometheus.Observer
}

// Buckets of histograms, in seconds.
var (
	micro   = []float64{1e-6, 2e-6, 5e-6, 10e-6, 20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 5e-3, 10e-3, 40e-3, 100e-3}
	seconds = []float64{.001, .005, .01, .02, .04, .06, .08, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10, 30, 60}
)

// NewMetrics returns metrics that are all zero. lost is how many lines of the
// process' own output were lost.
func NewMetrics(lost func() uint64) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
		m.registry.MustRegister(h)
		return h
	}
	added := histogram("weir_added_latency_seconds", "Time that the gateway itself added: before a request was sent to its upstream, and for each relayed piece of a response.", micro, "stage")
	m.before, m.event = added.WithLabelValues("request"), added.WithLabelValues("event")
	m.hungUp = histogram("weir_cancel_latency_seconds", "From the moment when the event loop saw that a client had disconnected to the closing of its upstream's connection.", micro).WithLabelValues()
	m.first = histogram("weir_time_to_first_event_seconds", "From a request's head to the first event of its response.", seconds, "model")
	m.whole = histogram("weir_request_duration_seconds", "From a request's head to the end of its response.", seconds, "model")
	m.delays = histogram("weir_upstream_response_seconds", "From the request to an upstream to the head of its response.", seconds, "upstream")
	m.ends = counter("weir_requests_total", "Requests for models that have ended, by outcome.", "model", "outcome")
	m.left = counter("weir_cancelled_total", "Requests whose client disconnected.", "model")
	m.events = counter("weir_events_total", "Relayed events.", "model")
	m.reloads = counter("weir_reloads_total", "Times that the configuration was read again.", "result")
	m.answers.of = counter("weir_responses_total", "Responses to clients by their status, those without a model and those of turned away connections included; 499 is no response, since the client had disconnected.", "status")
	for _, result := range results {
		m.reloads.WithLabelValues(result)
	}
	m.gateway.lost = lost
	m.registry.MustRegister(&m.gateway)
	registerProcess(m.registry)
	return m
}

// statuses counts by status. The counter of each is looked up once.
type statuses struct {
	of   *prometheus.CounterVec
	each [600]atomic.Pointer[prometheus.Counter]
}

func (s *statuses) count(status int) {
	if status < 0 || status >= len(s.each) {
		status = 0
	}
	c := s.each[status].Load()
	if c == nil {
		made := s.of.WithLabelValues(strconv.Itoa(status))
		c = &made
		s.each[status].Store(c)
	}
	(*c).Inc()
}

// results of a reload.
var results = [...]string{"ok", "failed"}

// Reloaded counts a reload that succeeded, or failed.
func (m *Metrics) Reloaded(ok bool) {
	result := results[0]
	if !ok {
		result = results[1]
	}
	m.reloads.WithLabelValues(result).Inc()
}

// Asked, Relayed, Responded and HungUp implement the relay's Observer.
func (m *Metrics) Asked(d time.Duration)   { m.before.Observe(d.Seconds()) }
func (m *Metrics) Relayed(d time.Duration) { m.event.Observe(d.Seconds()) }
func (m *Metrics) HungUp(d time.Duration)  { m.hungUp.Observe(d.Seconds()) }

func (m *Metrics) Responded(u *upstream.Upstream, d time.Duration) {
	of, ok := m.upstreams.Load(u.Name)
	if !ok {
		of, _ = m.upstreams.LoadOrStore(u.Name, m.delays.WithLabelValues(u.Name))
	}
	of.(prometheus.Observer).Observe(d.Seconds())
}

func (m *Metrics) ended(r *relay.Record) {
	of := m.model(r.Model)
	if r.First > 0 {
		of.first.Observe(r.First.Seconds())
	}
	of.whole.Observe(r.Took.Seconds())
	of.ends[outcomeOf(r)].Inc()
	of.events.Add(float64(r.Events))
	if r.Left {
		of.left.Inc()
	}
}

// modelMetrics are the metrics with one model's name, looked up once.
type modelMetrics struct {
	first, whole prometheus.Observer
	events, left prometheus.Counter
	ends         [len(outcomes)]prometheus.Counter
}

func (m *Metrics) model(name string) *modelMetrics {
	if of, ok := m.models.Load(name); ok {
		return of.(*modelMetrics)
	}
	of := &modelMetrics{
		first: m.first.WithLabelValues(name), whole: m.whole.WithLabelValues(name),
		events: m.events.WithLabelValues(name), left: m.left.WithLabelValues(name),
	}
	for i, word := range outcomes {
		of.ends[i] = m.ends.WithLabelValues(name, word)
	}
	m.models.Store(name, of)
	return of
}

type outcome int

const (
	outcomeOK outcome = iota
	outcomeRefused
	outcomeFailed
	outcomeLeft
)

var outcomes = [...]string{outcomeOK: "ok", outcomeRefused: "refused", outcomeFailed: "failed", outcomeLeft: "client_left"}

func outcomeOf(r *relay.Record) outcome {
	switch {
	case r.Left:
		return outcomeLeft
	case r.Err != nil || r.Status >= 500:
		return outcomeFailed
	case r.Status >= 400:
		return outcomeRefused
	}
	return outcomeOK
}
