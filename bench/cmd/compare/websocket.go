package main

import (
	"fmt"
	"strconv"
	"time"
)

// webSocket is competitors/websocket with one of its libraries.
func webSocket(name, way string) server {
	return server{name: name, program: "websocket", args: []string{way, "127.0.0.1:0"}, stats: true}
}

var webSocketServers = []string{"gws", "coder", "weir-ws"}

// webSockets compares weir's WebSockets with gws's and coder/websocket's.
func webSockets(quick bool) []trial {
	const conns = 10000
	return []trial{
		echoOf(quick, 64), echoOf(quick, 1<<10),
		{
			title:   fmt.Sprintf("%d idle WebSockets", conns),
			about:   fmt.Sprintf("`wsecho -idle -conns %d`: one echo of 64 bytes each, then bytes per WebSocket. heap and stack in use after a collection, from the server's /stats; anonymous memory and RSS from /proc. The kernel's own memory is in none of them", conns),
			rounds:  pick(quick, 1, 3),
			servers: webSocketServers,
			metrics: []metric{
				{key: "rss", title: "RSS B/WebSocket", prec: 0},
				{key: "anonymous", title: "anonymous", prec: 0},
				{key: "user", title: "heap+stack", prec: 0},
				{key: "heap", title: "heap", prec: 0},
				{key: "stack", title: "stack", prec: 0},
			},
			load: ours("wsecho", 2*time.Minute, "-idle", "-conns", strconv.Itoa(conns)),
		},
	}
}

// echoOf is the CPU of an echo; the client compares each.
func echoOf(quick bool, size int) trial {
	window := pick(quick, 2*time.Second, 4*time.Second)
	args := []string{"-conns", "64", "-size", strconv.Itoa(size), "-window", window.String()}
	return trial{
		title:   fmt.Sprintf("echo of %d bytes", size),
		about:   fmt.Sprintf("`wsecho -conns 64 -size %d -window %v`: binary messages without compression, one under way on each WebSocket", size, window),
		rounds:  pick(quick, 2, 5),
		servers: webSocketServers,
		metrics: []metric{
			{key: "cpu_us", title: "CPU µs/message", prec: 2},
			{key: "rate", title: "messages/s", prec: 0},
			{key: "p50_us", title: "echo p50 µs", prec: 0},
			{key: "p99_us", title: "p99", prec: 0},
			{key: "writes", title: "writes/message", prec: 2},
			{key: "client_busy", title: "client busy %", scale: 100, prec: 0},
		},
		load:  ours("wsecho", time.Minute+window, args...),
		goals: []goal{{"cpu_us", "weir-ws", "gws", 1}},
	}
}
