// Package plugin is the registry of native handlers: compiled functions that answer requests and push tokens,
// registered under a name from an init function, as database drivers are with database/sql.
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
//				return err // the client has left: free what the decoding holds
//			}
//		}
//		return nil
//	}
//
// A server mounts it by name: weir.Native("myllm/generate") in Go, native: myllm/generate in the gateway's
// configuration. A name that nobody registered is an error when the server starts.
//
// This package has the words only, no sockets and no server: the server implements [Call], [Reply] and [Sink]. Methods may be added to
// these interfaces, and fields to [Handler], as the server learns more: write Handler with field names, and embed the
// interface in a fake.
package plugin

import "errors"

// DefaultLimit is the number of concurrent calls of a handler that sets no limit of its own.
const DefaultLimit = 1000

// Handler is a native handler. Exactly one of Unary and Stream is set.
//
// Either runs off the event loops, on a goroutine of its own, and may block. It runs for many requests at the same
// time, at most Limit of them; the next one is answered 503 with Retry-After without being called. A panic ends its
// own request only, as an error that is returned does.
type Handler struct {
	// Unary answers with one body, which leaves with a Content-Length when the function returns. With an error nothing
	// of the reply is sent: the client gets a 500 without the error's text, the server's OnError gets the error.
	Unary func(c Call, r Reply) error

	// Stream answers piece by piece. Returning nil ends the stream as Sink.Close does. Returning an error before the
	// first chunk is a 500; after it, the connection is cut, so that the client never takes the part for the whole. A
	// handler that serves clients who want no stream sends them one chunk.
	Stream func(c Call, s Sink) error

	// Limit is the number of concurrent calls, over all routes that mount the handler; 0 means DefaultLimit.
	Limit int

	// Doc says in one line what the handler does, for listings.
	Doc string
}

// Call is one request to a native handler. Only the handler's goroutine uses it, and only until the handler returns.
// A []byte is a view, not to be changed and valid until the handler returns; a string is a copy and may be kept.
type Call interface {
	Method() string
	Path() []byte                 // as it came, percent escapes and all
	PathValue(name string) string // the route's wildcard, decoded, CR and LF among its bytes if the client sent %0D and %0A; "" if it has none of that name
	RawQuery() []byte             // without the "?"
	Query(name string) string     // the first value, decoded; "" if there is none
	Header(name string) string    // the first field of that name, any case; "" if there is none
	Body() []byte                 // whole, within the server's limit

	// Done is closed when nobody waits for the answer any more: the client has left, or the server cuts its requests at
	// the end of a drain. The channel itself may be kept and waited on from any goroutine.
	Done() <-chan struct{}
}

// Head is the head of the answer, while it is still to come.
type Head interface {
	// SetStatus sets the status code; without it, it is 200. Once the head has left it does nothing, and the server may log that.
	SetStatus(code int)

	// SetHeader sets a field and replaces earlier ones of that name. It is an error if the head has left, if name or
	// value hold bytes that a field must not have, or for a field that is the server's own (Content-Length,
	// Transfer-Encoding, Connection, Date).
	SetHeader(name, value string) error
}

// Reply is the answer of a unary handler. Only the handler's goroutine uses it, and only until the handler returns.
type Reply interface {
	Head

	// Write appends to the body, which the server keeps until the handler returns; p may be used again at once. The
	// server may bound the body: what does not fit is an error, and the handler returns it.
	Write(p []byte) (int, error)
}

// Sink is the answer of a stream handler. Each method may be called from any goroutine, also by several at a time:
// a chunk is never torn, and the chunks of one goroutine arrive in its order. A handler waits for the goroutines it
// started before it returns. Late use is harmless all the same: after the end of the stream every method gives the
// same error or does nothing, and no byte reaches another stream.
type Sink interface {
	Head

	// Send writes one chunk, for a token stream one event. The first takes the head along, in one write. Above the
	// server's high mark of pending output it waits until the client has taken some. p may be used again on return;
	// an empty p sends nothing. It fails with what Cause says, or with ErrClosed after Close.
	Send(p []byte) error

	// TrySend is Send, but never waits: above the high mark it sends nothing and returns ErrBacklog.
	TrySend(p []byte) error

	// Flush sends what the server still holds back. Before the first chunk that is the head: a handler whose first
	// token is slow can so tell the client that the request was accepted; status and headers are then fixed. Send needs
	// no Flush after it.
	Flush() error

	// Cancelled reports whether the stream was ended from outside. It costs one atomic load: ask it before each step
	// of a computation that has nothing to send yet.
	Cancelled() bool

	// Done is closed when the stream has ended, however it did.
	Done() <-chan struct{}

	// Cause says why the stream ended: nil while it runs and after a proper end. The server's own errors
	// (weir.ErrClientGone, weir.ErrSlowClient, weir.ErrServerClosed) are found with errors.Is.
	Cause() error

	// Detach lets the handler return and the stream live on, until somebody calls Close or Abort: for a handler that
	// hands its sinks to a decode loop and returns at once. The call counts against Handler.Limit until the stream has
	// ended. The Call is not to be used after the handler has returned.
	Detach()

	// Abort ends the stream as failed: with a 500 before the first chunk, else by cutting the connection, so that the
	// client never takes the part for the whole.
	Abort(cause error)

	// Close ends the stream properly: the client sees that it is complete. It returns nil if the end is on its way, also
	// the second time, and otherwise the Cause.
	Close() error
}

var (
	// ErrBacklog is what TrySend returns while the client has not taken enough of what was sent before. The chunk was
	// not sent, the stream lives on: drop the chunk, or try later.
	ErrBacklog = errors.New("plugin: too much pending output")

	// ErrClosed is what Send, TrySend and Flush return after Close, or after the handler returned nil.
	ErrClosed = errors.New("plugin: stream is closed")
)
