package nethttp

import "time"

// This file is what http.ResponseController finds in a response, but for Flush.

// EnableFullDuplex leaves the request body alone when the response begins. The
// connection can always do both.
func (w *response) EnableFullDuplex() error {
	w.duplex = true
	return nil
}

// SetReadDeadline ends calls of the request body's Read that begin after it.
func (w *response) SetReadDeadline(at time.Time) error {
	if w.body != nil {
		w.body.deadline.set(at)
	}
	return nil
}

// SetWriteDeadline ends calls of Write that begin after it. A response that is not
// complete by then is cut: by the call that waits, by the next one, or when the
// handler returns.
func (w *response) SetWriteDeadline(at time.Time) error {
	w.writes.set(at)
	return nil
}
