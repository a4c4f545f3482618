package client

import "errors"

var (
	// ErrCancelled is the end of a call that was cancelled.
	ErrCancelled = errors.New("client: call cancelled")
	// ErrConnect is the end of a call for which no connection could be made.
	ErrConnect = errors.New("client: cannot connect")
	// ErrNoAnswer is the end of a call whose connection closed before a byte
	// of the answer.
	ErrNoAnswer = errors.New("client: connection closed before the answer")
	// ErrTruncated is the end of a call whose connection closed inside the
	// answer.
	ErrTruncated = errors.New("client: connection closed inside the answer")
)

// Error is the end of a call by a failure of its connection.
type Error struct {
	Kind  error // ErrConnect, ErrNoAnswer or ErrTruncated
	Cause error // what the system said
}

func (e *Error) Error() string   { return e.Kind.Error() + ": " + e.Cause.Error() }
func (e *Error) Unwrap() []error { return []error{e.Kind, e.Cause} }
