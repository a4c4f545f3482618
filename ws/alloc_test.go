//go:build !race && !invariants

package ws_test

import (
	"io"
	"log/slog"
	"strings"
	"testing"

	"weir"
	"weir/internal/memloop"
	"weir/ws"
)

// A message that is echoed allocates nothing; a goroutine that is started for it, what starting costs.
func TestAllocsPerEcho(t *testing.T) {
	for name, tt := range map[string]struct {
		message string
		at      int // where it is cut; 0 = nowhere
		way     string
		want    float64
	}{
		"small":        {binaryOf(strings.Repeat("x", 100)), 0, "inline", 0},
		"text":         {text(strings.Repeat("é", 50)), 0, "inline", 0},
		"large":        {binaryOf(strings.Repeat("x", 8000)), 0, "inline", 0},
		"in pieces":    {text(strings.Repeat("x", 100)), 20, "inline", 0},
		"head cut":     {text(strings.Repeat("x", 100)), 3, "inline", 0},
		"Accept":       {text(strings.Repeat("x", 100)), 0, "accept", 0},
		"Accept, long": {binaryOf(strings.Repeat("x", 8000)), 0, "accept", 0},
		"goroutine":    {text(strings.Repeat("x", 100)), 0, "goroutine", 1},
	} {
		t.Run(name, func(t *testing.T) {
			kernel := memloop.New()
			srv := &weir.Server{Handler: echoes(tt.way, ws.Options{}), Loops: 1, System: kernel, Logger: slog.New(slog.DiscardHandler)}
			if err := srv.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _, _ = srv.Shutdown(t.Context()) })
			c := kernel.Dial(srv.Reactor(), 0)
			defer c.Close()
			_, _ = io.WriteString(c, ask("/ws"))
			if _, err := io.ReadFull(c, make([]byte, len(switched()))); err != nil {
				t.Fatal(err)
			}
			pieces := [][]byte{[]byte(tt.message[:tt.at]), []byte(tt.message[tt.at:])}
			if tt.at == 0 {
				pieces = pieces[1:]
			}
			reply := make([]byte, len(tt.message)-4)
			run := func() {
				for _, p := range pieces {
					if _, err := c.Write(p); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := io.ReadFull(c, reply); err != nil {
					t.Fatal(err)
				}
			}
			for range 10 {
				run()
			}
			if n := testing.AllocsPerRun(1000, run); n > tt.want {
				t.Errorf("got %v allocations a message, want %v", n, tt.want)
			}
		})
	}
}
