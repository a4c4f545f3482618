// Package reactor runs non-blocking connections on event loops. It knows
// sockets, buffers and time, and no protocol.
//
// A Reactor has a few loops, each on its own goroutine. A connection belongs
// to one loop for life: its Handler is called there and nowhere else, and may
// not block. Only the write side, Output, may be used from every goroutine.
//
//	the kernel ── readable ──> Loop ──> Handler.Data(bytes)
//	           ── peer gone ─> Loop ──> Handler.PeerClosed, Closed(cause)
//	           <─ write(2) ─── Output <── any goroutine
//	           ── writable ──> Loop ──> Output flushes what was left
//
// Connections are registered once, edge-triggered, for reading, writing and
// the peer's departure. Reading pauses by not reading: the departure is still
// told. A turn is one call from the kernel's list of events, from the loop's
// tasks or from its timers; what handlers leave in outputs with Output.Defer
// during a turn is written at its end, one write a connection.
//
// The kernel itself is behind System and Poller, so that the same loops run on
// sockets and, in tests, on memory (package internal/memloop).
package reactor
