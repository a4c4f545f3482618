package weir_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/plugin"
)

// benchSinks has the sinks that bench/decode is handed.
var benchSinks = make(chan plugin.Sink)

func init() {
	plugin.Register("bench/decode", plugin.Handler{Limit: 10_000, Stream: func(_ plugin.Call, s plugin.Sink) error {
		s.Detach()
		benchSinks <- s
		return nil
	}})
}

// A step of a decode loop, one token for each of n sinks on one loop over loopback sockets: by one SendBatch, and by a
// TrySend each.
//
//	ns/token    until the last client has its token
//	held        of that, for how long the decoding goroutine cannot compute
//	wakes       in a step: write(2) calls, since sockets are sent to by send(2)
func BenchmarkSendBatch(b *testing.B) {
	ways := []struct {
		name string
		send func(items []plugin.Item)
	}{
		{"batch", plugin.SendBatch},
		{"single", func(items []plugin.Item) {
			for i := range items {
				items[i].Err = items[i].Sink.TrySend(items[i].Data)
			}
		}},
	}
	for _, n := range []int{1, 10, 100, 1000, 5000} {
		for _, way := range ways {
			b.Run(fmt.Sprintf("%s/%d", way.name, n), func(b *testing.B) { benchmarkSteps(b, n, way.send) })
		}
	}
}

func benchmarkSteps(b *testing.B, n int, send func([]plugin.Item)) {
	const unread = 64 // steps that a client's socket holds
	d := openDecode(b, n)
	for range unread {
		d.step(b, send)
	}
	d.drain(b)
	d.held, d.took = 0, 0
	steps := 0
	for b.Loop() {
		d.step(b, send)
		if steps++; d.behind == unread {
			b.StopTimer()
			d.drain(b)
			b.StartTimer()
		}
	}
	held, took := d.held, d.took
	before := writeCalls(b)
	d.step(b, send)
	wakes := writeCalls(b) - before - 1 // one is for step's last line
	d.drain(b)
	tokens := float64(steps * n)
	b.ReportMetric(0, "ns/op") // with what is not of the step
	b.ReportMetric(float64(took)/tokens, "ns/token")
	b.ReportMetric(float64(held)/tokens, "held-ns/token")
	b.ReportMetric(float64(wakes), "wakes/step")
}

// decode is n detached streams, and the clients at their other ends.
type decode struct {
	srv     *weir.Server
	items   []plugin.Item
	clients []net.Conn
	behind  int // tokens that all clients but the last have not read
	buf     []byte

	held, took time.Duration // by sending; by all of the step
}

// token is what each stream is sent in each step, and how long it is with its framing.
var token = []byte(strings.Repeat("x", 200))

const frameSize = 200 + len("c8\r\n\r\n")

// step is over when the last client has its token, which is the last that the loop writes.
func (d *decode) step(b *testing.B, send func([]plugin.Item)) {
	begun := time.Now()
	send(d.items)
	d.held += time.Since(begun)
	d.read(b, d.clients[len(d.clients)-1], 1)
	d.took += time.Since(begun)
	d.behind++
	d.srv.Stats() // waits for the loop's turn: else it would write a part of the next step in this one
}

// drain has all the clients read what they have not read yet.
func (d *decode) drain(b *testing.B) {
	for i, c := range d.clients {
		if err := d.items[i].Err; err != nil {
			b.Fatal(err)
		}
		if i < len(d.clients)-1 {
			d.read(b, c, d.behind)
		}
	}
	d.behind = 0
}

func (d *decode) read(b *testing.B, c net.Conn, tokens int) {
	d.buf = slices.Grow(d.buf[:0], tokens*frameSize)
	if _, err := io.ReadFull(c, d.buf[:tokens*frameSize]); err != nil {
		b.Fatal(err)
	}
}

// openDecode starts a server and opens n detached streams, whose heads have been read.
func openDecode(b *testing.B, n int) *decode {
	m := new(weir.Mux)
	m.Handle("/s", weir.Native("bench/decode"))
	srv := &weir.Server{Handler: m, Loops: 1, Logger: slog.New(slog.DiscardHandler)}
	if err := srv.Start("127.0.0.1:0"); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, _ = srv.Shutdown(ctx) // cuts what runs, as it is told to
	})
	d := &decode{srv: srv}
	for range n {
		c, err := net.Dial("tcp", srv.Addrs()[0].String())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { c.Close() })
		if _, err := io.WriteString(c, getS); err != nil {
			b.Fatal(err)
		}
		item := plugin.Item{Sink: <-benchSinks, Data: token}
		if err := item.Sink.Flush(); err != nil {
			b.Fatal(err)
		}
		readHead(b, c)
		d.items, d.clients = append(d.items, item), append(d.clients, c)
	}
	return d
}

// readHead reads up to the empty line; nothing may follow it yet.
func readHead(b *testing.B, c net.Conn) {
	var head []byte
	buf := make([]byte, 1<<10)
	for !strings.HasSuffix(string(head), "\r\n\r\n") {
		n, err := c.Read(buf)
		if err != nil {
			b.Fatal(err)
		}
		head = append(head, buf[:n]...)
	}
}

// writeCalls is the number of this process's write(2) calls so far; 0 where the kernel does not count them.
func writeCalls(b *testing.B) int64 {
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if count, ok := strings.CutPrefix(line, "syscw: "); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(count), 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			return n
		}
	}
	return 0
}
