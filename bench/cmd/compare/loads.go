package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"weir/bench/internal/proc"
)

// sample is one run's figures by metric key.
type sample map[string]float64

// tools has where loads run and what they are called.
type tools struct {
	bin     string // our own programs
	scripts string
	oha     string
	cpu     int
}

// load drives a running server once.
type load func(ctx context.Context, t tools, in *instance) (sample, error)

// pinned runs a load generator on the loads' CPU and returns its output. Its
// stdout is returned even when it fails, since ours report what went wrong.
func (t tools) pinned(ctx context.Context, patience time.Duration, name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "taskset", append([]string{"-c", strconv.Itoa(t.cpu), name}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", filepath.Base(name), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, err
}

// wrk loads path with 64 keep-alive connections; script may be "".
func wrk(path, script string, d time.Duration) load {
	return func(ctx context.Context, t tools, in *instance) (sample, error) {
		args := func(d time.Duration) []string {
			a := []string{"-t1", "-c64", "-d" + d.String(), "--latency"}
			if script != "" {
				a = append(a, "-s", filepath.Join(t.scripts, script))
			}
			return append(a, "http://"+in.addr+path)
		}
		if _, err := t.pinned(ctx, 30*time.Second, "wrk", args(time.Second)...); err != nil { // warm up
			return nil, err
		}
		meter, err := proc.Start(in.pid)
		if err != nil {
			return nil, err
		}
		out, err := t.pinned(ctx, d+30*time.Second, "wrk", args(d)...)
		if err != nil {
			return nil, err
		}
		cost, err := meter.Stop()
		if err != nil {
			return nil, err
		}
		result, err := parseWrk(string(out))
		if err != nil {
			return nil, err
		}
		return sample{"cpu_us": cost.Per(result.requests), "rate": result.rate, "p99_us": result.p99}, nil
	}
}

type wrkResult struct {
	requests int
	rate     float64 // per second
	p99      float64 // µs
}

var (
	wrkRequests = regexp.MustCompile(`(\d+) requests in `)
	wrkRate     = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	wrkP99      = regexp.MustCompile(`99%\s+([\d.]+)(us|ms|s)\b`)
	wrkTrouble  = regexp.MustCompile(`(?m)^\s*(Socket errors|Non-2xx or 3xx responses).*$`)
)

// parseWrk reads wrk's own report; any error that wrk saw is an error.
func parseWrk(out string) (wrkResult, error) {
	if trouble := wrkTrouble.FindString(out); trouble != "" {
		return wrkResult{}, fmt.Errorf("wrk: %s", strings.TrimSpace(trouble))
	}
	requests, rate, p99 := wrkRequests.FindStringSubmatch(out), wrkRate.FindStringSubmatch(out), wrkP99.FindStringSubmatch(out)
	if requests == nil || rate == nil || p99 == nil {
		return wrkResult{}, fmt.Errorf("wrk: report not understood: %q", out)
	}
	var r wrkResult
	var err1, err2, err3 error
	r.requests, err1 = strconv.Atoi(requests[1])
	r.rate, err2 = strconv.ParseFloat(rate[1], 64)
	r.p99, err3 = strconv.ParseFloat(p99[1], 64)
	r.p99 *= map[string]float64{"us": 1, "ms": 1e3, "s": 1e6}[p99[2]]
	if r.requests == 0 {
		return r, errors.New("wrk: no response")
	}
	return r, errors.Join(err1, err2, err3)
}

// ours runs one of this module's load generators, which print a JSON object
// of numbers, and a first_error when something failed.
func ours(name string, patience time.Duration, args ...string) load {
	return func(ctx context.Context, t tools, in *instance) (sample, error) {
		all := append([]string{"-addr", in.addr}, args...)
		if name == "ttft" {
			all = append(all, "-direct", in.behind.addr, "-pids", fmt.Sprintf("%d,%d", in.behind.pid, in.pid))
		} else {
			all = append(all, "-pid", strconv.Itoa(in.pid))
		}
		if name == "idle" && in.stats {
			all = append(all, "-stats")
		}
		out, err := t.pinned(ctx, patience, filepath.Join(t.bin, name), all...)
		if err != nil && len(out) == 0 {
			return nil, err
		}
		return parseOurs(name, out)
	}
}

// tlsTokens runs tlstokens, in the clear against a server without TLS.
func tlsTokens(patience time.Duration, args ...string) load {
	return func(ctx context.Context, t tools, in *instance) (sample, error) {
		all := args
		if !in.secure {
			all = append([]string{"-clear"}, args...)
		}
		return ours("tlstokens", patience, all...)(ctx, t, in)
	}
}

// spaced is further arguments, for a reader.
func spaced(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return " " + strings.Join(args, " ")
}

func parseOurs(name string, out []byte) (sample, error) {
	var fields map[string]any
	if err := json.Unmarshal(out, &fields); err != nil {
		return nil, fmt.Errorf("%s: %w in %q", name, err, out)
	}
	s := sample{}
	for key, value := range fields {
		if n, ok := value.(float64); ok {
			s[key] = n
		}
	}
	if s["incomplete"] > 0 {
		return nil, fmt.Errorf("%s: %.0f incomplete, first: %v", name, s["incomplete"], fields["first_error"])
	}
	return s, nil
}

// oha runs oha against path; any response but 200, and any error, fails.
func oha(path string, args ...string) load {
	return func(ctx context.Context, t tools, in *instance) (sample, error) {
		all := append([]string{"--no-tui", "--output-format", "json"}, args...)
		meter, err := proc.Start(in.pid)
		if err != nil {
			return nil, err
		}
		out, err := t.pinned(ctx, time.Minute, t.oha, append(all, "http://"+in.addr+path)...)
		if err != nil {
			return nil, err
		}
		cost, err := meter.Stop()
		if err != nil {
			return nil, err
		}
		s, answered, err := parseOha(out)
		if err != nil {
			return nil, err
		}
		s["cpu_us"] = cost.Per(answered)
		return s, nil
	}
}

// parseOha reads oha's JSON. A run limited by time ends with requests in
// flight, which oha lists as "aborted due to deadline"; they are not errors.
func parseOha(out []byte) (s sample, answered int, err error) {
	var r struct {
		Summary struct {
			RequestsPerSec float64 `json:"requestsPerSec"`
		} `json:"summary"`
		Percentiles struct {
			P50 float64 `json:"p50"`
			P99 float64 `json:"p99"`
		} `json:"latencyPercentiles"`
		Statuses map[string]int `json:"statusCodeDistribution"`
		Errors   map[string]int `json:"errorDistribution"`
	}
	if err := json.Unmarshal(out, &r); err != nil {
		return nil, 0, fmt.Errorf("oha: %w in %.200q", err, out)
	}
	for status, n := range r.Statuses {
		if status != "200" {
			return nil, 0, fmt.Errorf("oha: %d responses with status %s", n, status)
		}
	}
	for text, n := range r.Errors {
		if text != "aborted due to deadline" {
			return nil, 0, fmt.Errorf("oha: %d times %q", n, text)
		}
	}
	answered = r.Statuses["200"]
	if answered == 0 {
		return nil, 0, errors.New("oha: no response")
	}
	return sample{
		"answered": float64(answered),
		"rate":     r.Summary.RequestsPerSec,
		"p50_ms":   r.Percentiles.P50 * 1e3,
		"p99_ms":   r.Percentiles.P99 * 1e3,
	}, answered, nil
}
