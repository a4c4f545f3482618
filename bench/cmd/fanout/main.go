// Command fanout measures what a hub takes to send one message to many
// subscribers of server-sent events: CPU time for each delivered message, the
// spread from the first receiver to the last, and memory for each subscriber
// that waits.
//
//	fanout -addr 127.0.0.1:8080 -pid 1234 -conns 5000 -messages 50 -stats
//
// It subscribes by GET /subscribe?topic=t&as=sse and publishes by POST
// /publish?topic=t, one message after the other. A message that does not come
// to all of them, or twice to one, fails the run.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"
)

type config struct {
	addr     string
	pid      int
	conns    int
	messages int
	interval time.Duration
	size     int
	stats    bool
}

func main() {
	var c config
	flag.StringVar(&c.addr, "addr", "127.0.0.1:8080", "server, an IPv4 loopback `address`")
	flag.IntVar(&c.pid, "pid", 0, "server `process`")
	flag.IntVar(&c.conns, "conns", 5000, "subscribers")
	flag.IntVar(&c.messages, "messages", 50, "to publish")
	flag.DurationVar(&c.interval, "interval", 100*time.Millisecond, "from one to the next, at least")
	flag.IntVar(&c.size, "size", 64, "bytes of a message")
	flag.BoolVar(&c.stats, "stats", false, "ask the server's /stats?gc=1 for its heap, too")
	flag.Parse()
	out, err := measure(c)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "fanout:", err)
		os.Exit(1)
	}
}
