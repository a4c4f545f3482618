//go:build linux && !race && !invariants

package hub_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"syscall"
	"testing"

	"weir"
	"weir/hub"
)

// heap is what is in use after collections.
func heap() int64 {
	var m runtime.MemStats
	for range 3 { // what a pool holds goes with the second
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// T14. A subscriber that waits takes less than 1 KiB, with its connection. The clients are descriptors, which take
// nothing of this heap.
func TestMemoryOfASubscriber(t *testing.T) {
	const early, n = 100, 1000
	topics, err := hub.New(hub.Config{})
	if err != nil {
		t.Fatal(err)
	}
	m := new(weir.Mux)
	m.HandleFunc("GET /t", func(w *weir.Response, r *weir.Request) { topics.Serve(w, r, "t", nil) }).Inline()
	srv := &weir.Server{Handler: m, Logger: slog.New(slog.DiscardHandler)}
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, _ = srv.Shutdown(ctx) // cuts what runs, as it is told to
		_ = topics.Close()
	}()
	at := srv.Addrs()[0].(*net.TCPAddr)
	request := []byte("GET /t HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n\r\n")
	buf := make([]byte, 4<<10)
	clients := make([]int, 0, early+n)
	defer func() {
		for _, fd := range clients {
			_ = syscall.Close(fd)
		}
	}()
	subscribe := func() {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, fd)
		if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: at.Port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
			t.Fatal(err)
		}
		if _, err := syscall.Write(fd, request); err != nil {
			t.Fatal(err)
		}
		if k, err := syscall.Read(fd, buf); k <= 0 {
			t.Fatalf("got %d, %v, want a head", k, err)
		}
	}
	for range early { // what is allocated once
		subscribe()
	}
	before := heap()
	for range n {
		subscribe()
	}
	each := (heap() - before) / n
	t.Logf("%d bytes a subscriber", each)
	if each > 1024 {
		t.Errorf("got %d bytes a subscriber, want at most 1024", each)
	}
	if got := topics.Stats().Subscribers; got != early+n {
		t.Errorf("got %d subscribers, want %d", got, early+n)
	}
}

// T14. A topic that nobody uses takes less than 1 KiB beside what it keeps.
func TestMemoryOfATopic(t *testing.T) {
	const n = 20_000
	topics, err := hub.New(hub.Config{})
	if err != nil {
		t.Fatal(err)
	}
	before := heap()
	for i := range n {
		if _, err := topics.Publish(fmt.Sprint("topic", i), hub.Event{Data: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	kept := topics.Stats().Bytes
	each := (heap() - before - kept) / n
	t.Logf("%d bytes a topic beside the %d that it keeps", each, kept/n)
	if each > 1024 {
		t.Errorf("got %d bytes a topic, want at most 1024", each)
	}
	if got := topics.Stats().Topics; got != n {
		t.Errorf("got %d topics, want %d", got, n)
	}
	if err := topics.Close(); err != nil {
		t.Error(err)
	}
}
