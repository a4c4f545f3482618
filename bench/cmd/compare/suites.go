package main

import (
	"fmt"
	"strconv"
	"time"
)

// trial is one measurement over several servers, all of them in every round.
type trial struct {
	title   string
	about   string // what was run, for the reader of the results
	rounds  int
	servers []string // the first is what the ratios refer to
	metrics []metric // the first is the one that counts
	load    load
	goals   []goal
}

// metric names a figure of a sample.
type metric struct {
	key   string
	title string
	scale float64 // multiplies the sample's figure; 0 means 1
	prec  int     // decimals
	worst bool    // shows the largest of the rounds instead of their median
}

// goal is an upper bound for a server's figure: a multiple of another
// server's, or, where ref is "", a value.
type goal struct {
	metric string
	server string
	ref    string
	atMost float64
}

// suites are what run.sh offers. Another comparison is another entry here and
// its programs in servers.
var suites = map[string]func(quick bool) []trial{
	"plaintext": plaintext,
	"tokens":    tokens,
	"idle":      idle,
	"gateway":   gateways,
	"tls":       secures,
	"storm":     storms,
	"oha":       ohaCheck,
	"native":    natives,
	"hub":       hubs,
	"before":    befores,
	"websocket": webSockets,
	"static":    files,
}

var everyServer = []string{"cepoll", "fasthttp", "nethttp", "weir"}

// pick returns the quick or the full value.
func pick[T any](quick bool, small, full T) T {
	if quick {
		return small
	}
	return full
}

func plaintext(quick bool) []trial {
	rounds, d := pick(quick, 2, 5), pick(quick, 2*time.Second, 5*time.Second)
	perRequest := []metric{
		{key: "cpu_us", title: "CPU µs/request", prec: 2},
		{key: "rate", title: "requests/s", prec: 0},
		{key: "p99_us", title: "p99 µs", prec: 0},
	}
	return []trial{
		{
			title:   "keep-alive",
			about:   fmt.Sprintf("`wrk -t1 -c64 -d%v /plaintext`", d),
			rounds:  rounds,
			servers: everyServer,
			metrics: perRequest,
			load:    wrk("/plaintext", "", d),
			goals:   []goal{{"cpu_us", "weir", "cepoll", 1.2}, {"cpu_us", "weir", "fasthttp", 0.7}},
		},
		{
			title:   "pipelined x16",
			about:   fmt.Sprintf("`wrk -t1 -c64 -d%v -s scripts/pipeline.lua /plaintext`", d),
			rounds:  rounds,
			servers: everyServer,
			metrics: perRequest,
			load:    wrk("/plaintext", "pipeline.lua", d),
			goals:   []goal{{"cpu_us", "weir", "", 0.70}},
		},
		{
			title:   "new connection, GET, close",
			about:   fmt.Sprintf("`churn -at-once 16 -window %v`; the client closes", d),
			rounds:  rounds,
			servers: everyServer,
			metrics: []metric{
				{key: "cpu_us", title: "CPU µs/connection", prec: 1},
				{key: "p50_us", title: "p50 µs", prec: 0},
				{key: "p99_us", title: "p99 µs", prec: 0},
				{key: "client_busy", title: "client busy %", scale: 100, prec: 0},
			},
			load: ours("churn", 2*d+30*time.Second, "-at-once", "16", "-window", d.String()),
		},
	}
}

func tokens(quick bool) []trial {
	rounds, window := pick(quick, 2, 3), pick(quick, 2*time.Second, 5*time.Second)
	var trials []trial
	for _, c := range []struct {
		conns    int
		interval time.Duration
	}{{10, 20 * time.Millisecond}, {1000, 50 * time.Millisecond}, {10000, 500 * time.Millisecond}} {
		args := []string{"-conns", strconv.Itoa(c.conns), "-interval", c.interval.String(), "-size", "64", "-window", window.String()}
		trials = append(trials, trial{
			title:   fmt.Sprintf("%d streams, one 64-byte event each %v", c.conns, c.interval),
			about:   fmt.Sprintf("`paced -conns %d -interval %v -size 64 -window %v`", c.conns, c.interval, window),
			rounds:  rounds,
			servers: []string{"nethttp", "fasthttp", "cepoll", "weir"},
			metrics: []metric{
				{key: "cpu_us", title: "CPU µs/chunk", prec: 2},
				{key: "push_p50_us", title: "push p50 µs", prec: 0},
				{key: "push_p99_us", title: "p99", prec: 0},
				{key: "push_max_us", title: "max", prec: 0},
				{key: "jitter_p50_us", title: "jitter p50 µs", prec: 0},
				{key: "jitter_p99_us", title: "p99", prec: 0},
				{key: "chunk_rate", title: "chunks/s", prec: 0},
				{key: "client_busy", title: "client busy %", scale: 100, prec: 0},
			},
			load:  ours("paced", 2*time.Minute, args...),
			goals: []goal{{"cpu_us", "weir", "nethttp", 0.8}, {"push_p50_us", "weir", "nethttp", 1.0}},
		})
	}
	return trials
}

func idle(quick bool) []trial {
	const conns = 10000
	return []trial{{
		title:   fmt.Sprintf("%d idle keep-alive connections", conns),
		about:   fmt.Sprintf("`idle -conns %d`: one request each, then bytes per connection. heap and stack in use after a collection, from the server's /stats; anonymous memory and RSS from /proc. The kernel's own memory is in none of them", conns),
		rounds:  pick(quick, 1, 3),
		servers: []string{"nethttp", "fasthttp", "cepoll", "weir"},
		metrics: []metric{
			{key: "anonymous", title: "anonymous B/conn", prec: 0},
			{key: "rss", title: "RSS B/conn", prec: 0},
			{key: "user", title: "heap+stack B/conn", prec: 0},
			{key: "heap", title: "heap", prec: 0},
			{key: "stack", title: "stack", prec: 0},
		},
		load:  ours("idle", time.Minute, "-conns", strconv.Itoa(conns)),
		goals: []goal{{"user", "weir", "", 1024}, {"anonymous", "weir", "", 1024}},
	}}
}

// ohaCheck is for errors above all: a client that is neither wrk nor ours.
func ohaCheck(quick bool) []trial {
	d := pick(quick, "2s", "5s")
	metrics := []metric{
		{key: "cpu_us", title: "CPU µs/request", prec: 1},
		{key: "answered", title: "answered 200", prec: 0},
		{key: "rate", title: "requests/s", prec: 0},
		{key: "p50_ms", title: "p50 ms", prec: 2},
		{key: "p99_ms", title: "p99 ms", prec: 2},
	}
	rounds := pick(quick, 1, 3)
	return []trial{
		{
			title: "/plaintext", about: "`oha -c 64 -z " + d + "`, no errors allowed", rounds: rounds,
			servers: everyServer, metrics: metrics, load: oha("/plaintext", "-c", "64", "-z", d),
		},
		{
			title: "/tokens", about: "`oha -c 100 -n 500 '/tokens?n=64&interval=20ms&size=8'`, no errors allowed", rounds: rounds,
			servers: everyServer, metrics: metrics,
			load: oha("/tokens?n=64&interval=20ms&size=8", "-c", "100", "-n", "500"),
		},
	}
}
