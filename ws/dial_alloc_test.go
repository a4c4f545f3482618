//go:build !race && !invariants

package ws

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"weir/internal/memloop"
	"weir/reactor"
)

// A message that a client's inline handler echoes allocates nothing, its mask
// included.
func TestAllocsPerDialledEcho(t *testing.T) {
	for _, size := range []int{10, 100, 1000, 8000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			kernel, came := memloop.New(), make(chan *memloop.Client, 1)
			r, err := reactor.New(reactor.Config{Loops: 1, System: kernel, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			kernel.Listen("127.0.0.1:8000", func(c *memloop.Client) { came <- c })
			opened := make(chan error, 1)
			go func() {
				_, err := Dial(t.Context(), quayURL, &DialOptions{
					Options: Options{Inline: true}, Loop: r.Loops()[0],
					Handler: OnMessage(func(c *Conn, kind Kind, p []byte) { _ = c.TrySend(kind, p) }),
				})
				opened <- err
			}()
			server := <-came
			req, err := http.ReadRequest(bufio.NewReader(server))
			if err != nil {
				t.Fatal(err)
			}
			s := &shore{request: req}
			if _, err := io.WriteString(server, s.accepts()); err != nil {
				t.Fatal(err)
			}
			if err := <-opened; err != nil {
				t.Fatal(err)
			}
			message := []byte(serverFrame(0x82, strings.Repeat("x", size)))
			reply := make([]byte, len(message)+4)
			run := func() {
				if _, err := server.Write(message); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(server, reply); err != nil {
					t.Fatal(err)
				}
			}
			for range 10 {
				run()
			}
			if n := testing.AllocsPerRun(1000, run); n != 0 {
				t.Errorf("got %v allocations a message, want 0", n)
			}
		})
	}
}
