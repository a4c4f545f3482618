package weir

import (
	"errors"
	"fmt"
	"net"

	"weir/chunked"
	"weir/http1"
	"weir/internal/h1"
	"weir/plugin"
	"weir/reactor"
)

var (
	// ErrClientGone is the cause of what ended because the client closed or
	// reset the connection.
	ErrClientGone = h1.ErrClientGone
	// ErrSlowClient is the cause of a stream whose client acknowledged no byte
	// for [Timeouts].WriteStall.
	ErrSlowClient = errors.New("weir: client stopped reading")
	// ErrServerClosed is the cause of requests and streams that a shutdown
	// aborted, and of requests that were refused because they came after its
	// grace.
	ErrServerClosed = h1.ErrServerClosed
	// ErrBacklog is returned by [Stream.TrySend] while the client's output is
	// above the high mark.
	ErrBacklog = fmt.Errorf("weir: client is behind: %w", plugin.ErrBacklog)
	// ErrNotReady is returned by a [Source] that has no chunk yet;
	// [Stream.Wake] makes the loop call it again.
	ErrNotReady = errors.New("weir: source is not ready")
	// ErrStreamEnded is returned by a [Stream] that was ended by Close or by
	// the return of its handler.
	ErrStreamEnded = fmt.Errorf("weir: stream has ended: %w", plugin.ErrClosed)
	// ErrBusy is the cause of a stream or request that was refused with 503
	// because a limit on concurrency was reached.
	ErrBusy = errors.New("weir: concurrency limit reached")
	// ErrNoBody is returned by a [Stream] whose response has no body: to a HEAD
	// request, or with status 204, 205 or 304. Its head is sent.
	ErrNoBody = errors.New("weir: response has no body")
	// ErrBodyTooLarge is the reason for a 413: the request body is above its
	// limit.
	ErrBodyTooLarge = h1.ErrBodyTooLarge
	// ErrBodiesFull is the reason for a 503: there was no room for the request
	// body within [Limits].Bodies.
	ErrBodiesFull = h1.ErrBodiesFull
	// ErrTimeout is the cause of a request that did not arrive in time.
	ErrTimeout = h1.ErrTimeout
	// ErrNotFound is the reason for a 404: no route has the request's path.
	ErrNotFound = errors.New("weir: no route matches the path")
	// ErrMethodNotAllowed is the reason for a 405: routes have the request's
	// path, but not its method. The response's Allow field lists theirs.
	ErrMethodNotAllowed = errors.New("weir: method not allowed for the path")
	// ErrNotImplemented is the reason for a 501: CONNECT, or a method that
	// neither a route nor RFC 9110 has.
	ErrNotImplemented = errors.New("weir: method is not implemented")
	// ErrBadPath is the reason for a 400: the path encodes a NUL, or cannot be
	// redirected to.
	ErrBadPath = errors.New("weir: bad path")
	// ErrNeedsLoop is the reason for a 500: a LoopHandler was reached by
	// nethttp.ToHTTP, and event loops could not be started.
	ErrNeedsLoop = errors.New("weir: there is no event loop for a LoopHandler")
	// ErrHeadSent is the error for a change of status or fields that comes too
	// late: they were sent, or fixed by [Stream.Heartbeat].
	ErrHeadSent = errors.New("weir: response head already sent")
	// ErrUpgrade is the error of [Response.Upgrade] if the connection cannot
	// switch to the protocol.
	ErrUpgrade = errors.New("weir: cannot switch protocols")
	// ErrPipeClosed is returned by a [Pipe] that was ended by Close or by the
	// return of its handler. It is an [ErrStreamEnded] and a [net.ErrClosed].
	ErrPipeClosed = fmt.Errorf("%w: %w", ErrStreamEnded, net.ErrClosed)
	// ErrAborted is the cause for [Stream.Abort] of a response that is aborted on
	// purpose: it is not logged. OnError and OnClose are called with it.
	ErrAborted = errors.New("weir: response aborted")
	// ErrField is the error for a header field that cannot be written.
	ErrField = errors.New("weir: header field cannot be written")
	// ErrFramingField is the error for a response's field that the server
	// writes itself, such as Content-Length or Transfer-Encoding. It is an
	// [ErrField].
	ErrFramingField = fmt.Errorf("%w: it is set by the server", ErrField)
	// ErrRedirect is the failure of a response that [Response.Redirect] gave a
	// status that is not a redirect's.
	ErrRedirect = errors.New("weir: status is not a redirect's: want one from 300 to 399, except 304")
	// ErrLength is the failure of a response whose body does not have the length
	// that was announced.
	ErrLength = errors.New("weir: response does not have the length that was announced")
	// ErrDate is the error for a Date that is not an IMF-fixdate (RFC 9110
	// 5.6.7).
	ErrDate = errors.New("weir: invalid Date: want an IMF-fixdate such as Sun, 06 Nov 1994 08:49:37 GMT")
	// ErrBlockingOnLoop is returned by methods that would block, when they are
	// called by a handler whose route is [Route.Inline].
	ErrBlockingOnLoop = errors.New("weir: would block the event loop; register the handler with Handle")
)

// PanicError is the failure of a response whose handler, or another function of
// the user, panicked.
type PanicError struct {
	What  string // what panicked: "handler", "source", …
	Value any    // of the panic
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("weir: %s panicked: %v", e.What, e.Value) }

// departure turns the reactor's cause for a connection's end into weir's, if it
// is not one of these.
func departure(cause error) error {
	switch {
	case errors.Is(cause, reactor.ErrPeerClosed):
		return ErrClientGone
	case errors.Is(cause, reactor.ErrStalled):
		return ErrSlowClient
	case errors.Is(cause, reactor.ErrStopped):
		return ErrServerClosed
	case errors.Is(cause, ErrServerClosed), errors.Is(cause, ErrTimeout), isDisconnect(cause):
		return cause
	}
	return fmt.Errorf("%w: %w", ErrClientGone, cause)
}

// isDisconnect reports whether an exchange was ended by its client.
func isDisconnect(cause error) bool {
	return errors.Is(cause, ErrClientGone) || errors.Is(cause, ErrSlowClient)
}

// statusOf returns the status of the response to a request that cannot be
// served.
func statusOf(err error) int {
	var (
		parse   *http1.ParseError
		framing *chunked.Error
	)
	switch {
	case errors.As(err, &parse):
		return parse.Status
	case errors.As(err, &framing):
		return framing.Status
	case errors.Is(err, ErrBodyTooLarge):
		return 413
	case errors.Is(err, ErrTimeout):
		return 408
	}
	return statusOfOwn(err)
}

// Which limit was reached, for the log.
var (
	errHandlersBusy = fmt.Errorf("%w: Limits.Handlers", ErrBusy)
	errStreamsBusy  = fmt.Errorf("%w: Limits.Streams", ErrBusy)
	errRouteBusy    = fmt.Errorf("%w: MaxStreams of the route", ErrBusy)
	errNativeBusy   = fmt.Errorf("%w: Limit of the native handler", ErrBusy)
)

// statusOfOwn returns the status of the response to a request whose handler has
// failed with err: 503 says that it may be sent again.
func statusOfOwn(err error) int {
	if errors.Is(err, ErrBusy) || errors.Is(err, ErrBodiesFull) || errors.Is(err, ErrServerClosed) {
		return 503
	}
	return 500
}
