//go:build !race && !invariants

package relay

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"

	"weir"
	"weir/cmd/weir/internal/upstream"
	"weir/internal/memloop"
)

// inMemory is a gateway in front of an upstream that the test is, and a client.
func inMemory(t testing.TB) (client *memloop.Client, ups <-chan *memloop.Client) {
	t.Helper()
	client, ups, _ = inMemoryModel(t)
	return client, ups
}

// inMemoryModel is inMemory with the model, which may be changed before it is
// asked for.
func inMemoryModel(t testing.TB) (client *memloop.Client, ups <-chan *memloop.Client, model *Model) {
	t.Helper()
	kernel := memloop.New()
	came := make(chan *memloop.Client, 1)
	const addr = "127.0.0.1:8000"
	t.Cleanup(kernel.Listen(addr, func(c *memloop.Client) { came <- c }))
	u := upstream.New(upstream.Config{Name: "up", Endpoint: at("http://" + addr)})
	mux := new(weir.Mux)
	g := newGateway(u)
	mux.HandleLoop("POST /v1/chat/completions", g.At(chat))
	srv := &weir.Server{Handler: mux, Loops: 1, System: kernel, Logger: slog.New(slog.DiscardHandler)}
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, _ = srv.Shutdown(ctx) // at once
	})
	client = kernel.Dial(srv.Reactor(), 0)
	t.Cleanup(func() { _ = client.Close() })
	return client, came, g.Models["m"]
}

// A piece that is relayed allocates nothing: it is read, looked at and written.
func TestAllocsPerRelayedPiece(t *testing.T) {
	client, ups := inMemory(t)
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

// relayedRequest makes connections in memory and returns a function that relays
// one request and its response over them.
func relayedRequest(t testing.TB) (relay func()) {
	t.Helper()
	client, ups := inMemory(t)
	request := fmt.Appendf(nil, "POST /v1/chat/completions?a=b HTTP/1.1\r\nHost: a\r\nX-Request-Id: 7\r\nContent-Length: %d\r\n\r\n%s", len(ask), ask)
	response := []byte("HTTP/1.1 200 OK\r\nServer: up\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}")
	buf := make([]byte, 4<<10)
	var up *memloop.Client
	relay = func() {
		if _, err := client.Write(request); err != nil {
			t.Fatal(err)
		}
		if up == nil {
			up = <-ups
		}
		if _, err := up.Read(buf); err != nil {
			t.Fatal(err)
		}
		if _, err := up.Write(response); err != nil {
			t.Fatal(err)
		}
		if n, err := client.Read(buf); err != nil || !bytes.HasSuffix(buf[:n], []byte(`{"a":1}`)) {
			t.Fatalf("got %q, %v", buf[:n], err)
		}
	}
	for range 10 {
		relay()
	}
	return relay
}

// A whole request on connections that were used before allocates the call to
// the upstream and the texts that differ each time.
func TestAllocsPerRelayedRequest(t *testing.T) {
	if n := testing.AllocsPerRun(500, relayedRequest(t)); n > 6 {
		t.Errorf("got %v allocations for a relayed request, want 6 at most", n)
	}
}

// What a whole request costs in memory, without the system calls.
func BenchmarkRelayedRequest(b *testing.B) {
	relay := relayedRequest(b)
	b.ReportAllocs()
	for b.Loop() {
		relay()
	}
}
