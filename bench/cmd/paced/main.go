// Command paced loads a server's /tokens, or, with -chat, a gateway's
// /v1/chat/completions, with many paced streams and measures
// what a chunk costs the server and how long it takes from push to client.
//
//	paced -addr 127.0.0.1:8080 -pid 1234 -conns 1000 -interval 50ms
//
// Every stream is opened, measured within one window in which all of them
// run, and then read to its end: a stream that lacks a frame, or its [DONE],
// counts as incomplete, and makes the exit status 1.
//
// With -leave the server is cmd/decode: half of the streams belong to a process
// that is killed in their midst, and the other half is measured.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"
)

func main() {
	var c config
	flag.StringVar(&c.addr, "addr", "127.0.0.1:8080", "server, an IPv4 loopback `address`")
	flag.IntVar(&c.pid, "pid", 0, "server `process` whose CPU time is read; 0 for none")
	flag.IntVar(&c.conns, "conns", 1000, "streams at a time")
	flag.DurationVar(&c.interval, "interval", 50*time.Millisecond, "between the frames of a stream")
	flag.IntVar(&c.size, "size", 64, "bytes of data in a frame")
	flag.BoolVar(&c.chat, "chat", false, "ask for chat completions")
	flag.BoolVar(&c.numbered, "numbered", false, "ask for numbered frames, and count a stream that lacks one as incomplete")
	flag.BoolVar(&c.steps, "steps", false, "ask the server's /steps what its decode loop has done")
	flag.BoolVar(&c.cut, "cut", false, "end after the window, for servers that are too slow to see every stream to its end")
	leave := flag.Bool("leave", false, "disconnect half of the streams at once, and compare the second before with the one after")
	flag.DurationVar(&c.settle, "settle", time.Second, "between the last opening and the measurement")
	flag.DurationVar(&c.window, "window", 5*time.Second, "measured time")
	flag.Parse()
	if c.conns < 1 || c.interval <= 0 || c.window < c.interval {
		fmt.Fprintln(os.Stderr, "paced: wants -conns >= 1 and 0 < -interval <= -window")
		os.Exit(2)
	}

	runtime.LockOSThread()
	debug.SetGCPercent(-1) // the samples fit; a collection would show as latency
	if *leave {
		out, err := measureLeave(c)
		finish(out, err, out.Incomplete)
	}
	out, err := measure(c)
	finish(out, err, out.Incomplete)
}

// finish prints the results and ends the program.
func finish(out any, err error, incomplete int) {
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if incomplete > 0 {
		os.Exit(1)
	}
	os.Exit(0)
}
