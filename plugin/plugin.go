// Package plugin is the registry of native handlers: compiled functions that
// serve requests and push tokens, registered under a name from an init
// function, as database drivers are with database/sql.
//
//	package myllm
//
//	func init() {
//		plugin.Register("myllm/generate", plugin.Handler{Stream: generate, Doc: "greedy decoding of tiny models"})
//	}
//
//	func generate(c plugin.Call, s plugin.Sink) error {
//		if err := s.SetHeader("Content-Type", "text/event-stream"); err != nil {
//			return err
//		}
//		for token := range decode(c.Body()) {
//			if err := s.Send(token); err != nil {
//				return err // the client has disconnected: free what the decoding holds
//			}
//		}
//		return nil
//	}
//
// A server mounts it by name: weir.Native("myllm/generate") in Go, native:
// myllm/generate in the gateway's configuration. A name that is not registered
// is an error when the server starts. A handler of WebSockets is mounted with
// ws.Native.
//
// This package has only the types, no sockets and no server: the server
// implements [Call], [Reply], [Sink] and [Socket]. Later versions may add methods to
// these interfaces, and fields to [Handler]: write Handler with field names,
// and embed the interface in a fake.
package plugin

import "errors"

// DefaultLimit is the number of concurrent calls of a handler that sets no
// limit of its own.
const DefaultLimit = 1000

// A Handler is a native handler. Exactly one of Unary, Stream and WebSocket is
// set.
//
// It runs off the event loops, on a goroutine of its own, and may block. It is
// called for at most Limit requests at the same time; the next one gets 503
// with Retry-After without a call. A panic ends only its own request, as a
// returned error does.
type Handler struct {
	// Unary responds with one body, which is sent with a Content-Length when
	// the function returns. If it returns an error nothing of the reply is
	// sent: the client gets a 500 without the error's text, and the server's
	// OnError gets the error.
	Unary func(c Call, r Reply) error

	// Stream responds piece by piece. Returning nil ends the stream as
	// [Sink.Close] does. Returning an error before the first chunk is a 500;
	// after it, the body is truncated, so that the client never takes the part
	// for the whole. To clients that do not want a stream, a handler sends one
	// chunk.
	Stream func(c Call, s Sink) error

	// WebSocket serves a WebSocket. It is called when the handshake is complete,
	// and returns what receives the messages, which may be nil for a handler
	// that only sends: s lives on after WebSocket has returned, until its end.
	// Returning an error closes it with code 1011, unless s.Close has been
	// called with another. A WebSocket counts against Limit until its end, and
	// until Receiver.Closed has returned.
	WebSocket func(c Call, s Socket) (Receiver, error)

	// Subprotocols are those that WebSocket speaks, the preferred one first
	// (RFC 6455 1.9). A client that offers none of them gets none.
	Subprotocols []string

	// Limit is the number of concurrent calls, over all routes that mount the
	// handler; 0 means DefaultLimit.
	Limit int

	// Doc describes in one line what the handler does, for listings.
	Doc string
}

// A Call is one request to a native handler. Use it only on the handler's
// goroutine and only until the handler returns. A []byte is valid until the
// handler returns; do not modify or retain it. A string is a copy and may be
// kept.
type Call interface {
	Method() string
	Path() []byte                 // as received, with percent escapes
	PathValue(name string) string // the route's wildcard, decoded, CR and LF among its bytes if the client sent %0D and %0A; "" if it has none of that name
	RawQuery() []byte             // without the "?"
	Query(name string) string     // the first value, decoded; "" if there is none
	Header(name string) string    // the first field of that name, any case; "" if there is none
	Body() []byte                 // whole, within the server's limit

	// Done is closed when the response is no longer wanted: the client has
	// disconnected, or the server aborts its requests at the end of a drain.
	// The channel itself may be kept and waited on by any goroutine.
	Done() <-chan struct{}
}

// Head is the head of the response before it is sent.
type Head interface {
	// SetStatus sets the status code; without it, it is 200. Once the head is
	// sent it has no effect, and the server may log that.
	SetStatus(code int)

	// SetHeader sets a field and replaces earlier ones of that name. It returns
	// an error if the head was sent, if name or value hold bytes that a field
	// must not have, or for a field that the server sets (Content-Length,
	// Transfer-Encoding, Connection, Date).
	SetHeader(name, value string) error
}

// A Reply is the response of a unary handler. Use it only on the handler's
// goroutine and only until the handler returns.
type Reply interface {
	Head

	// Write appends to the body, which the server keeps until the handler
	// returns; p may be reused at once. The server may bound the body: if p
	// does not fit, Write returns an error, and the handler returns that.
	Write(p []byte) (int, error)
}

// A Sink is the response of a stream handler. It is safe for concurrent use: a
// chunk is never torn, and the chunks of one goroutine arrive in its order. A
// handler waits for the goroutines it started before it returns. Late use is
// harmless all the same: after the end of the stream every method returns the
// same error or does nothing, and no byte reaches another stream.
type Sink interface {
	Head

	// Send writes one chunk, for a token stream one event. The first is sent
	// with the head, in one write. Above the server's high mark of pending
	// output Send waits until the client has read some. p may be reused when it
	// returns; an empty p sends nothing. The error is the Cause, or [ErrClosed]
	// after Close.
	Send(p []byte) error

	// TrySend is Send, but never waits: above the high mark it sends nothing
	// and returns [ErrBacklog].
	TrySend(p []byte) error

	// Flush sends what the server still holds back. Before the first chunk that
	// is the head: a handler whose first token is slow can so show the client
	// that the request was accepted; status and headers are then fixed. Send
	// needs no Flush after it.
	Flush() error

	// Cancelled reports whether the stream was ended from outside. It costs one
	// atomic load: call it before each step of a computation that has nothing
	// to send yet.
	Cancelled() bool

	// Done is closed when the stream has ended, for whatever reason.
	Done() <-chan struct{}

	// Cause returns why the stream ended: nil while it runs and if it is
	// complete. Test for the server's own errors (weir.ErrClientGone,
	// weir.ErrSlowClient, weir.ErrServerClosed) with errors.Is.
	Cause() error

	// Detach lets the stream continue after the handler has returned, until
	// Close or Abort is called: for a handler that hands its sinks to a decode
	// loop and returns at once. The call counts against [Handler].Limit until
	// the stream has ended. The Call must not be used after the handler has
	// returned.
	Detach()

	// Abort ends the stream as failed: with a 500 before the first chunk, else
	// with a truncated body, so that the client never takes the part for the
	// whole.
	Abort(cause error)

	// Close ends the stream properly: the client sees that it is complete. It
	// returns nil if the stream is complete, also when it is called again, and
	// otherwise the Cause.
	Close() error
}

var (
	// ErrBacklog is returned by [Sink.TrySend] and [Socket.TrySend] while the
	// client has not read enough of what was sent before. Nothing was sent, and
	// the stream continues: drop the chunk, or try later.
	ErrBacklog = errors.New("plugin: too much pending output")

	// ErrClosed is returned by Send, TrySend and Flush after [Sink.Close], after
	// the handler returned nil, and after [Socket.Close].
	ErrClosed = errors.New("plugin: stream is closed")
)
