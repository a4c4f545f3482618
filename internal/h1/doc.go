// Package h1 is the server's side of one HTTP/1.1 connection (RFC 9112): a
// state machine that makes no system call of its own, driven by its event loop.
// It parses heads, frames bodies in both directions, keeps every deadline, and
// decides when the connection ends and how.
//
//	reactor ──Data, PeerClosed, …──> Conn ──Begin, Serve, Cut, …──> Handler
//	        <──Buffer, Close, …─────      <──Head, Tail, Continue, …
//
// What a request means is not known here: that is the Handler's, the package
// above. A [Conn] serves one [Exchange] at a time; what is pipelined behind it
// stays unconsumed. A [Group] has the connections of one loop.
package h1
