package h1

import (
	"errors"

	"weir/chunked"
)

// Why a request is refused, or ends. The package above exports them.
var (
	ErrTimeout      = errors.New("weir: request took too long to arrive")
	ErrBodyTooLarge = errors.New("weir: request body is too large")
	ErrBodiesFull   = errors.New("weir: memory for request bodies exhausted")
	ErrClientGone   = errors.New("weir: client disconnected")
	ErrServerClosed = errors.New("weir: server closed")
)

// bodyError is what an error of the decoder means.
func bodyError(err error) error {
	var framing *chunked.Error
	if errors.As(err, &framing) && framing.Status == 413 {
		return ErrBodyTooLarge
	}
	return err
}
