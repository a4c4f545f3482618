// Command idle measures what an idle keep-alive connection holds: it opens
// many, sends one request on each, and compares the server's memory before
// and after.
//
//	idle -addr 127.0.0.1:8080 -pid 1234 -conns 10000 -stats
//
// heap and stack come from the server's own /stats?gc=1, which collects
// garbage first; rss and anonymous come from the kernel and hold for servers
// in any language. Kernel memory of the sockets is in none of them.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"weir/bench/internal/load"
	"weir/bench/internal/memory"
)

// warmUp connections come and go before the first reading, so that what a
// server allocates once does not count.
const warmUp = 200

type config struct {
	addr  string
	pid   int
	conns int
	stats bool
}

func main() {
	var c config
	flag.StringVar(&c.addr, "addr", "127.0.0.1:8080", "server, an IPv4 loopback `address`")
	flag.IntVar(&c.pid, "pid", 0, "server `process`")
	flag.IntVar(&c.conns, "conns", 10000, "connections to hold")
	flag.BoolVar(&c.stats, "stats", false, "ask the server's /stats?gc=1 too")
	flag.Parse()
	out, err := measure(c)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "idle:", err)
		os.Exit(1)
	}
}

func measure(c config) (memory.PerConn, error) {
	var r memory.PerConn
	if err := hold(c, warmUp, func() error { return nil }); err != nil {
		return r, err
	}
	before, err := memory.Read(c.addr, c.pid, c.stats)
	if err != nil {
		return r, err
	}
	err = hold(c, c.conns, func() error {
		after, err := memory.Read(c.addr, c.pid, c.stats)
		r = memory.Per(c.conns, before, after)
		return err
	})
	return r, err
}

// hold opens n connections, waits for their responses, calls then, and closes
// them. A connection that fails or that the server closes is an error.
func hold(c config, n int, then func() error) error {
	u := &load.Unary{Request: load.Get(c.addr, "/plaintext"), AtOnce: 32}
	client, err := load.New(c.addr, u)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := u.Run(client, n, time.Now().Add(time.Minute)); err != nil {
		return err
	}
	if err := then(); err != nil {
		return err
	}
	if err := client.Poll(time.Now().Add(50 * time.Millisecond)); err != nil {
		return err
	}
	if u.Done != n || u.Failed > 0 {
		return fmt.Errorf("%d of %d connections got a response, %d failed: %w", u.Done, n, u.Failed, u.First)
	}
	return nil
}
