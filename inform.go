package weir

import (
	"fmt"

	"weir/http1"
)

// Inform sends an informational response ahead of the response (RFC 9110 15.2):
// 103 with Link fields for what the client will need, or another status from
// 102 to 199, as often as there is something to say. h may be nil. It is not
// sent to HTTP/1.0 clients, who do not know what it is. Once the head was sent
// it returns ErrHeadSent, above the high mark ErrBacklog; 100 is the server's
// to send, and 101 cannot be sent so.
func (w *Response) Inform(status int, h *Header) error {
	if status < 102 || status > 199 {
		return fmt.Errorf("weir: Inform with status %d: want 102 to 199", status)
	}
	if h == nil {
		h = new(Header)
	}
	if err := h.informs(); err != nil {
		return err
	}
	ex := w.ex
	l := ex.lock()
	switch err := l.state(); {
	case ex.out != &ex.res, err == nil && ex.final():
		l.unlock()
		return ErrHeadSent
	case err != nil:
		l.unlock()
		return err
	case ex.wire.Room() != nil:
		l.unlock()
		return ErrBacklog
	}
	ex.carrier.inform(l, status, h)
	l.flush()
	return nil
}

// informs returns an error if the fields are not for an informational response.
func (h *Header) informs() error {
	if h.err != nil {
		return h.err
	}
	for name := range h.All() {
		if http1.IsFraming(name) {
			return fmt.Errorf("%w: %s", ErrFramingField, name)
		}
	}
	return nil
}
