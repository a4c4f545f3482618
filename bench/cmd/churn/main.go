// Command churn measures what a short connection costs a server: connect, one
// GET, read the response, close, the client closing first.
//
//	churn -addr 127.0.0.1:8080 -pid 1234 -window 3s
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"weir/bench/internal/load"
	"weir/bench/internal/proc"
	"weir/bench/internal/stats"
)

// At most so many connections in one run: more would meet its own TIME_WAIT
// ports.
const most = 1_000_000

// report holds microseconds.
type report struct {
	Conns      int     `json:"conns"`
	CPU        float64 `json:"cpu_us"` // of the server, per connection
	P50        float64 `json:"p50_us"` // connect to end of response
	P99        float64 `json:"p99_us"`
	ClientBusy float64 `json:"client_busy"`
	Incomplete int     `json:"incomplete"`
	FirstError string  `json:"first_error"`
}

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "server, an IPv4 loopback `address`")
	pid := flag.Int("pid", 0, "server `process`")
	path := flag.String("path", "/plaintext", "what to GET")
	atOnce := flag.Int("at-once", 16, "connections at a time")
	window := flag.Duration("window", 3*time.Second, "measured time")
	flag.Parse()
	runtime.LockOSThread()
	debug.SetGCPercent(400) // every connection is garbage; collect now and then
	out, err := measure(*addr, *pid, *path, *atOnce, *window)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "churn:", err)
		os.Exit(1)
	}
	if out.Incomplete > 0 {
		os.Exit(1)
	}
}

func measure(addr string, pid int, path string, atOnce int, window time.Duration) (report, error) {
	u := &load.Unary{Request: load.Get(addr, path), AtOnce: atOnce, CloseAfter: true}
	client, err := load.New(addr, u)
	if err != nil {
		return report{}, err
	}
	defer client.Close()
	if err := u.Run(client, 500, time.Now().Add(window)); err != nil { // warm up
		return report{}, err
	}
	warm := u.Done
	u.Times = nil
	meter, err := proc.Start(pid)
	if err != nil {
		return report{}, err
	}
	if err := u.Run(client, most, meter.Begun().Add(window)); err != nil {
		return report{}, err
	}
	cost, err := meter.Stop()
	if err != nil {
		return report{}, err
	}
	times := stats.Sort(u.Times)
	out := report{
		Conns:      u.Done - warm,
		CPU:        cost.Per(u.Done - warm),
		P50:        times.Quantile(0.50),
		P99:        times.Quantile(0.99),
		ClientBusy: cost.Busy,
		Incomplete: u.Failed,
	}
	if u.First != nil {
		out.FirstError = u.First.Error()
	}
	return out, nil
}
