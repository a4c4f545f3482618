package h1

import (
	"time"

	"weir/chunked"
	"weir/http1"
)

// An Exchange is one request and its response, as far as their connection knows
// them. It is a part of what the package above knows of them.
type Exchange struct {
	up      Handler
	request *http1.Request

	// The loop's.
	decoder   *chunked.Decoder // of the request body; nil before the first in chunks
	body      Body             // nil if it is not wanted
	left      int64
	received  int64     // framing included
	due       time.Time // when more of the body must have come, see earn
	ahead     int       // bytes of a TLS record that have earned before they were shown
	pause     time.Time // since when the handler has been behind; zero: it is not
	peerEnded bool      // Tunnel.End was called
	sealed    bool      // the response was made on the loop, and is complete: nothing else will notify it
	full      bool      // sealed: ... and its client is behind

	// Guarded by the output's lock.
	last     bool      // the connection ends with this response
	unread   bool      // the request body has not arrived whole
	tunnel   Tunnel    // what the connection is for behind the response; nil = the next request
	awaited  bool      // the loop is to be notified when the response is complete
	Ended    time.Time // of the response; valid when it is over
	Progress           // of the response; last, to be near what the package above has for each chunk
}

// Init makes x the exchange of up, once; request is where the connection puts
// the head.
func (x *Exchange) Init(up Handler, request *http1.Request) { x.up, x.request = up, request }

// Reset prepares x for the next request.
func (x *Exchange) Reset() {
	x.Progress = Progress{} // nobody else has it
	x.last, x.unread, x.awaited, x.sealed, x.full = false, false, false, false, false
	if !x.due.IsZero() { // there was a body
		x.body, x.left, x.received, x.due, x.ahead, x.pause = nil, 0, 0, time.Time{}, 0, time.Time{}
	}
	x.tunnel, x.peerEnded = nil, false
}

// Sealed reports whether Conn.Leave was called when the response was complete.
// On the loop.
func (x *Exchange) Sealed() bool { return x.sealed }

// Arrived reports whether nothing of the request is still to come. On the loop.
func (x *Exchange) Arrived() bool { return x.left <= 0 && !x.unread }

// A Handler is an exchange above HTTP/1.1. Its methods are called on the loop
// of the connection, without the output's lock.
//
//	Begin ──> Plan ──> Serve ──> Done
//
// Plan is only for requests with a body. Refuse may take the place of any, and
// after Cut or Closed comes none.
type Handler interface {
	// Begin is called when the head of the request is complete. raw is valid
	// until the loop's turn ends. It reports whether the request is to be
	// served; if not, it has its response, or will have. An error refuses it.
	Begin(raw []byte, hasBody bool) (served bool, err error)
	// Plan decides what becomes of the body. whole reports whether all of it is
	// here, ask that the client waits for 100 Continue. An error refuses the
	// request.
	Plan(whole, ask bool) (Plan, error)
	// Serve has the request served: on the loop, with a call of Conn.Leave
	// behind it, or, as left reports, on another goroutine, which does not
	// notify the loop when it is done. An error refuses the request, whose
	// connection may stay.
	Serve() (left bool, err error)
	// Refuse makes err the response. It returns false if another has begun, and
	// is not complete.
	Refuse(err error) (refused bool)
	// Drained is called when a client that was behind has caught up.
	Drained()
	// Draining is called when requests begin to be refused, while the response
	// is not complete.
	Draining()
	// Streaming reports whether a client that sends no more counts as
	// disconnected from its response.
	Streaming() bool
	// Depart notifies the handler that the client sends no more, while its
	// response is still delivered.
	Depart()
	// Cut ends the exchange: nothing more is written.
	Cut(cause error)
	// Shows reports whether the client sees that the response is not whole when
	// the connection is now closed gracefully.
	Shows(cause error) bool
	// Report is called behind Cut, when the connection is closing.
	Report()
	// Closed is Cut and Report for a connection that has ended.
	Closed(cause error)
	// Done is the last call, for a complete response.
	Done()
}

// A Plan is what becomes of a request body.
type Plan struct {
	Body    Body                     // nil: it is not wanted, Serve is called at once
	AtHead  bool                     // Serve is called at once, else it is the Body's to call Conn.Serve
	Limit   int64                    // bytes; 0 = none
	Trailer func(name, value []byte) // see chunked.Decoder
}

// A Body takes the body of a request. On the loop.
type Body interface {
	// Take takes a piece, valid until it returns. It reports false if there is
	// no room for it.
	Take(p []byte) (ok bool)
	// End is called behind the last piece,
	End()
	// and Drop in its place, if the rest of the body will not come.
	Drop()
}
