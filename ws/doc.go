// Package ws serves WebSockets (RFC 6455) with compression of messages (RFC
// 7692) on weir's event loops.
//
// [Handle] is for connections that rest most of the time: they cost no goroutine
// and no buffer while nothing moves, and a [Handler] is called with each message.
// [Accept] is for a handler that is one goroutine for each connection, which
// reads and sends. Both are the same [Conn], with the same limits: a client that
// does not read holds up its own sender, and nobody else; one that sends faster
// than its handler takes is not read further.
//
//	mux.HandleLoop("GET /echo", ws.Handle(ws.Options{Inline: true}, func(c *ws.Conn, r *weir.Request) ws.Handler {
//		return ws.OnMessage(func(c *ws.Conn, kind ws.Kind, p []byte) { _ = c.TrySend(kind, p) })
//	}))
//
// A [Room] sends one message to many connections.
package ws
