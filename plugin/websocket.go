package plugin

// MessageKind is what a WebSocket message holds. Its values are the opcodes of
// RFC 6455 11.8.
type MessageKind uint8

const (
	Text   MessageKind = 1 // UTF-8
	Binary MessageKind = 2
)

// A Socket is one WebSocket of a native handler. It is safe for concurrent use:
// messages are never mixed, and those of one goroutine arrive in its order. Late
// use is harmless: after the end every method returns the same error or does
// nothing, and no byte reaches another connection.
type Socket interface {
	// Send sends one message. Above the server's high mark of pending output it
	// waits until the client has read some. p may be reused when it returns. The
	// error is the Cause, or [ErrClosed] after Close. Text that is not UTF-8 is
	// an error, and sends nothing.
	Send(kind MessageKind, p []byte) error

	// TrySend is Send, but never waits: above the high mark it sends nothing
	// and returns [ErrBacklog].
	TrySend(kind MessageKind, p []byte) error

	// Close starts the closing handshake, behind what was sent: the client gets
	// the code and the reason, of at most 123 bytes of UTF-8, and what it still
	// sends is discarded. Codes are 1000 to 1003, 1007 to 1014, and 3000 to
	// 4999; another one, or a reason that is too long, is an error, and changes
	// nothing. It does not wait for the client. It returns nil also when it is
	// called again, and the Cause if the WebSocket had ended otherwise.
	Close(code int, reason string) error

	// Subprotocol returns the one of [Handler].Subprotocols that the client
	// offers too; "" if there is none.
	Subprotocol() string

	// Done is closed when the WebSocket has ended: nothing can be sent any more.
	Done() <-chan struct{}

	// Cause returns why it ended: nil while it runs and after Close. Test for
	// the server's own errors (weir.ErrClientGone, weir.ErrSlowClient,
	// weir.ErrServerClosed) with errors.Is.
	Cause() error
}

// A Receiver receives the messages of one WebSocket. Its methods are called one
// at a time, off the event loops, and may block: meanwhile the server reads
// little more from the client. Each call may be on another goroutine.
type Receiver interface {
	// Message is called with each message. p is valid until Message returns; do
	// not modify or retain it. Returning an error closes the WebSocket with code
	// 1011, and the server's log gets the error; then, as after a panic, only
	// Closed is called.
	Message(kind MessageKind, p []byte) error

	// Closed is called once, last: with the code and the reason of the first
	// Close, whichever side sent it, or 1005 if that had no code, or 1006 if the
	// connection ended without one.
	Closed(code int, reason string)
}

// WebSocket close codes (RFC 6455 7.4.1) that handlers use, and the two that
// stand for none in Receiver.Closed.
const (
	CloseNormal    = 1000
	CloseGoingAway = 1001
	ClosePolicy    = 1008 // a client that must not be here
	CloseTooBig    = 1009
	CloseFailed    = 1011 // an error of the handler
	CloseTryLater  = 1013

	CloseNoCode   = 1005
	CloseAbnormal = 1006
)
