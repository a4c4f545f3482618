// Package guest is the door by which another HTTP server brings requests to
// weir's handlers. It names what the two sides need of each other, so that
// neither is in the other's API: the root package sets New, nethttp calls it.
package guest

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"
)

// A Request is a request that another server has received.
type Request struct {
	Head     []byte               // as HTTP/1.1, with its empty line; not modified while the request lasts
	Proto    string               // as net/http names it
	Remote   netip.AddrPort       // zero if it is not known
	Local    net.Addr             // may be nil
	TLS      *tls.ConnectionState // nil in the clear
	Body     io.Reader            // decoded; nil if there is none
	Done     <-chan struct{}      // closed when the client has disconnected
	Trailer  func() []Field       // those behind Body, once it has ended; nil = there are none
	ReadBy   func(time.Time)      // bounds the reads of Body, safe for concurrent use; nil = cannot
	Draining <-chan struct{}      // closed when the other server shuts down; nil = weir's own does
	Response Response
}

// Response is where the response goes. It is used only by the goroutine that
// called Serve, in the order of its methods. Head is called once at most, and
// nothing is if there is no response.
type Response interface {
	// Inform sends an informational response ahead of the head.
	Inform(in *Inform)
	Head(h *Head)
	// Write sends a piece of the body. It may wait.
	Write(p []byte, by time.Time) error
	// Flush makes what was written leave. It may wait.
	Flush(by time.Time) error
	// Trailers ends a response that is complete.
	Trailers(fields []Field)
}

// A Head is the head of a response.
type Head struct {
	Status   int
	Fields   []Field  // without those about the framing
	Length   int64    // of the body; negative = not known, or there is none
	Trailers []string // names that are to be announced
	Close    bool     // the connection is not used any more after the response
	Drain    bool     // and neither is another one, since the server shuts down
}

// An Inform is an informational response.
type Inform struct {
	Status int
	Fields []Field
}

// A Field is one header or trailer field.
type Field struct{ Name, Value string }

// Server serves requests with a handler of weir's.
type Server interface {
	// Serve returns when the response has ended: with nil if it is complete, else
	// with the reason, and the client must not take the response for complete.
	Serve(r *Request) error
}

// ErrNotStarted is returned, and nothing was sent, before a *weir.Server was
// started.
var ErrNotStarted = errors.New("weir: request before the server was started")

// New makes a Server of a weir.Handler, with limits of weir's. The root package
// sets it.
var New func(handler any) Server

// Of makes a Server of a *weir.Server, whose limits, hooks and counters it uses
// once that has started. The root package sets it.
var Of func(server any) Server
