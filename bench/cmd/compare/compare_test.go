package main

import (
	"context"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const wrkReport = `Running 2s test @ http://127.0.0.1:8080/plaintext
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   612.09us  389.25us   9.66ms   92.01%
  Latency Distribution
     50%  575.00us
     99%    1.52ms
  213411 requests in 2.10s, 29.71MB read
Requests/sec: 101649.03
`

func TestParseWrk(t *testing.T) {
	tests := []struct {
		name, in string
		want     wrkResult
		err      string
	}{
		{"usual", wrkReport, wrkResult{213411, 101649.03, 1520}, ""},
		{"socket errors", wrkReport + "  Socket errors: connect 0, read 3, write 0, timeout 0\n", wrkResult{}, "read 3"},
		{"statuses", wrkReport + "  Non-2xx or 3xx responses: 5\n", wrkResult{}, "Non-2xx"},
		{"nothing answered", strings.Replace(wrkReport, "213411", "0", 1), wrkResult{}, "no response"},
		{"other text", "usage: wrk", wrkResult{}, "not understood"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseWrk(tt.in)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v, want an error with %q", err, tt.err)
				}
			} else if err != nil || got != tt.want {
				t.Errorf("got %+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}

func TestParseOurs(t *testing.T) {
	got, err := parseOurs("paced", []byte(`{"cpu_us":7.5,"incomplete":0,"first_error":""}`))
	if err != nil || got["cpu_us"] != 7.5 {
		t.Errorf("got %v, %v; want cpu_us 7.5", got, err)
	}
	_, err = parseOurs("paced", []byte(`{"cpu_us":7.5,"incomplete":2,"first_error":"status 503"}`))
	if err == nil || !strings.Contains(err.Error(), "status 503") {
		t.Errorf("got %v, want the first error", err)
	}
}

func TestParseOha(t *testing.T) {
	report := func(statuses, errors string) string {
		return `{"summary":{"requestsPerSec":10},"latencyPercentiles":{"p50":0.001,"p99":0.002},` +
			`"statusCodeDistribution":` + statuses + `,"errorDistribution":` + errors + `}`
	}
	tests := []struct {
		name, in string
		answered int
		err      string
	}{
		{"usual", report(`{"200":40}`, `{}`), 40, ""},
		{"in flight at the end", report(`{"200":40}`, `{"aborted due to deadline":64}`), 40, ""},
		{"another status", report(`{"200":40,"503":1}`, `{}`), 0, "status 503"},
		{"an error", report(`{"200":40}`, `{"connection refused":2}`), 0, "connection refused"},
		{"no answer", report(`{}`, `{}`), 0, "no response"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, answered, err := parseOha([]byte(tt.in))
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v, want an error with %q", err, tt.err)
				}
			} else if err != nil || answered != tt.answered || got["p99_ms"] != 2 {
				t.Errorf("got %v, %d, %v; want p99_ms 2, %d", got, answered, err, tt.answered)
			}
		})
	}
}

func TestMarkdown(t *testing.T) {
	o := outcome{
		trial: trial{
			title: "keep-alive", about: "`wrk`", rounds: 3, servers: []string{"cepoll", "nethttp", "weir"},
			metrics: []metric{{key: "cpu_us", title: "CPU", prec: 1}, {key: "busy", title: "busy %", scale: 100}, {key: "paused", title: "paused", worst: true}},
			goals:   []goal{{"cpu_us", "nethttp", "cepoll", 2}, {"cpu_us", "nethttp", "", 16}, {"cpu_us", "weir", "cepoll", 1.2}},
		},
		samples: map[string][]sample{
			"cepoll":  {{"cpu_us": 5}, {"cpu_us": 4}, {"cpu_us": 9}},
			"nethttp": {{"cpu_us": 15, "busy": 0.5, "paused": 0}, {"cpu_us": 14, "busy": 0.25, "paused": 3}, {"cpu_us": 16, "busy": 0.75, "paused": 0}},
		},
		trouble: []string{"weir skipped: it does not build"},
	}
	want := `## keep-alive

` + "`wrk`" + `; 3 rounds.

| server | CPU | min-max | ÷ cepoll | busy % | paused |
|---|---:|---:|---:|---:|---:|
| cepoll | 5.0 | 4.0-9.0 | 1.00 | - | - |
| nethttp | 15.0 | 14.0-16.0 | 3.00 | 50 | 3 |

* CPU, nethttp ÷ cepoll: 3.00, goal at most 2.00: MISSED
* CPU, nethttp: 15.00, goal at most 16.00: met
* weir skipped: it does not build

`
	if got := o.markdown(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if got := o.figure("weir", "cpu_us"); !math.IsNaN(got) {
		t.Errorf("figure of no samples: got %v, want NaN", got)
	}
}

// script makes a server out of a shell script.
func script(t *testing.T, text string) (server, string) {
	t.Helper()
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "fake"), []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return server{name: "fake"}, bin
}

func TestServerStartsAndStops(t *testing.T) {
	cpu, _, err := pins()
	if err != nil {
		t.Fatal(err)
	}
	s, bin := script(t, "echo fake: ready on http://127.0.0.1:4321\nexec tail -f /dev/null\n")
	in, err := s.start(context.Background(), bin, cpu)
	if err != nil {
		t.Fatal(err)
	}
	if in.addr != "127.0.0.1:4321" {
		t.Errorf("got address %q, want 127.0.0.1:4321", in.addr)
	}
	in.stop()
	if in.cmd.ProcessState == nil {
		t.Error("the process still runs after stop")
	}
}

func TestServerThatFailsSaysWhy(t *testing.T) {
	cpu, _, err := pins()
	if err != nil {
		t.Fatal(err)
	}
	s, bin := script(t, "echo port taken >&2\nexit 3\n")
	_, err = s.start(context.Background(), bin, cpu)
	if err == nil || !strings.Contains(err.Error(), "port taken") {
		t.Errorf("got %v, want an error with what it said", err)
	}
}

func TestCheckPlaintext(t *testing.T) {
	tests := []struct {
		name    string
		handler http.HandlerFunc
		ok      bool
	}{
		{"right", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("Hello, World!")) }, true},
		{"another body", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("Hello")) }, false},
		{"no Date", func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Date"] = nil
			_, _ = w.Write([]byte("Hello, World!"))
		}, false},
		{"an error", http.NotFound, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := httptest.NewServer(tt.handler)
			defer s.Close()
			if err := checkPlaintext(context.Background(), "http", strings.TrimPrefix(s.URL, "http://")); (err == nil) != tt.ok {
				t.Errorf("got %v, want ok %v", err, tt.ok)
			}
		})
	}
}
