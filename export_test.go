package weir

import (
	"time"

	"weir/reactor"
)

// Histogram is the histogram behind Latency.
type Histogram = histogram

func (h *histogram) Add(d time.Duration) { h.add(d) }
func (h *histogram) Summary() Latency    { return h.summary() }

// Listed is the number of streams in the queue of what batches have the first loop write. For that loop only.
func Listed(s *Server) int { return s.shards[0].batched.len() }

// LoopOf is the event loop of a response.
func LoopOf(w *Response) *reactor.Loop { return w.ex.conn.Loop() }

// Secured is the reactor's side of a server's TLS.
func Secured(s *Server) *reactor.TLS { return s.tls }

// GroupParts is how many loops a group remembers.
func GroupParts(g *Group) int { return len(g.parts) }
