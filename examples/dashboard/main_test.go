package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/hub"
	"weir/weirtest"
)

// start runs the dashboard on a server in memory.
func start(t *testing.T) *weirtest.Server {
	t.Helper()
	h, err := hub.New(hub.Config{})
	if err != nil {
		t.Fatal(err)
	}
	srv := &weir.Server{Handler: routes(h)}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	s := weirtest.Start(t, srv)
	go func() { ended <- publish(ctx, h, srv) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		_ = h.Close() // it returns the memory broker's nil
	})
	return s
}

// received returns the numbers that have arrived.
func received(t *testing.T, c *weirtest.Client) (all []numbers) {
	t.Helper()
	for line := range strings.Lines(c.Response().Body) {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			var n numbers
			if err := json.Unmarshal([]byte(data), &n); err != nil {
				t.Fatal(err)
			}
			all = append(all, n)
		}
	}
	return all
}

// Numbers arrive once a second, and who comes later has those of before at once.
func TestNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		first := s.Get("/numbers")
		s.Tick(10 * every)
		got := received(t, first)
		if len(got) != 10 {
			t.Fatalf("got %d, want 10", len(got))
		}
		for i, n := range got {
			if n.Connections != 1 || n.Streams != 1 || n.Goroutines == 0 || n.Heap <= 0 {
				t.Errorf("got %+v", n)
			}
			if i > 0 && n.Time-got[i-1].Time != every.Milliseconds() {
				t.Errorf("got times %d and %d", got[i-1].Time, n.Time)
			}
		}
		if n := len(received(t, s.Get("/numbers"))); n != 10 {
			t.Errorf("a later one got %d at once, want 10", n)
		}
		s.Tick(time.Second)
		if all := received(t, first); all[len(all)-1].Connections != 2 {
			t.Errorf("got %+v, want 2 connections", all[len(all)-1])
		}
	})
}

func TestPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		res := start(t).Get("/").Response()
		if res.Status != 200 || res.Body != string(page) || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
			t.Errorf("got %d, %d bytes of %s", res.Status, len(res.Body), res.Header.Get("Content-Type"))
		}
	})
}
