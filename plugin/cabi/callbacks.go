//go:build cgo && unix

package cabi

// #include "bridge.h"
import "C"

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"weir/plugin"
)

// The functions of weir_host, called through bridge.c, which has checked
// pointers and lengths. Each runs on the thread that C called from;
// weir_plugin.h documents them.

// calls has the calls of all libraries: C passes only the handle.
var calls table

//export weirSend
func weirSend(h C.weir_call, p *C.char, n C.size_t) C.int32_t {
	s := calls.lock(uint64(h))
	if s == nil {
		return C.WEIR_EHANDLE
	}
	if s.reply == nil { // a stream, or not for this kind
		return stream(s, func(sink plugin.Sink) error { return sink.Send(view(p, n)) })
	}
	defer s.mu.Unlock()
	if _, err := s.reply.Write(view(p, n)); err != nil {
		s.failure = err
		return C.WEIR_EFAILED
	}
	return C.WEIR_OK
}

//export weirTrySend
func weirTrySend(h C.weir_call, p *C.char, n C.size_t) C.int32_t {
	return stream(calls.lock(uint64(h)), func(sink plugin.Sink) error { return sink.TrySend(view(p, n)) })
}

//export weirFlush
func weirFlush(h C.weir_call) C.int32_t {
	return stream(calls.lock(uint64(h)), plugin.Sink.Flush)
}

// stream calls do with the sink of a slot, which is locked, or nil. It unlocks
// the slot first, because do may wait.
func stream(s *slot, do func(plugin.Sink) error) C.int32_t {
	sink, fault := openSink(s)
	if fault != C.WEIR_OK {
		return fault
	}
	return result(sink, do(sink))
}

// openSink returns the sink of a slot, which is locked, or nil, and unlocks it;
// or the code for why there is none to send to.
func openSink(s *slot) (plugin.Sink, C.int32_t) {
	if s == nil {
		return nil, C.WEIR_EHANDLE
	}
	defer s.mu.Unlock()
	switch {
	case s.sink == nil:
		return nil, C.WEIR_EKIND
	case s.ended:
		return nil, C.WEIR_ECLOSED
	}
	return s.sink, C.WEIR_OK
}

// A batch is what is passed to [plugin.SendBatch], and where each item's result
// goes.
type batch struct {
	items   []plugin.Item
	results []*C.weir_item
}

var batches = sync.Pool{New: func() any { return new(batch) }}

//export weirSendBatch
func weirSendBatch(first *C.weir_item, n C.size_t) {
	b := batches.Get().(*batch)
	list := unsafe.Slice(first, int(n))
	for i := range list {
		b.add(&list[i])
	}
	plugin.SendBatch(b.items)
	for i, item := range b.items {
		b.results[i].result = result(item.Sink, item.Err)
	}
	clear(b.items) // no sink is kept
	clear(b.results)
	b.items, b.results = b.items[:0], b.results[:0]
	batches.Put(b)
}

func (b *batch) add(c *C.weir_item) {
	if c.length > C.WEIR_MAX_LENGTH || c.data == nil && c.length > 0 {
		c.result = C.WEIR_EARG
		return
	}
	var sink plugin.Sink
	if sink, c.result = openSink(calls.lock(uint64(c.call))); sink != nil {
		data := unsafe.Slice((*byte)(c.data), int(c.length))
		b.items, b.results = append(b.items, plugin.Item{Sink: sink, Data: data}), append(b.results, c)
	}
}

// ending is how a Sink and a Socket report their end.
type ending interface {
	Done() <-chan struct{}
	Cause() error
}

// result returns C's code for why a sink or a socket refused.
func result(of ending, err error) C.int32_t {
	switch {
	case err == nil:
		return C.WEIR_OK
	case errors.Is(err, plugin.ErrBacklog):
		return C.WEIR_EBACKLOG
	case errors.Is(err, plugin.ErrClosed):
		return C.WEIR_ECLOSED
	case of.Cause() != nil:
		return C.WEIR_EGONE
	case isDone(of.Done()): // it has ended since, complete
		return C.WEIR_ECLOSED
	}
	return C.WEIR_EFAILED
}

func isDone(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

//export weirClose
func weirClose(h C.weir_call) C.int32_t { return end(calls.lock(uint64(h)), plugin.Sink.Close) }

// maxReason is how much of an abort's reason is kept, in bytes.
const maxReason = 1024

//export weirAbort
func weirAbort(h C.weir_call, reason *C.char, n C.size_t) C.int32_t {
	cause := errAborted
	if n > 0 {
		cause = fmt.Errorf("%w: %q", errAborted, view(reason, min(n, maxReason)))
	}
	s := calls.lock(uint64(h))
	if s != nil && s.reply != nil {
		s.failure, s.ended = cause, true
		s.mu.Unlock()
		return C.WEIR_OK
	}
	return end(s, func(sink plugin.Sink) error {
		sink.Abort(cause)
		return nil
	})
}

var errAborted = errors.New("cabi: aborted by the plugin")

// end ends the stream of a slot, which is locked, or nil, and the handle if the
// handler has returned.
func end(s *slot, do func(plugin.Sink) error) C.int32_t {
	if s == nil {
		return C.WEIR_EHANDLE
	}
	sink := s.sink
	if sink == nil {
		s.mu.Unlock()
		return C.WEIR_EKIND
	}
	again := s.ended
	s.ended = true
	if s.call == nil {
		calls.release(s)
	} else {
		s.mu.Unlock()
	}
	if again {
		return C.WEIR_OK
	}
	return result(sink, do(sink))
}

//export weirDetach
func weirDetach(h C.weir_call) C.int32_t {
	s := calls.lock(uint64(h))
	if s == nil {
		return C.WEIR_EHANDLE
	}
	defer s.mu.Unlock()
	switch {
	case s.sink == nil:
		return C.WEIR_EKIND
	case s.ended:
		return C.WEIR_ECLOSED
	case !s.detached:
		s.detached = true
		s.sink.Detach() // with the slot locked: the handler cannot return before
	}
	return C.WEIR_OK
}

//export weirIsCancelled
func weirIsCancelled(h C.weir_call) C.int32_t {
	s := calls.lock(uint64(h))
	if s == nil {
		return C.WEIR_EHANDLE
	}
	defer s.mu.Unlock()
	if s.cancelled() {
		return 1
	}
	return 0
}

// cancelled reports whether a call was ended from outside. The slot is locked.
func (s *slot) cancelled() bool {
	switch {
	case s.sink != nil:
		return s.sink.Cancelled()
	case s.socket != nil:
		return isDone(s.socket.Done()) && s.socket.Cause() != nil
	}
	return isDone(s.call.Done())
}

//export weirSetStatus
func weirSetStatus(h C.weir_call, status C.int32_t) C.int32_t {
	s := calls.lock(uint64(h))
	if s == nil {
		return C.WEIR_EHANDLE
	}
	defer s.mu.Unlock()
	if status < 200 || status > 999 {
		return C.WEIR_EARG
	}
	head := s.head()
	if head == nil {
		return C.WEIR_EKIND
	}
	head.SetStatus(int(status))
	return C.WEIR_OK
}

//export weirSetHeader
func weirSetHeader(h C.weir_call, name *C.char, nameLen C.size_t, value *C.char, valueLen C.size_t) C.int32_t {
	s := calls.lock(uint64(h))
	if s == nil {
		return C.WEIR_EHANDLE
	}
	defer s.mu.Unlock()
	head := s.head()
	if head == nil {
		return C.WEIR_EKIND
	}
	if err := head.SetHeader(text(name, nameLen), text(value, valueLen)); err != nil {
		return C.WEIR_EHEAD
	}
	return C.WEIR_OK
}

//export weirPathValue
func weirPathValue(h C.weir_call, name *C.char, n C.size_t, out *C.weir_view) C.int32_t {
	return lookUp(h, name, n, out, plugin.Call.PathValue)
}

//export weirQuery
func weirQuery(h C.weir_call, name *C.char, n C.size_t, out *C.weir_view) C.int32_t {
	return lookUp(h, name, n, out, plugin.Call.Query)
}

//export weirHeader
func weirHeader(h C.weir_call, name *C.char, n C.size_t, out *C.weir_view) C.int32_t {
	return lookUp(h, name, n, out, plugin.Call.Header)
}

// lookUp gives C a string of the call, which is pinned until the handler
// returns.
func lookUp(h C.weir_call, name *C.char, n C.size_t, out *C.weir_view, find func(plugin.Call, string) string) C.int32_t {
	s := calls.lock(uint64(h))
	if s == nil {
		return C.WEIR_EHANDLE
	}
	defer s.mu.Unlock()
	if s.call == nil {
		return C.WEIR_EHANDLE
	}
	if found := find(s.call, text(name, n)); found != "" {
		data := unsafe.StringData(found)
		s.pins.Pin(data)
		out.data, out.length = (*C.char)(unsafe.Pointer(data)), C.size_t(len(found))
	}
	return C.WEIR_OK
}

// view returns C's bytes without copying them; they are valid for as long as
// C's call lasts.
func view(p *C.char, n C.size_t) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(p)), int(n)) }

// text returns a copy of C's bytes.
func text(p *C.char, n C.size_t) string { return string(view(p, n)) }
