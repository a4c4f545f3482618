package weir

import (
	"context"
	"sync/atomic"
)

// A delivery is the state of a response. It is guarded by the output's lock.
type delivery struct {
	noted    notes      // what is to be reported when the lock is released
	told     bool       // the end was announced
	onLoop   bool       // an inline handler is running: the loop flushes for it
	served   bool       // the handler has returned, or there is none
	listed   bool       // among the streams that batches have the loop write
	reported bool       // the failure is in the log, and OnError was called
	length   bodyLength // of a stream's body
	cause    error      // why it ended; nil when the response is complete
	sent     ResponseStats
	done     chan struct{} // made on demand
	ctx      context.Context
	cancel   context.CancelCauseFunc
	pipe     *Pipe         // which the response is
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

// over reports whether no byte may be added any more.
func (ex *exchange) over() bool { return ex.Over() }

// final reports whether it is too late for another response in its place.
func (ex *exchange) final() bool { return ex.Final() }

// begun reports whether the head is written.
func (ex *exchange) begun() bool { return ex.Begun() }

// cutOff reports whether the response ended before its last byte.
func (ex *exchange) cutOff() bool { return ex.CutOff() }
