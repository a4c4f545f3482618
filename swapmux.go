package weir

import "sync/atomic"

// A SwapMux is a [Handler] whose [Mux] can be replaced while the server runs,
// for routes that come from a configuration. A request is routed by the Mux
// that is current when its head is complete, and keeps its route. Before the
// first Set there are no routes. It is safe for concurrent use.
type SwapMux struct {
	mux atomic.Pointer[Mux]
}

var nowhere = new(Mux)

// Set makes later requests use m. Do not change m afterwards.
func (s *SwapMux) Set(m *Mux) { s.mux.Store(m) }

// Mux returns the Mux that was set last.
func (s *SwapMux) Mux() *Mux {
	if m := s.mux.Load(); m != nil {
		return m
	}
	return nowhere
}

// Serve calls [Mux.Serve] of the current Mux.
func (s *SwapMux) Serve(w *Response, r *Request) { s.Mux().Serve(w, r) }
