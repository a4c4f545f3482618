package observe

import (
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"

	"weir"
	"weir/cmd/weir/internal/command"
)

// registerProcess adds the metrics of the process: go_*, process_* and what it
// was built from.
func registerProcess(to *prometheus.Registry) {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "weir_build_info", Help: "Always 1; the labels say what this binary was built from.",
		ConstLabels: prometheus.Labels{"version": command.Build.Version, "revision": command.Build.Revision, "goversion": runtime.Version()},
	})
	info.Set(1)
	to.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
}

// Routes adds /metrics to the admin endpoints.
func (m *Metrics) Routes(mux *weir.Mux) { mux.HandleFunc("GET /metrics", m.serve) }

// serve writes the metrics in the format that the client prefers. What could be
// gathered is written, even if something could not.
func (m *Metrics) serve(w *weir.Response, r *weir.Request) {
	families, err := m.registry.Gather()
	if len(families) == 0 && err != nil {
		w.Error(500, err.Error())
		return
	}
	format := expfmt.Negotiate(http.Header{"Accept": {r.Header().Get("Accept")}})
	w.Header().Set("Content-Type", string(format)) // well-formed
	to := expfmt.NewEncoder(w, format)
	for _, f := range families {
		if err := to.Encode(f); err != nil {
			w.Error(500, err.Error())
			return
		}
	}
}
