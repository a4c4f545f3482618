package weir

import (
	"crypto/tls"
	"net"
	"time"

	"weir/reactor"
)

// An exchange knows two things about where its request has come from: a wire,
// which takes the bytes of the response, and a carrier, which knows how a
// response is framed there and what comes before and behind it. There are two
// of each:
//
//	             wire             carrier
//	HTTP/1.1     *reactor.Conn    *downward, which is the exchange, over an *h1.Conn
//	net/http     *visit           *visit
//
// The wire is what each token needs, and so the reactor's connection is one
// itself. Its lock guards the exchange, too: see locked.
type wire interface {
	Lock()
	// Acquire is Lock for a producer. It returns the Buffer if bytes may be
	// added, or else what Room returns, or what Err does.
	Acquire() (b *[]byte, room <-chan struct{}, err error)
	Unlock()                    // what is pending is left to a later flush
	Err() error                 // why nothing may be added any more
	Room() <-chan struct{}      // nil while a producer may continue, else closed when it may
	Backlogged() bool           // Room for the loop, which does not wait
	Pending() int               // bytes
	Buffer() *[]byte            // what is pending, to be appended to
	Wake()                      // goroutines that wait for Room check again
	FlushWith(big, tail []byte) // writes what is pending, then these, and releases the lock; does not wait
	Defer()                     // releases the lock; what is pending is written at the end of the turn
}

// carrier is the other side of an exchange, as the exchange sees it.
type carrier interface {
	// head appends the head of the response to what is pending, and behind it
	// body, as it is. length is that of the whole body, negative if it is not
	// known. It reports whether what follows of the body is to be in chunks.
	head(l locked, length int64, body []byte) (chunks bool)
	// inform appends an informational response, if the client can take one.
	inform(l locked, status int, h *Header)
	// upgrade appends the head of a response that switches to the protocol.
	upgrade(l locked, protocol string)
	// last makes the connection end with the response, if there is one to end.
	last(l locked)
	// tail appends what ends a body that is complete.
	tail(l locked)
	// waits reports whether completed is to be called when the response is
	// complete. Otherwise it is found complete.
	waits(l locked) bool
	// seal is called when the response is complete while its handler runs on the
	// loop, which writes it at the end of its turn. It releases the lock.
	seal(l locked)
	// completed is called when the response is complete, without the lock.
	completed(onLoop bool)
	// abort cuts a response that has begun, soon. Safe for concurrent use.
	abort(ex *exchange, cause error)
	turn() turn
	draining() <-chan struct{} // closed when the server shuts down
	loopCarrier
	// scratch is memory for a Source, used within one call on the loop.
	scratch() []byte
	listenAddr() net.Addr
	tls() *tls.ConnectionState // nil in the clear
}

// loopCarrier is what a LoopExchange asks of its carrier. All but eventLoop is
// for the exchange's own loop, and without effect once the carrier has another
// exchange.
type loopCarrier interface {
	eventLoop() *reactor.Loop // nil if there is none, and then no LoopExchange
	// receiveBody begins to pass the body on, or reports that there is none.
	receiveBody(ex *exchange)
	pauseBody(ex *exchange)
	continueBody(ex *exchange)
	bodyArrived(ex *exchange) bool // all of it was passed on
	// dispatch runs the handler of a request that is complete.
	dispatch(ex *exchange)
}

// turn is an event loop, or what stands for one. Post is safe for concurrent
// use, the rest is for the loop itself.
type turn interface {
	Post(t reactor.Task)
	Later(t reactor.Task)
	StartTimer(t *reactor.Timer, at time.Time)
	StopTimer(t *reactor.Timer)
	Now() time.Time
}

var (
	_ wire    = (*reactor.Conn)(nil)
	_ wire    = (*visit)(nil)
	_ carrier = (*downward)(nil)
	_ carrier = (*visit)(nil)
	_ turn    = (*reactor.Loop)(nil)
	_ turn    = (*guestTurn)(nil)
)
