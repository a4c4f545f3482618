package h1

// phase is what a connection waits for.
//
//	idle ──> head ──> expecting ──> body ──> responding ──> idle …
//	                                             ├──> behind ──^
//	                                             └──> switched
//
// Any of them may be left out, and over follows on any. A handler that reads
// its body while it arrives runs from expecting or body on.
type phase uint8

const (
	phaseIdle       phase = iota // a request, of which no byte is here
	phaseHead                    // the rest of its head
	phaseExpecting               // that the body is wanted: the client waits for 100 Continue
	phaseBody                    // the rest of the body
	phaseResponding              // the response; the request is complete
	phaseSwitched                // what a Tunnel takes: the connection is another protocol's
	phaseBehind                  // that the client takes more of its responses; nothing is read
	phaseOver                    // nothing any more: the connection is closing,
	phaseTaken                   // or another server's
)

// arriving reports whether the body of a request is.
func (p phase) arriving() bool { return p == phaseExpecting || p == phaseBody }

// responding reports whether there is a request that is complete, and its
// response may not be.
func (p phase) responding() bool { return p == phaseResponding || p == phaseSwitched }

// serving reports whether there is a request whose head is complete.
func (p phase) serving() bool { return p.arriving() || p.responding() }

// ended reports whether the connection serves no request any more.
func (p phase) ended() bool { return p >= phaseOver }

// alarm is what the timer of a connection stands for.
type alarm uint8

const (
	atDeadline alarm = iota // of the phase, or an earlier one of it
	atReview                // soon: a look whether a handler's goroutine has responded
	atCut                   // shutdown: the moment to be cut
)
