package weir

import "sync/atomic"

// Switch is a Server.Handler that leads to a Mux, which can be replaced while
// the server runs: for routes that come from a configuration. A request is
// routed when its head is complete, and goes on with what it was routed to.
// Before the first Set there are no routes. It is safe for concurrent use.
type Switch struct {
	mux atomic.Pointer[Mux]
}

var nowhere = new(Mux)

// Set has further requests routed by m, which is not changed any more.
func (s *Switch) Set(m *Mux) { s.mux.Store(m) }

// Mux is the one that was set last.
func (s *Switch) Mux() *Mux {
	if m := s.mux.Load(); m != nil {
		return m
	}
	return nowhere
}

// Serve is Mux.Serve.
func (s *Switch) Serve(w *Response, r *Request) { s.Mux().Serve(w, r) }
