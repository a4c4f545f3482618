package main

import (
	"fmt"
	"strconv"
	"time"
)

// natives compares the ways to feed many token streams: see cmd/decode.
func natives(quick bool) []trial {
	window := pick(quick, 2*time.Second, 5*time.Second)
	trials := []trial{
		tokensOf(quick, window, 50*time.Millisecond,
			", one CPU for the server and one for the client, which is the most that they can do: a way that needs more CPU makes less of it. Streams are cut after the window", "-cut"),
		tokensOf(quick, window, 200*time.Millisecond, "; each stream to its [DONE]"),
	}
	for _, n := range []int{1, 10, 100, 1000} {
		trials = append(trials, stepOf(quick, window, n))
	}
	return append(trials, departing(quick))
}

const streams = 5000

// tokensOf has every way send as many tokens.
func tokensOf(quick bool, window, interval time.Duration, note string, args ...string) trial {
	args = append([]string{"-conns", strconv.Itoa(streams), "-interval", interval.String(), "-size", "190", "-numbered", "-steps",
		"-window", window.String()}, args...)
	return trial{
		title: fmt.Sprintf("%d streams, %d tokens/s each", streams, time.Second/interval),
		about: fmt.Sprintf("`paced -conns %d -interval %v -size 190 -numbered -steps -window %v`%s: "+
			"OpenAI chunks, 198 bytes an event; a missing token fails the run. Held is how long sending keeps the decode loop, per step", streams, interval, window, note),
		rounds:  pick(quick, 1, 5),
		servers: []string{"nethttp-fed", "nethttp-tickers", "weir-tickers", "weir-single", "weir-batch"},
		metrics: []metric{
			{key: "cpu_us", title: "CPU µs/token", prec: 2},
			{key: "per_cpu_s", title: "tokens/CPU s", prec: 0},
			{key: "chunk_rate", title: "tokens/s", prec: 0},
			{key: "per_read", title: "tokens/read", prec: 2},
			{key: "push_p50_us", title: "made to received p50 ms", scale: 1e-3, prec: 1},
			{key: "push_p99_us", title: "p99", scale: 1e-3, prec: 1},
			{key: "push_max_us", title: "max", scale: 1e-3, prec: 1},
			{key: "held_us", title: "held ms", scale: 1e-3, prec: 2},
			{key: "step_rate", title: "steps/s", prec: 1},
			{key: "client_busy", title: "client busy %", scale: 100, prec: 0},
		},
		load: ours("paced", 3*time.Minute, args...),
		goals: []goal{{"cpu_us", "weir-batch", "weir-tickers", 1}, {"cpu_us", "weir-batch", "nethttp-fed", 0.8},
			{"push_p99_us", "weir-batch", "nethttp-fed", 1}, {"held_us", "weir-batch", "weir-single", 0.1}},
	}
}

// stepOf is a step of n tokens, by one SendBatch and by a TrySend each.
func stepOf(quick bool, window time.Duration, n int) trial {
	args := []string{"-conns", strconv.Itoa(n), "-interval", "50ms", "-size", "190", "-numbered", "-steps", "-window", window.String()}
	return trial{
		title:   fmt.Sprintf("a step of %d", n),
		about:   fmt.Sprintf("`paced -conns %d -interval 50ms -size 190 -numbered -steps -window %v`; weir sends by send(2): its write(2) calls are wake-ups", n, window),
		rounds:  pick(quick, 1, 3),
		servers: []string{"weir-single", "weir-batch"},
		metrics: []metric{
			{key: "held_us", title: "held µs/step", prec: 1},
			{key: "cpu_us", title: "CPU µs/token", prec: 2},
			{key: "writes", title: "wake-ups/step", prec: 1},
			{key: "push_p50_us", title: "made to received p50 µs", prec: 0},
			{key: "push_p99_us", title: "p99", prec: 0},
			{key: "push_max_us", title: "max", prec: 0},
		},
		load: ours("paced", time.Minute, args...),
	}
}

// departing disconnects half of the clients at once.
func departing(quick bool) trial {
	const interval = 200 * time.Millisecond
	return trial{
		title: fmt.Sprintf("%d of %d clients disconnect at once", streams/2, streams),
		about: fmt.Sprintf("`paced -leave -conns %d -interval %v -size 190 -numbered`: a process with half of the streams is killed. "+
			"Noticed is from the kill to when the server knew of all of them, and holds the kernel's closing of the sockets (closed), which takes its time on the load's CPU. "+
			"The delays, from made to received, are those of the streams that stay, in the second before and in the one after", streams, interval),
		rounds:  pick(quick, 1, 5),
		servers: []string{"nethttp-fed", "nethttp-tickers", "weir-tickers", "weir-single", "weir-batch"},
		metrics: []metric{
			{key: "noticed_ms", title: "noticed ms", prec: 0},
			{key: "closed_ms", title: "closed ms", prec: 0},
			{key: "before_p50_ms", title: "before p50 ms", prec: 1},
			{key: "before_p99_ms", title: "p99", prec: 1},
			{key: "before_max_ms", title: "max", prec: 1},
			{key: "after_p50_ms", title: "after p50 ms", prec: 1},
			{key: "after_p99_ms", title: "p99", prec: 1},
			{key: "after_max_ms", title: "max", prec: 1},
			{key: "p99_ratio", title: "p99 after ÷ before", prec: 2},
		},
		load: ours("paced", 3*time.Minute, "-leave", "-conns", strconv.Itoa(streams), "-interval", interval.String(),
			"-size", "190", "-numbered"),
		goals: []goal{{"p99_ratio", "weir-batch", "", 1.2}},
	}
}
