package tour

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/internal/patience"
)

func TestStats(t *testing.T) {
	s := start(t)
	s.get("/plaintext")
	s.get("/numbers")
	s.open("/clock?interval=1h")
	s.do("GET", "/fail", nil)
	r := s.get("/stats?gc=1")

	var names map[string]json.RawMessage
	var got figures
	for _, v := range []any{&names, &got} {
		if err := json.Unmarshal([]byte(r.body), v); err != nil {
			t.Fatalf("got %s: %v", r.body, err)
		}
	}
	want := strings.Fields("cancel_latency_us connections goroutines heap_bytes pending_bytes requests rss_bytes stack_bytes " +
		"streams_active streams_cancelled streams_failed streams_total")
	if keys := slices.Sorted(maps.Keys(names)); !slices.Equal(keys, want) {
		t.Errorf("got %q, want %q", keys, want)
	}
	if got.Connections < 2 || got.Requests != 5 || got.StreamsActive != 1 || got.StreamsTotal != 3 || got.StreamsCancelled != 0 || got.StreamsFailed != 1 {
		t.Errorf("got %+v, want 2 connections or more, 5 requests, 1 of 3 streams active, 1 failed", got)
	}
	if got.Goroutines < 2 || got.HeapBytes < 100_000 || got.StackBytes < 10_000 || got.RSSBytes < got.HeapBytes/2 {
		t.Errorf("got %+v, want figures of a process", got)
	}
	if names["cancel_latency_us"] == nil || !strings.Contains(string(names["cancel_latency_us"]), `"p50":0,"p99":0,"max":0`) {
		t.Errorf("got %s, want no latency yet", names["cancel_latency_us"])
	}
}

// A cancellation shows in the figures, with the time that it took to be told.
func TestStatsOfCancellation(t *testing.T) {
	s := start(t)
	c := s.raw("GET /clock?interval=1h HTTP/1.1\r\nHost: a\r\n\r\n")
	c.head()
	c.Close()
	for deadline := time.Now().Add(patience.Limit); ; {
		var got figures
		if err := json.Unmarshal([]byte(s.get("/stats").body), &got); err != nil {
			t.Fatal(err)
		}
		if l := got.CancelLatency; got.StreamsCancelled == 1 && got.StreamsActive == 0 && l.Max > 0 {
			if l.P50 <= 0 || l.P50 > l.P99 || l.P99 > l.Max || l.Max > 10e6 {
				t.Errorf("got the latency %+v, want 0 < p50 <= p99 <= max, in microseconds", l)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the client's departure is not counted")
		}
	}
}
