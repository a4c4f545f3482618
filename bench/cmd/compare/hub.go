package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"
)

// hubs compares topics of the tour, which are package hub's, with nginx's nchan,
// and with what the kernel alone charges for the writes.
func hubs(quick bool) []trial {
	conns, messages := 5000, pick(quick, 20, 50)
	return []trial{{
		title: fmt.Sprintf("one message to %d subscribers of server-sent events", conns),
		about: fmt.Sprintf("`fanout -conns %d -messages %d -interval 200ms -size 64`: one POST to /publish, and the next when all have it; a message that is missing or comes twice fails the run. "+
			"First is from publishing to the first receiver, spread from there to the last. Memory is what a subscriber takes that has got nothing yet, anonymous memory from /proc and weir's heap after a collection; the kernel's own is in none of them; cepoll writes the same bytes to each and does nothing else", conns, messages),
		rounds:  pick(quick, 2, 5),
		servers: []string{"cepoll", "nchan", "weir"},
		metrics: []metric{
			{key: "cpu_us", title: "CPU µs/delivery", prec: 2},
			{key: "first_us", title: "first ms", scale: 1e-3, prec: 2},
			{key: "spread_us", title: "spread ms", scale: 1e-3, prec: 1},
			{key: "spread_max_us", title: "max", scale: 1e-3, prec: 1, worst: true},
			{key: "writes", title: "write(2) calls/delivery", prec: 2},
			{key: "client_busy", title: "client busy %", scale: 100, prec: 0},
			{key: "anonymous", title: "anonymous B/subscriber", prec: 0},
			{key: "heap", title: "heap B/subscriber", prec: 0},
		},
		load:  fanout("-conns", strconv.Itoa(conns), "-messages", strconv.Itoa(messages), "-interval", "200ms", "-size", "64"),
		goals: []goal{{"cpu_us", "weir", "nchan", 0.5}, {"heap", "weir", "", 1024}},
	}}
}

func fanout(args ...string) load {
	return func(ctx context.Context, t tools, in *instance) (sample, error) {
		all := args
		if in.stats {
			all = append([]string{"-stats"}, args...)
		}
		return ours("fanout", 2*time.Minute, all...)(ctx, t, in)
	}
}

// nchanModule is where Debian's libnginx-mod-nchan has it.
const nchanModule = "/usr/lib/nginx/modules/ngx_nchan_module.so"

// nchan is nginx with nchan as a hub.
func nchan(s server, dir string) (server, error) {
	if _, err := os.Stat(nchanModule); err != nil {
		return s, fmt.Errorf("nchan: %w: install libnginx-mod-nchan", err)
	}
	return runNginx(s, dir, nginxConf{
		main: `
load_module ` + nchanModule + `;
worker_rlimit_nofile 20000;`,
		server: `
        location = /plaintext {
            default_type text/plain;
            return 200 "Hello, World!";
        }
        location = /subscribe {
            nchan_subscriber eventsource;
            nchan_channel_id $arg_topic;
        }
        location = /publish {
            nchan_publisher;
            nchan_channel_id $arg_topic;
            nchan_message_buffer_length 1000;
            nchan_message_timeout 5m;
        }`,
	})
}
