package client

import "net/http"

// What tests outside of the package may see of it.
const MaxInterim = maxInterim

var (
	ErrSwitched = errSwitched
	ErrInterim  = errInterim
)

// Answering is a connection that has seen this head of an answer, and that is
// not on a loop: what it reads of the body must leave it open.
func Answering(recv Receiver, head string) (data func(p []byte) (consumed int)) {
	c := &conn{pool: new(Pool), recv: recv, phase: phaseHead}
	c.call = &Call{conn: c, recv: recv, req: RawRequest{Method: "GET"}}
	c.Data([]byte(head))
	return c.Data
}

// Transport is what makes the calls of an Origin that do not stay on their loop.
func (o *Origin) Transport() *http.Transport { return o.newTransport() }
