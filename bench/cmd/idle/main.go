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
	"net/http"
	"os"
	"time"

	"weir/bench/internal/load"
	"weir/bench/internal/proc"
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

// memory is one reading, in bytes. heap_bytes must be there where /stats is;
// weir counts its stacks elsewhere and may omit stack_bytes.
type memory struct {
	Heap      uint64 `json:"heap_bytes"`
	Stack     uint64 `json:"stack_bytes"`
	Anonymous uint64 `json:"-"`
	RSS       uint64 `json:"-"`
}

// report holds bytes per connection; without -stats the first three are
// omitted.
type report struct {
	Conns     int     `json:"conns"`
	Heap      float64 `json:"heap,omitempty"`
	Stack     float64 `json:"stack,omitempty"`
	User      float64 `json:"user,omitempty"` // heap + stack
	Anonymous float64 `json:"anonymous"`
	RSS       float64 `json:"rss"`
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

func measure(c config) (report, error) {
	if err := hold(c, warmUp, func() error { return nil }); err != nil {
		return report{}, err
	}
	before, err := read(c)
	if err != nil {
		return report{}, err
	}
	var after memory
	err = hold(c, c.conns, func() error {
		after, err = read(c)
		return err
	})
	if err != nil {
		return report{}, err
	}
	per := func(after, before uint64) float64 { return (float64(after) - float64(before)) / float64(c.conns) }
	r := report{
		Conns:     c.conns,
		Heap:      per(after.Heap, before.Heap),
		Stack:     per(after.Stack, before.Stack),
		Anonymous: per(after.Anonymous, before.Anonymous),
		RSS:       per(after.RSS, before.RSS),
	}
	r.User = r.Heap + r.Stack
	return r, nil
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

func read(c config) (memory, error) {
	var m memory
	if c.stats {
		if err := readStats(c.addr, &m); err != nil {
			return m, err
		}
	}
	kernel, err := proc.ReadMemory(c.pid)
	m.Anonymous, m.RSS = kernel.Anonymous, kernel.RSS
	return m, err
}

func readStats(addr string, m *memory) error {
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + addr + "/stats?gc=1")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("/stats: got status %s", resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(m); err != nil {
		return fmt.Errorf("/stats: %w", err)
	}
	if m.Heap == 0 {
		return fmt.Errorf("/stats has no heap_bytes")
	}
	return nil
}
