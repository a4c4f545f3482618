package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// streamer answers with n events at once and [DONE] if done, the first after
// a delay.
func streamer(n int, done bool, delay time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		<-time.After(delay)
		for range n {
			fmt.Fprint(w, "data: {}\n\n")
		}
		if done {
			fmt.Fprint(w, "data: [DONE]\n\n")
		}
	}
}

func TestMeasure(t *testing.T) {
	const delay = 2 * time.Millisecond
	tests := []struct {
		name    string
		gateway http.Handler
		err     string
	}{
		{"slower by the delay", streamer(3, true, delay), ""},
		{"an event lacks", streamer(2, true, 0), "2 of 3 events"},
		{"no end", streamer(3, false, 0), "[DONE] false"},
		{"an error status", http.NotFoundHandler(), "status 404"},
		{"cut", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), "closed"},
	}
	upstream := httptest.NewServer(streamer(3, true, 0))
	defer upstream.Close()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			gateway := httptest.NewServer(tt.gateway)
			defer gateway.Close()
			out, err := measure(config{
				direct: strings.TrimPrefix(upstream.URL, "http://"), addr: strings.TrimPrefix(gateway.URL, "http://"),
				count: 5, events: 3, interval: time.Millisecond,
			})
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got %v, want an error with %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if out.Streams != 5 || out.P50 < micros(int64(delay)) || out.Gap < out.Max || out.DirectP50 <= 0 {
				t.Errorf("got %+v, want 5 streams of at least %v, no gap below the longest", out, delay)
			}
		})
	}
}

func TestPausesAreCounted(t *testing.T) {
	server := httptest.NewServer(streamer(1, true, ackDelay))
	defer server.Close()
	w, err := newWay(config{events: 1, interval: time.Millisecond}, strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.client.Close()
	if err := w.once(); err != nil {
		t.Fatal(err)
	}
	if w.paused != 1 || w.gap < int64(ackDelay) {
		t.Errorf("got %d pauses, longest gap %v; want 1 of at least %v", w.paused, time.Duration(w.gap), ackDelay)
	}
}

// A pause in which the processes waited for a CPU as long is the machine's.
func TestPausesAreExplained(t *testing.T) {
	tests := []struct {
		name            string
		waitedBefore    time.Duration // against 0 now, since no process is named
		paused, machine int
	}{
		{"nobody waited", 0, 1, 0},
		{"somebody waited", -time.Hour, 0, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := way{}
			if err := w.explain(ackDelay, tt.waitedBefore); err != nil {
				t.Fatal(err)
			}
			if w.paused != tt.paused || w.machine != tt.machine {
				t.Errorf("got %d pauses and %d of the machine's, want %d and %d", w.paused, w.machine, tt.paused, tt.machine)
			}
		})
	}
}
