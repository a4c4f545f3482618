// Command decode is a model server without a model: each of its /tokens
// streams gets a numbered token an interval, in one of these ways.
//
//	batch     a decode loop feeds detached native handlers of weir by plugin.SendBatch
//	single    the same loop by a TrySend each
//	tickers   native handlers of weir, each a goroutine with a ticker, call Send
//	fed       the same loop feeds net/http handlers by channels; each writes and flushes
//	nethttp   net/http handlers, each with a ticker, write and flush
//
//	decode 127.0.0.1:0 batch
//
// The loop makes one token of every stream at the same moment, as a step of a
// model does; tickers spread them over the interval. /steps reports what the
// loop has done, /gone?n=10 responds when so many clients, of all that ever
// came, are known to have disconnected.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"weir/plugin"
)

// A way starts the server, for a decode loop or without one.
type way struct {
	send  func(items []plugin.Item) // of the decode loop; nil = there is none
	start func(s *server) (addr string, err error)
}

var ways = map[string]way{
	"batch":   {plugin.SendBatch, weirDetached},
	"single":  {sendSingle, weirDetached},
	"tickers": {nil, weirTickers},
	"fed":     {sendSingle, nethttpFed},
	"nethttp": {nil, nethttpTickers},
}

func main() {
	if len(os.Args) != 3 || ways[os.Args[2]].start == nil {
		fmt.Fprintln(os.Stderr, "usage: decode ADDRESS batch|single|tickers|fed|nethttp")
		os.Exit(2)
	}
	addr, err := start(os.Args[2], os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "decode:", err)
		os.Exit(1)
	}
	fmt.Printf("decode: ready on http://%s\n", addr)
	select {} // until it is killed
}

func start(name, addr string) (string, error) {
	w := ways[name]
	return w.start(&server{way: name, addr: addr, loop: newLoop(w.send)})
}

// server is what all ways have.
type server struct {
	way  string
	addr string // to listen on
	loop *loop
	left atomic.Int64 // clients whose handler's goroutine noticed that they disconnected
}

// patience is how long /gone waits for clients to disconnect.
const patience = 20 * time.Second

// answer returns the JSON of /steps and /gone, and nil for other paths.
func (s *server) answer(path string, query func(name string) string) []byte {
	var v any
	switch path {
	case "/steps":
		v = s.loop.report()
	case "/gone":
		n, err := strconv.Atoi(query("n"))
		if err != nil {
			return nil
		}
		v = map[string]int64{"at": s.awaitGone(n)}
	default:
		return nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // numbers always encode
	}
	return text
}

// awaitGone returns the time, in unix nanoseconds, at which n clients were
// known to have disconnected; 0 if it took too long.
func (s *server) awaitGone(n int) int64 {
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(time.Millisecond) {
		if s.gone() >= n {
			return time.Now().UnixNano()
		}
	}
	return 0
}

func (s *server) gone() int { return int(s.left.Load()) + s.loop.cancelled() }
