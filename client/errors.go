package client

import "errors"

var (
	// ErrCancelled is the end of a call that was cancelled.
	ErrCancelled = errors.New("client: call cancelled")
	// ErrConnect is the end of a call for which no connection could be made.
	ErrConnect = errors.New("client: cannot connect")
	// ErrNoResponse is the end of a call whose connection closed before a byte
	// of the response.
	ErrNoResponse = errors.New("client: connection closed before the response")
	// ErrTruncated is the end of a call whose connection closed inside the
	// response.
	ErrTruncated = errors.New("client: connection closed inside the response")
	// ErrBodySize is the end of a call whose response has a body over
	// Config.BodySize.
	ErrBodySize = errors.New("client: response body over the limit")

	// ErrLength is the end of a call whose request body was longer or shorter
	// than Request.Length.
	ErrLength = errors.New("client: request body is not as long as announced")
	// ErrRequest is returned by [Origin.Do] for a Request that cannot be sent.
	ErrRequest = errors.New("client: request cannot be sent")

	errSlow     = errors.New("client: address did not accept the connection in time")
	errSwitched = errors.New("client: upstream switched protocols unasked")
	errInterim  = errors.New("client: too many interim responses")
)

// Error is the end of a call by a failure that has a cause of its own;
// errors.Is finds both. Responses that break the protocol end with an
// *http1.ParseError or a *chunked.Error instead.
type Error struct {
	Kind  error // ErrConnect, ErrNoResponse, ErrTruncated or ErrBodySize
	Cause error // what the system, or the decoder, reported
}

func (e *Error) Error() string   { return e.Kind.Error() + ": " + e.Cause.Error() }
func (e *Error) Unwrap() []error { return []error{e.Kind, e.Cause} }
