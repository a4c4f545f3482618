package serve

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"weir"
	"weir/cmd/weir/internal/relay"
	"weir/cmd/weir/internal/upstream"
)

// observer takes what the relay tells to the metrics and the access log.
type observer struct {
	*metrics
	access *accessLog
	*shortage
}

func (o *observer) Ended(r *relay.Record) {
	o.metrics.ended(r)
	o.access.add(r)
}

// metrics is what /metrics shows. The values of its labels are names of the
// configuration and a few words, so that no client can make it grow.
type metrics struct {
	registry  *prometheus.Registry
	server    atomic.Pointer[weir.Server] // once it runs
	before    prometheus.Observer         // a request held up before it leaves
	event     prometheus.Observer         // a piece of an answer held up
	first     *prometheus.HistogramVec
	duration  *prometheus.HistogramVec
	requests  *prometheus.CounterVec
	cancelled *prometheus.CounterVec
	failures  *prometheus.CounterVec
	events    *prometheus.CounterVec
	models    sync.Map // by name: *modelMetrics
}

func newMetrics() *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	micro := []float64{1e-6, 2e-6, 5e-6, 10e-6, 20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 5e-3, 10e-3, 40e-3, 100e-3}
	seconds := []float64{.001, .005, .01, .02, .04, .06, .08, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10, 30, 60}
	added := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "weir_added_latency_seconds", Buckets: micro,
		Help: "Time that the gateway itself added: before a request left for its upstream, and for each relayed piece of an answer.",
	}, []string{"stage"})
	m.before, m.event = added.WithLabelValues("request"), added.WithLabelValues("event")
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: seconds}, labels)
		m.registry.MustRegister(h)
		return h
	}
	m.first = histogram("weir_time_to_first_event_seconds", "From a request's head to the first event of its answer.", "model")
	m.duration = histogram("weir_request_duration_seconds", "From a request's head to the end of its answer.", "model")
	m.requests = counter("weir_requests_total", "Requests that are over, by outcome.", "model", "outcome")
	m.cancelled = counter("weir_cancelled_total", "Requests whose client left.", "model")
	m.failures = counter("weir_upstream_failures_total", "Attempts that came to nothing.", "upstream")
	m.events = counter("weir_events_total", "Relayed events.", "model")
	m.registry.MustRegister(added, m.gauge("weir_streams", "Requests that are being relayed.", func(s weir.Stats) float64 {
		return float64(s.StreamsActive)
	}), m.gauge("weir_pending_bytes", "Output that clients have not taken.", func(s weir.Stats) float64 {
		return float64(s.PendingBytes)
	}), m.gauge("weir_kept_request_bytes", "Memory that holds requests: bodies that are gathered or wait for their upstream, long heads, pipelined requests.", func(s weir.Stats) float64 {
		return float64(s.BodyBytes)
	}), m.gauge("weir_kept_request_bytes_limit", "What that may be at most, by limits.bodies or the memory limit.", func(s weir.Stats) float64 {
		return float64(s.BodyLimit)
	}), m.gauge("weir_connections", "Client connections.", func(s weir.Stats) float64 {
		return float64(s.Connections)
	}))
	return m
}

// gauge shows one of the server's figures, 0 until it runs.
func (m *metrics) gauge(name, help string, f func(weir.Stats) float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
		srv := m.server.Load()
		if srv == nil {
			return 0
		}
		return f(srv.Stats())
	})
}

func (m *metrics) Asked(d time.Duration)   { m.before.Observe(d.Seconds()) }
func (m *metrics) Relayed(d time.Duration) { m.event.Observe(d.Seconds()) }

func (m *metrics) Failed(u *upstream.Upstream, err error) {
	m.failures.WithLabelValues(u.Name).Inc()
}

func (m *metrics) ended(r *relay.Record) {
	of := m.model(r.Model)
	if r.First > 0 {
		of.first.Observe(r.First.Seconds())
	}
	of.duration.Observe(r.Took.Seconds())
	of.requests[outcomeOf(r)].Inc()
	of.events.Add(float64(r.Events))
	if r.Left {
		of.cancelled.Inc()
	}
}

// modelMetrics are the metrics with one model's name, looked up once.
type modelMetrics struct {
	first, duration   prometheus.Observer
	events, cancelled prometheus.Counter
	requests          [len(outcomes)]prometheus.Counter
}

func (m *metrics) model(name string) *modelMetrics {
	if of, ok := m.models.Load(name); ok {
		return of.(*modelMetrics)
	}
	of := &modelMetrics{
		first: m.first.WithLabelValues(name), duration: m.duration.WithLabelValues(name),
		events: m.events.WithLabelValues(name), cancelled: m.cancelled.WithLabelValues(name),
	}
	for i, word := range outcomes {
		of.requests[i] = m.requests.WithLabelValues(name, word)
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

// routes adds /metrics to the admin endpoints.
func (m *metrics) routes(mux *weir.Mux) {
	handler := promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
	mux.HandleFunc("GET /metrics", func(w *weir.Response, r *weir.Request) {
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		_ = w.Header().Set("Content-Type", rec.Header().Get("Content-Type")) // well-formed
		_, _ = w.Write(rec.Body.Bytes())
	})
}
