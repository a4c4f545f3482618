package nethttp

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"

	"weir"
	"weir/internal/hijack"
)

// Hijack lets the handler take over the connection, which is then its own, also
// when it has returned. The reader has what the client has sent behind its
// request, as has the connection.
//
// A handler that has called WriteHeader with 101 before, as for net/http some
// do, has sent the head with that; any other writes it itself.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, err := w.takeOver()
	if errors.Is(err, weir.ErrUpgrade) {
		err = fmt.Errorf("%w: %w", http.ErrNotSupported, err)
	}
	if err != nil {
		return nil, nil, err
	}
	w.hijacked = true
	return conn, bufio.NewReadWriter(bufio.NewReader(conn), bufio.NewWriter(conn)), nil
}

func (w *response) takeOver() (net.Conn, error) {
	switch {
	case w.hijacked:
		return nil, http.ErrHijacked
	case w.returned.Load():
		return nil, errReturned
	case !w.written:
		return hijack.Take(w.res)
	case w.status != http.StatusSwitchingProtocols, w.begun:
		return nil, errWritten
	}
	p, err := w.res.Upgrade(w.header.Get("Upgrade"))
	if err != nil {
		return nil, err
	}
	p.Detach()
	return p, nil
}

var errWritten = fmt.Errorf("%w: Hijack after WriteHeader, unless with 101, or after Write", http.ErrNotSupported)
