package main

import (
	"fmt"
	"time"
)

// befores compares weir with an earlier one, which run.sh has built as
// weir-before: what a change costs shows only side by side.
func befores(quick bool) []trial {
	rounds, window := pick(quick, 2, 10), pick(quick, 2*time.Second, 4*time.Second)
	cpu := func(per string) []metric {
		return []metric{{key: "cpu_us", title: "CPU µs/" + per, prec: 2}, {key: "client_busy", title: "client busy %", scale: 100, prec: 0}}
	}
	tour, serve := []string{"weir-before", "weir"}, []string{"weir-serve-before", "weir-serve"}
	noMore := func(servers []string) []goal { return []goal{{"cpu_us", servers[1], servers[0], 1.03}} }
	paced := func(more ...string) load {
		return ours("paced", 2*time.Minute, append(more, "-window", window.String())...)
	}
	return []trial{
		{
			title: "inline request", about: fmt.Sprintf("`wrk -t1 -c64 -d%v /plaintext`", window),
			rounds: rounds, servers: tour, metrics: cpu("request")[:1], load: wrk("/plaintext", "", window), goals: noMore(tour),
		},
		{
			title: "paced token", about: "`paced -conns 1000 -interval 50ms -size 64`",
			rounds: rounds, servers: tour, metrics: cpu("chunk"), load: paced("-conns", "1000", "-interval", "50ms", "-size", "64"), goals: noMore(tour),
		},
		{
			title: "pushed burst", about: fmt.Sprintf("`wrk -t1 -c64 -d%v /burst?n=1000&size=64`: a thousand chunks a request, from a goroutine", window),
			rounds: rounds, servers: tour, metrics: cpu("burst")[:1], load: wrk("/burst?n=1000&size=64", "", window), goals: noMore(tour),
		},
		{
			title: "relayed event", about: "`paced -chat -conns 200 -interval 10ms -size 8`",
			rounds: rounds, servers: serve, metrics: cpu("event"), load: paced("-chat", "-conns", "200", "-interval", "10ms", "-size", "8"), goals: noMore(serve),
		},
		{
			title: "relayed unary request", about: fmt.Sprintf("`wrk -t1 -c64 -d%v -s scripts/chat.lua`", window),
			rounds: rounds, servers: serve, metrics: cpu("request")[:1], load: wrk("/v1/chat/completions", "chat.lua", window), goals: noMore(serve),
		},
	}
}
