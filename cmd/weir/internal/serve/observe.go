package serve

import (
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"weir"
	"weir/cmd/weir/internal/config"
	"weir/cmd/weir/internal/relay"
	"weir/cmd/weir/internal/upstream"
)

// observer takes what the relay tells to the metrics and the access log.
type observer struct {
	*metrics
	access *accessLog
}

func (o *observer) Ended(r *relay.Record) {
	o.metrics.ended(r)
	o.access.write(r)
}

// metrics is what /metrics shows. The values of its labels are names of the
// configuration and a few words, so that no client can make it grow.
type metrics struct {
	registry  *prometheus.Registry
	server    *weir.Server
	before    prometheus.Observer // a request held up before it leaves
	event     prometheus.Observer // a piece of an answer held up
	first     *prometheus.HistogramVec
	duration  *prometheus.HistogramVec
	requests  *prometheus.CounterVec
	cancelled *prometheus.CounterVec
	failures  *prometheus.CounterVec
	events    *prometheus.CounterVec
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
	m.registry.MustRegister(added, gauge("weir_streams", "Requests that are being relayed.", func() float64 {
		return float64(m.server.Stats().StreamsActive)
	}), gauge("weir_pending_bytes", "Output that clients have not taken.", func() float64 {
		return float64(m.server.Stats().PendingBytes)
	}), gauge("weir_connections", "Client connections.", func() float64 {
		return float64(m.server.Stats().Connections)
	}))
	return m
}

func gauge(name, help string, f func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f)
}

func (m *metrics) Asked(d time.Duration)   { m.before.Observe(d.Seconds()) }
func (m *metrics) Relayed(d time.Duration) { m.event.Observe(d.Seconds()) }

func (m *metrics) Failed(u *upstream.Upstream, err error) {
	m.failures.WithLabelValues(u.Name).Inc()
}

func (m *metrics) ended(r *relay.Record) {
	if r.First > 0 {
		m.first.WithLabelValues(r.Model).Observe(r.First.Seconds())
	}
	m.duration.WithLabelValues(r.Model).Observe(r.Took.Seconds())
	m.requests.WithLabelValues(r.Model, outcome(r)).Inc()
	m.events.WithLabelValues(r.Model).Add(float64(r.Events))
	if r.Left {
		m.cancelled.WithLabelValues(r.Model).Inc()
	}
}

func outcome(r *relay.Record) string {
	switch {
	case r.Left:
		return "client_left"
	case r.Err != nil || r.Status >= 500:
		return "failed"
	case r.Status >= 400:
		return "refused"
	}
	return "ok"
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

// accessLog writes a line for each request.
type accessLog struct {
	log    *slog.Logger // nil = none
	sample float64
}

func newAccessLog(cfg config.Log, stdout, stderr io.Writer) *accessLog {
	out := stdout
	switch cfg.Access {
	case "none":
		return &accessLog{}
	case "stderr":
		out = stderr
	}
	var h slog.Handler
	if cfg.Format == "text" || cfg.Format == "auto" && isTerminal(out) {
		h = slog.NewTextHandler(out, nil)
	} else {
		h = slog.NewJSONHandler(out, nil)
	}
	return &accessLog{log: slog.New(h), sample: cfg.Sample}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}

// write logs a request; those that failed always, of the others a share. The
// writing is not the loop's work.
func (a *accessLog) write(r *relay.Record) {
	failed := r.Err != nil || r.Left || r.Status >= 400
	if a.log == nil || !failed && a.sample < 1 && rand.Float64() >= a.sample {
		return
	}
	status := r.Status
	if r.Left {
		status = 499
	}
	attrs := []any{
		"id", r.Request.Header().Get("x-request-id"), "client", r.Request.RemoteAddr().String(),
		"method", r.Request.Method(), "path", string(r.Request.Path()), "status", status,
		"model", r.Model, "upstream", r.Upstream, "attempts", r.Attempts, "stream", r.Stream,
		"events", r.Events, "bytes", r.Bytes,
		"first_ms", r.First.Seconds() * 1e3, "took_ms", r.Took.Seconds() * 1e3,
	}
	if r.Err != nil && !errors.Is(r.Err, weir.ErrClientGone) {
		attrs = append(attrs, "err", r.Err.Error())
	}
	go a.log.Info("request", attrs...)
}
