// Command ttft measures what a gateway adds to the time to first token: one
// stream at a time, in turn from the upstream itself and through the gateway.
//
//	ttft -direct 127.0.0.1:8000 -addr 127.0.0.1:8080 -pids 12,13 -count 1000
//
// A stream that fails makes the exit status 1.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

func main() {
	var c config
	flag.StringVar(&c.direct, "direct", "127.0.0.1:8000", "upstream, an IPv4 loopback `address`")
	flag.StringVar(&c.addr, "addr", "127.0.0.1:8080", "gateway, an IPv4 loopback `address`")
	flag.IntVar(&c.count, "count", 1000, "streams each way")
	flag.IntVar(&c.events, "events", 3, "`N` events of a stream")
	flag.DurationVar(&c.interval, "interval", time.Millisecond, "between the events of a stream")
	flag.Func("pids", "`PIDS` with commas, of upstream and gateway: a pause in which they waited for a CPU is the machine's", func(list string) error {
		for pid := range strings.SplitSeq(list, ",") {
			n, err := strconv.Atoi(pid)
			if err != nil {
				return err
			}
			c.pids = append(c.pids, n)
		}
		return nil
	})
	flag.Parse()
	if c.count < 1 || c.events < 1 || c.interval <= 0 {
		fmt.Fprintln(os.Stderr, "ttft: wants -count >= 1, -events >= 1 and -interval > 0")
		os.Exit(2)
	}
	c.pids = append(c.pids, os.Getpid())
	runtime.LockOSThread()
	debug.SetGCPercent(-1) // the samples fit; a collection would show as latency
	out, err := measure(c)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		fmt.Fprintln(os.Stderr, "ttft:", err)
		os.Exit(1)
	}
}
