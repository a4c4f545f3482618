package client

import (
	"fmt"

	"weir/http1"
	"weir/reactor"
)

// A Switcher is the [Receiver] of a request that offers to switch to another
// protocol (Request.Upgrade). Its methods are called on the call's loop. If the
// server does not switch, the call is like any other.
type Switcher interface {
	Receiver
	// Switched is called in place of Head, and of all that would follow, with
	// the head of the 101 response: h is valid until Switched returns. It
	// returns the handler whose the connection is from now on, and which gets
	// what has arrived behind the head, after Switched. The call has then ended
	// without Done: its methods do nothing. If Switched returns an error, the
	// connection is closed, and the call ends with it.
	Switched(h *http1.Response, c *reactor.Conn) (reactor.Handler, error)
}

// checkSwitch refuses a request that offers to switch to another protocol, but
// could not.
func checkSwitch(upgrade, more bool, recv Receiver) error {
	switch _, ok := recv.(Switcher); {
	case !upgrade:
		return nil
	case !ok:
		return fmt.Errorf("%w: it has Upgrade, and its Receiver is not a Switcher", ErrRequest)
	case more:
		return fmt.Errorf("%w: it has Upgrade and More; send the whole body with it", ErrRequest)
	}
	return nil
}

// handOn hands the connection to the other protocol's handler.
func (c *conn) handOn() {
	call := c.call
	h, err := call.recv.(Switcher).Switched(&c.head, c.rc)
	switch {
	case c.call == nil: // it has cancelled the call
	case err != nil:
		c.fail(err)
	default:
		c.call, c.recv, c.other = nil, nil, h
		call.over, call.conn = true, nil
		call.forget()
		c.rc.SetHandler(h)
		if call.paused {
			c.rc.Resume()
		}
	}
}
