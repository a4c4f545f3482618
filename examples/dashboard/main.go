// Command dashboard shows live numbers of its own process in a browser. They are
// published to a topic once a second, however many look at them, and who comes later
// sees the last minutes at once.
//
//	dashboard [-listen ADDRESS]
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/metrics"
	"syscall"
	"time"

	"weir"
	"weir/hub"
)

const (
	topic = "numbers"
	every = time.Second
)

//go:embed page.html
var page []byte

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "`address` to listen on")
	flag.Parse()
	if err := run(*listen); err != nil {
		fmt.Fprintln(os.Stderr, "dashboard:", err)
		os.Exit(1)
	}
}

// run serves until SIGINT or SIGTERM, and then drains.
func run(listen string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	h, err := hub.New(hub.Config{})
	if err != nil {
		return err
	}
	defer h.Close()
	srv := &weir.Server{Handler: routes(h)}
	if err := srv.Start(listen); err != nil {
		return err
	}
	fmt.Printf("dashboard: http://%s\n", srv.Addrs()[0])
	if err := publish(ctx, h, srv); err != nil {
		return err
	}
	_, err = srv.Shutdown(context.Background())
	return err
}

func routes(h *hub.Hub) *weir.Mux {
	mux := new(weir.Mux)
	mux.HandleFunc("GET /{$}", func(w *weir.Response, r *weir.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'self'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'")
		w.Write(page)
	}).Inline()
	mux.HandleFunc("GET /numbers", func(w *weir.Response, r *weir.Request) {
		h.Serve(w, r, topic, &hub.Options{All: true})
	}).Inline()
	return mux
}

// publish publishes the numbers of a server until ctx is done.
func publish(ctx context.Context, h *hub.Hub, srv *weir.Server) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	before := uint64(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			n := measure(now, srv.Stats(), before)
			before = n.total
			data, err := json.Marshal(n)
			if err == nil {
				_, err = h.Publish(topic, hub.Event{Data: data})
			}
			if err != nil {
				return err
			}
		}
	}
}

// numbers are what the page shows.
type numbers struct {
	Time        int64   `json:"time"`     // ms since 1970
	Requests    uint64  `json:"requests"` // since the last ones
	Connections int     `json:"connections"`
	Streams     int64   `json:"streams"`
	Goroutines  uint64  `json:"goroutines"`
	Heap        float64 `json:"heap"` // MiB

	total uint64 // requests since the start
}

func measure(now time.Time, s weir.Stats, before uint64) numbers {
	samples := []metrics.Sample{{Name: "/sched/goroutines:goroutines"}, {Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(samples)
	return numbers{
		Time: now.UnixMilli(), Requests: s.Requests - before, Connections: s.Connections, Streams: s.StreamsActive,
		Goroutines: samples[0].Value.Uint64(), Heap: float64(samples[1].Value.Uint64()) / (1 << 20), total: s.Requests,
	}
}
