package weir

import (
	"context"
	"sync/atomic"
	"time"
)

// progress is how far a response has come.
//
//	building ──> committed ──> whole
//	   │  └─> fixed ─^   └───> broken
//	   └────────┴────────────> lost
//
// It is written under the output's lock and may be read without it.
type progress uint32

const (
	building  progress = iota
	fixed              // status and fields cannot be changed any more, and are not sent yet
	committed          // the head is written
	whole              // ended: no byte may be added any more
	broken             // ended before its last byte: the connection is lost
	lost               // as above, before its head
)

// A delivery is the state of a response. It is guarded by the output's lock.
type delivery struct {
	noted    notes      // what is to be reported when the lock is released
	told     bool       // the end was announced
	close    bool       // the connection ends with this response
	onLoop   bool       // an inline handler is running: the loop flushes for it
	unread   bool       // the request body has not arrived whole
	served   bool       // the handler has returned, or there is none
	awaited  bool       // the loop is to be notified when it is complete
	listed   bool       // among the streams that batches have the loop write
	reported bool       // the failure is in the log, and OnError was called
	length   bodyLength // of a stream's body
	cause    error      // why it ended; nil when the response is complete
	sent     Sent
	ended    time.Time
	done     chan struct{} // made on demand
	ctx      context.Context
	cancel   context.CancelCauseFunc
	slot     *atomic.Int64 // of a detached native handler, to be counted out of
	kept     int64         // bytes taken from the server's budget by Request.Keep
	headKept int64         // bytes taken from it for the copy of a long head
	hooks    []func(error)
	hook     [1]func(error) // where hooks begins
}

// bodyLength is a length that may not be known, which is its zero value.
type bodyLength struct{ plus1 int64 }

func lengthOf(n int64) bodyLength { return bodyLength{n + 1} }

func (b bodyLength) known() bool { return b.plus1 > 0 }

// n is negative if the length is not known.
func (b bodyLength) n() int64 { return b.plus1 - 1 }

// An arrival is the state of a request. It is the loop's.
type arrival struct {
	taker    taker // of the body
	sealed   bool  // an inline handler has responded: nothing else will notify the loop
	left     int64 // of a request body with a length
	received int64 // of the request body, framing included
}

// over reports whether no byte may be added any more.
func (ex *exchange) over() bool { return progress(ex.state.Load()) >= whole }

// final reports whether it is too late for another response in its place.
func (ex *exchange) final() bool { return progress(ex.state.Load()) >= committed }

// begun reports whether the head is written.
func (ex *exchange) begun() bool {
	p := progress(ex.state.Load())
	return p >= committed && p != lost
}

// cutOff reports whether the response ended before its last byte.
func (ex *exchange) cutOff() bool { return progress(ex.state.Load()) > whole }

// become moves the response on.
func (l locked) become(p progress) { l.ex.state.Store(uint32(p)) }
