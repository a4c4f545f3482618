package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// upstreamOf is what a gateway relays to.
func upstreamOf(s server) server {
	up, _ := serverNamed(cmp.Or(s.behind, "cepoll")) // one of the table
	return up
}

// setup makes a gateway ready to be started in front of the upstream at that
// address; dir is for its files.
type setup func(s server, dir, upstream string) (server, error)

// gateways compares weir serve with nginx, with what the standard library has,
// and with what the kernel alone charges for copying, in front of the same
// upstream.
func gateways(quick bool) []trial {
	const conns, interval = 200, 10 * time.Millisecond
	servers := []string{"crelay", "nginx", "reverseproxy", "weir-serve"}
	rounds, window := pick(quick, 2, 5), pick(quick, 2*time.Second, 5*time.Second)
	count := pick(quick, 200, 1000)
	return []trial{
		{
			title:   fmt.Sprintf("relaying %d streams, %d events/s each", conns, time.Second/interval),
			about:   fmt.Sprintf("`paced -chat -conns %d -interval %v -size 8 -window %v`: events of about 160 bytes, each a chunk and a write of the upstream's; push is from the upstream's write to the client's read; weir-patched changes each event by a JSON Patch of a test and a replace", conns, interval, window),
			rounds:  rounds,
			servers: append(servers, "weir-patched"),
			metrics: []metric{
				{key: "cpu_us", title: "CPU µs/event", prec: 2},
				{key: "push_p50_us", title: "push p50 µs", prec: 0},
				{key: "push_p99_us", title: "p99", prec: 0},
				{key: "push_max_us", title: "max", prec: 0},
				{key: "chunk_rate", title: "events/s", prec: 0},
				{key: "per_read", title: "events/read", prec: 2},
				{key: "client_busy", title: "client busy %", scale: 100, prec: 0},
			},
			load: ours("paced", 2*time.Minute, "-chat", "-conns", strconv.Itoa(conns), "-interval", interval.String(),
				"-size", "8", "-window", window.String()),
			goals: []goal{{"cpu_us", "weir-serve", "nginx", 0.9}, {"cpu_us", "weir-serve", "reverseproxy", 0.5}, {"cpu_us", "weir-patched", "weir-serve", 1.2}},
		},
		{
			title:   "relaying unary requests",
			about:   fmt.Sprintf("`wrk -t1 -c64 -d%v -s scripts/chat.lua`: a body of 60 bytes, a response of 245", window),
			rounds:  rounds,
			servers: servers,
			metrics: []metric{
				{key: "cpu_us", title: "CPU µs/request", prec: 1},
				{key: "rate", title: "requests/s", prec: 0},
				{key: "p99_us", title: "p99 µs", prec: 0},
			},
			load:  wrk("/v1/chat/completions", "chat.lua", window),
			goals: []goal{{"cpu_us", "weir-serve", "nginx", 1.2}},
		},
		{
			title: "added time to first token",
			about: fmt.Sprintf("`ttft -count %d`: one stream at a time, in turn directly and through the gateway; the upstream writes head and first event one after the other. "+
				"Added is the difference of the two ways' p50, p99 and max. A pause is a stream with 38 ms or more between two arrivals beyond what its processes waited for a CPU (those are the machine's); "+
				"where Nagle's algorithm meets a delayed acknowledgement, 40 ms pass. Gaps and pauses are the worst round's", count),
			rounds:  rounds,
			servers: servers,
			metrics: []metric{
				{key: "added_p50_us", title: "added p50 µs", prec: 1},
				{key: "added_p99_us", title: "added p99", prec: 0},
				{key: "added_max_us", title: "added max", prec: 0},
				{key: "ttft_p50_us", title: "TTFT p50 µs", prec: 0},
				{key: "direct_p50_us", title: "directly", prec: 0},
				{key: "gap_max_us", title: "longest gap µs", prec: 0, worst: true},
				{key: "direct_gap_us", title: "directly", prec: 0, worst: true},
				{key: "paused", title: "pauses", prec: 0, worst: true},
				{key: "paused_directly", title: "directly", prec: 0, worst: true},
				{key: "machine_pauses", title: "the machine's", prec: 0, worst: true},
			},
			load:  ours("ttft", 2*time.Minute, "-count", strconv.Itoa(count)),
			goals: []goal{{"added_p50_us", "weir-serve", "nginx", 1.0}, {"paused", "weir-serve", "", 0}},
		},
	}
}

func weirServe(s server, dir, upstream string) (server, error) {
	return weirServeModel(s, dir, upstream, "")
}

// weirPatched is weirServe with an event.patch, of scalars.
func weirPatched(s server, dir, upstream string) (server, error) {
	return weirServeModel(s, dir, upstream,
		`, event: {patch: [{op: test, path: /object, value: chat.completion.chunk}, {op: replace, path: /model, value: small}]}`)
}

func weirServeModel(s server, dir, upstream, more string) (server, error) {
	path := filepath.Join(dir, "weir.yaml")
	s.args = []string{"serve", "--config", path, "--grace", "0s"}
	return s, os.WriteFile(path, fmt.Appendf(nil, `listen: ["127.0.0.1:0"]
admin: {listen: ""}
upstreams: {u: {url: "http://%s"}}
models: {m: {targets: [{upstream: u}]%s}}
log: {access: none}
`, upstream, more), 0o600)
}

// cRelay is the floor: it copies bytes and looks at none.
func cRelay(s server, _, upstream string) (server, error) {
	s.args = []string{"0", upstream}
	return s, nil
}

func reverseProxy(s server, _, upstream string) (server, error) {
	s.args = []string{"127.0.0.1:0", "http://" + upstream}
	return s, nil
}

// nginx keeps connections to the upstream, and passes on at once what comes from
// there; its limits on requests per connection are raised.
func nginx(s server, dir, upstream string) (server, error) {
	return nginxTo(s, dir, upstream, "http")
}

func nginxTo(s server, dir, upstream, scheme string) (server, error) {
	return runNginx(s, dir, nginxConf{
		http: `
    upstream behind {
        server ` + upstream + `;
        keepalive 1024;
        keepalive_requests 100000000;
    }`,
		server: `
        location / {
            proxy_pass ` + scheme + `://behind;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }`,
	})
}

// checkChat is checkPlaintext for gateways: the upstream's response must come
// through.
func checkChat(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/v1/chat/completions", strings.NewReader(`{"model":"m"}`))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct{ Object string }
	err = json.NewDecoder(io.LimitReader(resp.Body, 4<<10)).Decode(&answer)
	if err != nil || resp.StatusCode != http.StatusOK || answer.Object != "chat.completion" {
		return fmt.Errorf("response to a chat: got %d %q, %v; want 200 chat.completion", resp.StatusCode, answer.Object, err)
	}
	return nil
}
