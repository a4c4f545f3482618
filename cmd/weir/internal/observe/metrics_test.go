package observe

import (
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"weir"
	"weir/cmd/weir/internal/relay"
	"weir/cmd/weir/internal/target"
	"weir/cmd/weir/internal/upstream"
)

// served starts a server for the metrics, which are also about it, and returns
// its URL.
func served(t *testing.T, m *Metrics) string {
	t.Helper()
	mux := new(weir.Mux)
	m.Routes(mux)
	srv := &weir.Server{Handler: mux, Loops: 2}
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	m.SetServer(srv)
	t.Cleanup(func() { _, _ = srv.Shutdown(t.Context()) })
	return "http://" + srv.Addrs()[0].String() + "/metrics"
}

var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func metricsFrom(t *testing.T, url string) string {
	t.Helper()
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("got %d, %v: %s", res.StatusCode, err, text)
	}
	return string(text)
}

// used are metrics of a gateway to which everything has happened.
func used() *Metrics {
	m := NewMetrics(func() uint64 { return 7 })
	up := &upstream.Upstream{Config: upstream.Config{Name: "up", Standing: target.NewStanding(target.Config{Probed: true, Healthy: 1, Unhealthy: 1}, nil)}}
	up.Standing.Observe("status 503", time.Now())
	m.SetUpstreams([]*upstream.Upstream{up})
	m.SetBudget(new(target.Budget))
	m.Asked(time.Microsecond)
	m.Relayed(time.Microsecond)
	m.HungUp(time.Microsecond)
	m.Responded(up, time.Millisecond)
	m.Reloaded(true)
	m.Reloaded(false)
	m.ended(&relay.Record{Model: "m", Status: 200, First: time.Second, Took: time.Second, Events: 3})
	m.ended(&relay.Record{Model: "m", Left: true, Err: errors.New("client left")})
	return m
}

// What promtool check metrics complains about, as it links the same package.
func TestMetricsLint(t *testing.T) {
	text := metricsFrom(t, served(t, used()))
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// Everything that operators are told to look at is there, with these names.
func TestMetricsNames(t *testing.T) {
	text := metricsFrom(t, served(t, used()))
	for _, want := range []string{
		`weir_added_latency_seconds_count\{stage="event"\} 1`,
		`weir_added_latency_seconds_count\{stage="request"\} 1`,
		`weir_cancel_latency_seconds_count 1`,
		`weir_time_to_first_event_seconds_count\{model="m"\} 1`,
		`weir_request_duration_seconds_count\{model="m"\} 2`,
		`weir_requests_total\{model="m",outcome="ok"\} 1`,
		`weir_requests_total\{model="m",outcome="client_left"\} 1`,
		`weir_cancelled_total\{model="m"\} 1`,
		`weir_events_total\{model="m"\} 3`,
		`weir_streams 0`, `weir_pending_bytes 0`, `weir_connections 1`, `weir_request_heads_total 1`,
		`weir_body_bytes 0`, `weir_body_limit_bytes [1-9]\S+`, `weir_retries_withheld_total 0`,
		`weir_loop_turns_total\{loop="0"\} \d+`, `weir_loop_delay_seconds\{loop="1"\} \S+`,
		`weir_upstream_up\{upstream="up"\} 0`, `weir_upstream_breaker\{upstream="up"\} 0`, `weir_upstream_running\{upstream="up"\} 0`,
		`weir_upstream_requests_total\{status="2xx",upstream="up"\} 0`,
		`weir_upstream_failures_total\{reason="unreachable",upstream="up"\} 0`,
		`weir_upstream_response_seconds_count\{upstream="up"\} 1`,
		`weir_reloads_total\{result="ok"\} 1`, `weir_reloads_total\{result="failed"\} 1`,
		`weir_log_lines_lost_total 7`,
		`weir_build_info\{goversion="go[^"]+",revision="[^"]*",version="[^"]*"\} 1`,
		`go_goroutines \d+`, `process_open_fds \d+`, `process_cpu_seconds_total \S+`,
	} {
		if !regexp.MustCompile(`(?m)^` + want + `$`).MatchString(text) {
			t.Errorf("%s is missing", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", regexp.MustCompile(`(?m)^(#|go_|process_).*\n`).ReplaceAllString(text, ""))
	}
}
