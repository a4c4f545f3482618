package weir

import "time"

// Histogram is the histogram behind Latency.
type Histogram = histogram

func (h *histogram) Add(d time.Duration) { h.add(d) }
func (h *histogram) Summary() Latency    { return h.summary() }
