// Command tlstokens loads a server's /tokens over TLS, by HTTP/1.1 or HTTP/2,
// and measures what a token costs the server and how long it takes from push to
// client; with -storm also beside handshakes at a steady rate.
//
//	tlstokens -addr 127.0.0.1:8443 -pid 1234 -conns 200 -interval 20ms
//	tlstokens -addr 127.0.0.1:8443 -conns 5000 -interval 1s -storm 500
//
// It speaks TLS by crypto/tls, with a goroutine for each stream: its own CPU is
// a multiple of the server's, and its delays contain that. The handshakes are
// another process, of the lowest priority, or they would delay the streams here.
package main

import (
	"context"
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
	perConn  int // streams on a connection, of HTTP/2
	interval time.Duration
	size     int
	clear    bool
	h2       bool
	storm    int // handshakes a second
	only     bool
	window   time.Duration
	settle   time.Duration
}

func main() {
	var c config
	flag.StringVar(&c.addr, "addr", "127.0.0.1:8443", "server, an IPv4 loopback `address`")
	flag.IntVar(&c.pid, "pid", 0, "server `process` whose CPU time is read; 0 for none")
	flag.IntVar(&c.conns, "conns", 200, "streams at a time")
	flag.IntVar(&c.perConn, "per-conn", 20, "streams on a connection, with -h2")
	flag.DurationVar(&c.interval, "interval", 20*time.Millisecond, "between the tokens of a stream")
	flag.IntVar(&c.size, "size", 64, "bytes of data in a token's frame")
	flag.BoolVar(&c.clear, "clear", false, "without TLS")
	flag.BoolVar(&c.h2, "h2", false, "by HTTP/2")
	flag.IntVar(&c.storm, "storm", 0, "measure once more beside so many handshakes a second")
	flag.BoolVar(&c.only, "storm-only", false, "make the handshakes and nothing else")
	flag.DurationVar(&c.window, "window", 5*time.Second, "measured time")
	flag.DurationVar(&c.settle, "settle", time.Second, "between the last opening and the measurement, and after the storm began")
	flag.Parse()
	var out any
	var err error
	if c.only {
		out, err = c.storms(context.Background())
	} else {
		out, err = measure(c)
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
