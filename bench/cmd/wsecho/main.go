// Command wsecho loads a server that echoes WebSocket messages.
//
//	wsecho -addr 127.0.0.1:8080 -pid 1234 -conns 64 -size 64 -window 5s
//	wsecho -addr 127.0.0.1:8080 -pid 1234 -conns 10000 -idle
//
// Each WebSocket has one message under way: the next is sent when the echo of
// the last has arrived, and was compared. With -idle each has one echo, and then
// rests: the server's memory is compared before and with them, from its own
// /stats?gc=1 and from the kernel. Kernel memory of the sockets is in neither.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"weir/bench/internal/load"
	"weir/bench/internal/memory"
	"weir/bench/internal/proc"
	"weir/bench/internal/stats"
)

// warmUp WebSockets come and go before memory is read for the first time, so
// that what a server allocates once does not count.
const warmUp = 200

type config struct {
	addr, path  string
	pid         int
	conns, size int
	window      time.Duration
	idle        bool
}

// report is what one echo cost.
type report struct {
	Messages   int     `json:"messages"`
	CPU        float64 `json:"cpu_us"` // of the server, a message
	Rate       float64 `json:"rate"`   // messages a second
	P50        float64 `json:"p50_us"` // from message to echo
	P99        float64 `json:"p99_us"`
	Writes     float64 `json:"writes"` // write(2) calls a message
	ClientBusy float64 `json:"client_busy"`
}

func main() {
	var c config
	flag.StringVar(&c.addr, "addr", "127.0.0.1:8080", "server, an IPv4 loopback `address`")
	flag.StringVar(&c.path, "path", "/ws", "`path` of the WebSocket")
	flag.IntVar(&c.pid, "pid", 0, "server `process`")
	flag.IntVar(&c.conns, "conns", 64, "WebSockets")
	flag.IntVar(&c.size, "size", 64, "bytes of a message")
	flag.DurationVar(&c.window, "window", 5*time.Second, "how long to count")
	flag.BoolVar(&c.idle, "idle", false, "measure the memory of idle WebSockets")
	flag.Parse()
	var out any
	var err error
	if c.idle {
		out, err = measureIdle(c)
	} else {
		out, err = measureEcho(c)
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "wsecho:", err)
		os.Exit(1)
	}
}

func measureEcho(c config) (report, error) {
	var r report
	err := hold(c, c.conns, func(client *load.Client, e *load.Echo) error {
		e.Start()
		if err := client.Poll(time.Now().Add(time.Second)); err != nil { // warm up
			return err
		}
		e.Times, e.Echoed = make([]float64, 0, 1<<20), 0
		meter, err := proc.Start(c.pid)
		if err != nil {
			return err
		}
		if err := client.Poll(time.Now().Add(c.window)); err != nil {
			return err
		}
		cost, err := meter.Stop()
		if err != nil {
			return err
		}
		if e.Echoed == 0 {
			return fmt.Errorf("no echo in %v", c.window)
		}
		times := stats.Sort(e.Times)
		r = report{
			Messages: e.Echoed, CPU: cost.Per(e.Echoed), Rate: float64(e.Echoed) / cost.Wall.Seconds(),
			P50: times.Median(), P99: times.Quantile(0.99),
			Writes: float64(cost.Writes) / float64(e.Echoed), ClientBusy: cost.Busy,
		}
		return nil
	})
	return r, err
}

func measureIdle(c config) (memory.PerConn, error) {
	var r memory.PerConn
	if err := hold(c, warmUp, func(*load.Client, *load.Echo) error { return nil }); err != nil {
		return r, err
	}
	before, err := memory.Read(c.addr, c.pid, true)
	if err != nil {
		return r, err
	}
	err = hold(c, c.conns, func(*load.Client, *load.Echo) error {
		after, err := memory.Read(c.addr, c.pid, true)
		r = memory.Per(c.conns, before, after)
		return err
	})
	return r, err
}

// hold opens n WebSockets, each with one echo, calls then, and closes them. One
// that fails or that the server closes is an error.
func hold(c config, n int, then func(*load.Client, *load.Echo) error) error {
	e := &load.Echo{Addr: c.addr, Path: c.path, Size: c.size, AtOnce: 32}
	client, err := load.New(c.addr, e)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := e.Open(client, n, time.Now().Add(time.Minute)); err != nil {
		return err
	}
	if err := then(client, e); err != nil {
		return err
	}
	if err := client.Poll(time.Now().Add(50 * time.Millisecond)); err != nil {
		return err
	}
	if e.Failed > 0 {
		return fmt.Errorf("%d of %d WebSockets failed: %w", e.Failed, n, e.First)
	}
	return nil
}
