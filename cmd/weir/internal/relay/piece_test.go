//go:build !race

package relay

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"

	"weir"
	"weir/cmd/weir/internal/upstream"
	"weir/internal/memloop"
)

// A piece that is relayed allocates nothing: it is read, looked at and written.
func TestAllocsPerRelayedPiece(t *testing.T) {
	kernel := memloop.New()
	ups := make(chan *memloop.Client, 1)
	const addr = "127.0.0.1:8000"
	defer kernel.Listen(addr, func(c *memloop.Client) { ups <- c })()
	u, err := upstream.New(context.Background(), upstream.Config{Name: "up", URL: "http://" + addr}, 1)
	if err != nil {
		t.Fatal(err)
	}
	mux := new(weir.Mux)
	mux.HandleInlineBody("POST /v1/chat/completions", newGateway(u))
	srv := &weir.Server{Handler: mux, Loops: 1, System: kernel, Logger: slog.New(slog.DiscardHandler)}
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, _ = srv.Shutdown(ctx) // at once
	}()

	client := kernel.Dial(srv.Reactor(), 0)
	defer client.Close()
	fmt.Fprintf(client, "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(ask), ask)
	up := <-ups
	if _, err := io.WriteString(up, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	const event = "data: {\"choices\":[{\"delta\":{\"content\":\" word\"}}]}\n\n"
	piece := fmt.Appendf(nil, "%x\r\n%s\r\n", len(event), event)
	buf := make([]byte, 4<<10)
	relay := func() {
		if _, err := up.Write(piece); err != nil {
			t.Fatal(err)
		}
		for got := 0; got < len(piece); { // the same chunk comes out
			n, err := client.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			got += n
		}
	}
	if _, err := up.Write(piece); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Read(buf); err != nil { // the head
		t.Fatal(err)
	}
	for range 100 {
		relay()
	}
	if n := testing.AllocsPerRun(1000, relay); n != 0 {
		t.Errorf("got %v allocations for a relayed piece, want 0", n)
	}
}
