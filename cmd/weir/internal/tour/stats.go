package tour

import (
	"bytes"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"time"

	"weir"
)

// figures is the response of /stats.
type figures struct {
	Connections      int     `json:"connections"`
	Requests         uint64  `json:"requests"`
	StreamsActive    int64   `json:"streams_active"`
	StreamsTotal     uint64  `json:"streams_total"`
	StreamsCancelled uint64  `json:"streams_cancelled"`
	StreamsFailed    uint64  `json:"streams_failed"`
	CancelLatency    latency `json:"cancel_latency_us"` // from when the loop saw a disconnect to when the handler was notified
	Goroutines       int     `json:"goroutines"`
	HeapBytes        uint64  `json:"heap_bytes"`
	StackBytes       uint64  `json:"stack_bytes"`
	RSSBytes         uint64  `json:"rss_bytes"`     // 0 if the system does not report it
	PendingBytes     int64   `json:"pending_bytes"` // output that the kernel has not taken
}

// latency is in microseconds.
type latency struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// stats responds with what the server counts. gc=1 collects garbage first, for
// comparing memory.
func stats(srv *weir.Server) func(*weir.Response, *weir.Request) {
	return func(w *weir.Response, r *weir.Request) {
		q := queryOf(r)
		collect := q.flag("gc")
		if q.refused(w) {
			return
		}
		if collect {
			runtime.GC()
			runtime.GC() // also empties pools
		}
		setHeader(w, "Cache-Control", "no-store")
		w.JSON(200, gather(srv))
	}
}

func gather(srv *weir.Server) figures {
	st := srv.Stats()
	f := figures{
		Connections:      st.Connections,
		Requests:         st.Requests,
		StreamsActive:    st.StreamsActive,
		StreamsTotal:     st.StreamsTotal,
		StreamsCancelled: st.StreamsCancelled,
		StreamsFailed:    st.StreamsFailed,
		CancelLatency: latency{
			P50: microseconds(st.CancelLatency.P50),
			P99: microseconds(st.CancelLatency.P99),
			Max: microseconds(st.CancelLatency.Max),
		},
		Goroutines:   runtime.NumGoroutine(),
		RSSBytes:     resident(),
		PendingBytes: st.PendingBytes,
	}
	f.HeapBytes, f.StackBytes = memory()
	return f
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// memory is what heap and stacks occupy, read without stopping the world.
func memory() (heap, stacks uint64) {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/stacks:bytes"},
	}
	metrics.Read(samples)
	return samples[0].Value.Uint64() + samples[1].Value.Uint64(), samples[2].Value.Uint64()
}

// resident is the process's memory in RAM, from Linux's procfs
// (proc_pid_statm(5)).
func resident() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0 // not Linux
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseUint(string(fields[1]), 10, 64) // 0 if it is not a number
	return pages * uint64(os.Getpagesize())
}
