// Package reactor runs non-blocking connections on event loops. It knows
// sockets, buffers and time, and no protocol.
//
// A [Reactor] has a few loops, each on its own goroutine. A connection belongs
// to one [Loop] for life: its [Handler] is called there and nowhere else, and
// must not block. Only the write side of a [Conn] is safe for concurrent use.
//
//	the kernel ── readable ──> Loop ──> Handler.Data(bytes)
//	           ── peer end ──> Loop ──> Handler.PeerClosed, Closed(cause)
//	           <─ write(2) ─── Conn.Flush <── any goroutine
//	           ── writable ──> Loop ──> writes what was left
//
// Connections are registered once, edge-triggered, for reading, writing and the
// peer's end. Reading pauses by not reading: the peer's end is still reported.
// A turn is one call of the loop, by an event of the kernel, by the tasks that
// were posted, or by its timers; what handlers leave with [Conn.Defer] during a
// turn is written at its end, one write a connection.
//
// A connection of [Reactor.ListenTLS] speaks TLS: crypto/tls stands between the
// connection and its Handler (secure.go), with no goroutine once the handshake
// is complete.
//
// The kernel itself is behind [System] and [Poller], so that the same loops run
// on sockets and, in tests, on memory (package internal/memloop).
package reactor
