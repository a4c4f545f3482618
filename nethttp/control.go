package nethttp

import "time"

// This file has the methods of response for http.ResponseController, except
// Flush.

// EnableFullDuplex keeps the request body from being discarded when the
// response begins. The connection can always do both.
func (w *response) EnableFullDuplex() error {
	w.duplex = true
	return nil
}

// SetReadDeadline limits later calls of the request body's Read.
func (w *response) SetReadDeadline(at time.Time) error {
	if w.body != nil {
		w.body.deadline.set(at)
	}
	return nil
}

// SetWriteDeadline limits later calls of Write. A response that is not complete
// by then is aborted: by the call that waits, by the next one, or when the
// handler returns.
func (w *response) SetWriteDeadline(at time.Time) error {
	w.writes.set(at)
	return nil
}
