package reactor

import (
	"errors"
	"time"
)

// ErrAgain is returned by a [System] if an operation would have to wait.
var ErrAgain = errors.New("reactor: operation would block")

// System is the kernel as connections see it: non-blocking operations on
// descriptors. Its methods must be safe for concurrent use.
type System interface {
	// Read returns [io.EOF] when the peer has shut down its write side and all
	// input was read.
	Read(fd int, p []byte) (int, error)
	// Write writes what fits, at once. It returns [ErrAgain] if nothing does.
	Write(fd int, p []byte) (int, error)
	// Writev is Write for a, b and c in a row; any of them may be empty.
	Writev(fd int, a, b, c []byte) (int, error)
	// Unacknowledged returns the number of bytes written to fd that the peer
	// has not acknowledged. If it includes overhead of the kernel's own, as for
	// unix sockets, it still changes whenever the peer takes bytes.
	Unacknowledged(fd int) (int, error)
	// ShutdownWrite sends FIN: the peer reads to the end.
	ShutdownWrite(fd int) error
	// Close closes the descriptor. With reset it sends RST, and what the peer
	// did not read is lost.
	Close(fd int, reset bool) error
	// SocketError returns the error of a connection, or of the attempt to
	// connect it, or nil. Calling it clears the error.
	SocketError(fd int) error
	// State returns what fd is ready for now. HalfClosed may be missing while
	// input is unread.
	State(fd int) Event
	// Connect starts a connection to "127.0.0.1:80", "[::1]:80" or
	// "unix:/path". It is established, or has failed, when fd becomes Writable.
	Connect(addr string) (fd int, err error)
	// NewPoller opens a queue of events for one loop.
	NewPoller() (Poller, error)
}

// Event is what a descriptor is ready for.
type Event uint8

const (
	Readable   Event = 1 << iota // bytes, or the end, can be read
	Writable                     // output that had to wait can be tried again
	HalfClosed                   // the peer shut its sending side; perhaps it is gone altogether
	Dead                         // reset, failed, or shut in both directions
)

// A Poller waits for events of one loop. Its methods are called on that loop,
// except for Wake, which must be safe for concurrent use.
type Poller interface {
	// Add registers a connection once for all events, edge-triggered.
	Add(fd int) error
	// AddListener registers for Readable, level-triggered.
	AddListener(fd int) error
	// Remove ends the events of fd from the next round on; those of the
	// current round may still come.
	Remove(fd int) error
	// Wake makes Run call Sink.Woken soon. Wakes that come before the call are
	// one.
	Wake()
	// Arm sets the time from which Run calls Sink.Tick. Each call replaces
	// the one before; the zero time disarms.
	//
	// Events come before timers: when the moment has passed, Run first asks the
	// kernel and delivers what was ready, each descriptor once, and calls Tick
	// then. It asks again before each further Tick, until Tick returns true. A
	// deadline that passed while the process was paused, or while the loop was
	// busy, thus finds delivered what would have stopped it; and a loop that
	// always has events keeps time all the same.
	Arm(at time.Time)
	// Run delivers events until Sink.Woken returns false.
	Run(s Sink) error
	// Close releases the poller after Run has returned.
	Close() error
}

// A Sink is what a [Poller] delivers to. Its methods are called on the loop, by
// Run.
type Sink interface {
	Ready(fd int, ev Event)
	Tick() (done bool)
	Woken() (more bool)
}
