package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"weir/bench/internal/identity"
)

// certified gives a server that speaks TLS its certificate, in that folder.
func (s server) certified(dir string) (server, error) {
	if !s.secure {
		return s, nil
	}
	cert, key, err := identity.Write(dir)
	s.args = append(append([]string(nil), s.args...), cert, key)
	return s, err
}

// weirServeTLS is weirServe for an upstream that speaks TLS, with more in the
// upstream's configuration.
func weirServeTLS(more string) setup {
	return func(s server, dir, upstream string) (server, error) {
		path := filepath.Join(dir, "weir.yaml")
		s.args = []string{"serve", "--config", path, "--grace", "0s"}
		s.env = []string{"SSL_CERT_FILE=" + filepath.Join(dir, "cert.pem")}
		return s, os.WriteFile(path, fmt.Appendf(nil, `listen: ["127.0.0.1:0"]
admin: {listen: ""}
upstreams: {u: {%surl: "https://%s"}}
models: {m: {targets: [{upstream: u}]}}
log: {access: none}
`, more, upstream), 0o600)
	}
}

func nginxTLS(s server, dir, upstream string) (server, error) {
	return nginxTo(s, dir, upstream, "https")
}

// secures measures what TLS costs, on either side of a server.
func secures(quick bool) []trial {
	const conns, interval = 100, 10 * time.Millisecond
	rounds, window := pick(quick, 2, 5), pick(quick, 2*time.Second, 5*time.Second)
	relayed := []string{"weir-plain", "weir-https", "weir-http2", "nginx-plain", "nginx-https"}
	tokens := func(title string, servers []string, goals []goal, more ...string) trial {
		args := append([]string{"-conns", "200", "-interval", "20ms", "-window", window.String()}, more...)
		return trial{
			title:   title,
			about:   fmt.Sprintf("`tlstokens -conns 200 -interval 20ms -window %v%s`: handlers with a goroutine and a ticker for each stream, but for weir-loop-tls, whose streams the loops pace", window, spaced(more)),
			rounds:  rounds,
			servers: servers,
			metrics: tokenMetrics,
			load:    tlsTokens(2*time.Minute, args...),
			goals:   goals,
		}
	}
	return []trial{
		{
			title:  fmt.Sprintf("relaying %d streams, %d events/s each, from an https upstream", conns, time.Second/interval),
			about:  fmt.Sprintf("`paced -chat -conns %d -interval %v -size 8 -window %v`: events of about 200 bytes; the client's side is in the clear, connections to the upstream are kept", conns, interval, window),
			rounds: rounds, servers: relayed,
			metrics: []metric{
				{key: "cpu_us", title: "CPU µs/event", prec: 2},
				{key: "push_p50_us", title: "push p50 µs", prec: 0},
				{key: "push_p99_us", title: "p99", prec: 0},
				{key: "chunk_rate", title: "events/s", prec: 0},
				{key: "per_read", title: "events/read", prec: 2},
				{key: "client_busy", title: "client busy %", scale: 100, prec: 0},
			},
			load: ours("paced", 2*time.Minute, "-chat", "-conns", strconv.Itoa(conns), "-interval", interval.String(),
				"-size", "8", "-window", window.String()),
			goals: []goal{{"cpu_us", "weir-https", "weir-plain", 1.25}, {"cpu_us", "weir-https", "nginx-https", 0.95}},
		},
		tokens("200 streams over TLS, one 64-byte token each 20ms", []string{"nethttp-tls", "weir-tls", "weir-loop-tls", "weir-clear", "nethttp-clear"},
			[]goal{{"cpu_us", "weir-tls", "weir-clear", 1.3}, {"cpu_us", "weir-tls", "nethttp-tls", 0.6}}),
		tokens("200 streams over HTTP/2, 20 a connection, one 64-byte token each 20ms", []string{"nethttp-tls", "weir-tls", "weir-loop-tls"}, nil, "-h2"),
	}
}

var tokenMetrics = []metric{
	{key: "cpu_us", title: "CPU µs/token", prec: 2},
	{key: "push_p50_us", title: "push p50 µs", prec: 0},
	{key: "push_p99_us", title: "p99", prec: 0},
	{key: "chunk_rate", title: "tokens/s", prec: 0},
	{key: "per_read", title: "tokens/read", prec: 2},
	{key: "client_busy", title: "client busy %", scale: 100, prec: 0},
}

// storms measures streams beside a storm of handshakes.
func storms(quick bool) []trial {
	conns, rate := pick(quick, 500, 5000), pick(quick, 50, 500)
	window := pick(quick, 3*time.Second, 10*time.Second)
	args := []string{"-conns", strconv.Itoa(conns), "-interval", "1s", "-storm", strconv.Itoa(rate), "-window", window.String()}
	return []trial{{
		title: fmt.Sprintf("%d streams over TLS beside %d handshakes a second", conns, rate),
		about: fmt.Sprintf("`tlstokens -conns %d -interval 1s -storm %d -window %v`: push to client, and late, by which the gap between two tokens misses the interval: first without the storm, then within it. "+
			"The handshakes are whole ones (ECDSA P-256, TLS 1.3), made by a process of lowest priority on the load's CPU", conns, rate, window),
		rounds:  pick(quick, 1, 3),
		servers: []string{"nethttp-tls", "weir-tls", "weir-loop-tls"},
		metrics: []metric{
			{key: "storm_factor", title: "late p99 in the storm ÷ quiet", prec: 2},
			{key: "late_p99_us", title: "late p99 µs, quiet", prec: 0},
			{key: "storm_late_us", title: "in the storm", prec: 0},
			{key: "push_p99_us", title: "push p99 µs, quiet", prec: 0},
			{key: "storm_p99_us", title: "in the storm", prec: 0},
			{key: "handshakes", title: "handshakes/s", prec: 0},
			{key: "handshake_us", title: "handshake p50 µs", prec: 0},
			{key: "failed_handshakes", title: "failed", prec: 0},
			{key: "cpu_us", title: "CPU µs/token, quiet", prec: 2},
			{key: "client_busy", title: "client busy %, quiet", scale: 100, prec: 0},
		},
		load:  tlsTokens(5*time.Minute, args...),
		goals: []goal{{"storm_factor", "weir-tls", "", 2}, {"storm_factor", "weir-loop-tls", "", 2}},
	}}
}
