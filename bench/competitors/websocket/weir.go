package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"weir"
	"weir/bench/internal/tour"
	"weir/ws"
)

// withWeir echoes on the event loops.
func withWeir(addr string) error {
	mux := new(weir.Mux)
	mux.HandleFunc("GET /plaintext", func(w *weir.Response, _ *weir.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.WriteString(tour.Hello)
	}).Inline()
	mux.HandleFunc("GET /stats", func(w *weir.Response, r *weir.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(tour.Stats(r.Query().Get("gc") == "1"))
	})
	echo := ws.OnMessage(func(c *ws.Conn, kind ws.Kind, p []byte) {
		_ = c.TrySend(kind, p) // a client that is behind is not read, so that there is room
	})
	mux.HandleLoop("GET /ws", ws.Handle(ws.Options{Inline: true}, func(*ws.Conn, *weir.Request) ws.Handler { return echo }))
	srv := &weir.Server{Handler: mux}
	if err := srv.Start(addr); err != nil {
		return err
	}
	ready(srv.Addrs()[0])
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	<-ctx.Done()
	srv.Reactor().Close()
	return nil
}
