//go:build cgo && unix

package cabi

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"weir/plugin"
)

// A slot holds one call after the other. mu guards all of it.
//
// The plugin package lets one goroutine use a Call and a Reply; C may call from
// any thread, so both are used with mu held, which is never for long. A Sink and
// a Socket are used without: they may wait, and are safe for concurrent use,
// also after their end.
type slot struct {
	mu    sync.Mutex
	index uint32
	round uint32 // which use of the slot this is, from 1; with index it is the handle

	call   plugin.Call   // nil when the handler has returned
	reply  plugin.Reply  // of a unary handler; nil when it has returned
	sink   plugin.Sink   // of a stream handler
	socket plugin.Socket // of a WebSocket's, until its end

	pins    runtime.Pinner // what C was given until the handler returns
	failure error          // what a unary handler will return

	detached bool
	ended    bool // by the plugin, with close or abort
}

func (s *slot) handle() uint64 { return uint64(s.round)<<32 | uint64(s.index) }

// head returns the head of the response, unary or stream; nil for a WebSocket,
// whose head is sent.
func (s *slot) head() plugin.Head {
	switch {
	case s.reply != nil:
		return s.reply
	case s.sink != nil:
		return s.sink
	}
	return nil
}

// slotsPerBlock is how many slots are made at a time.
const slotsPerBlock = 256

type block [slotsPerBlock]slot

// A table maps the handles that C has to calls. It grows to the largest number
// of concurrent calls, and does not shrink. The zero value is empty and ready
// to use. It is safe for concurrent use.
type table struct {
	blocks atomic.Pointer[[]*block] // replaced by a longer one when it grows

	mu   sync.Mutex
	free []*slot // the last one freed is the next one used
}

// begin takes a slot for a call. All but one of reply, sink and socket are nil.
func (t *table) begin(call plugin.Call, reply plugin.Reply, sink plugin.Sink, socket plugin.Socket) *slot {
	s := t.take()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.call, s.reply, s.sink, s.socket = call, reply, sink, socket
	return s
}

func (t *table) take() *slot {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.free) == 0 {
		t.grow()
	}
	last := len(t.free) - 1
	s := t.free[last]
	t.free[last] = nil
	t.free = t.free[:last]
	return s
}

func (t *table) grow() {
	var blocks []*block
	if old := t.blocks.Load(); old != nil {
		blocks = *old
	}
	b := new(block)
	for i := range b {
		b[i].index = uint32(len(blocks)*slotsPerBlock + i)
		b[i].round = 1
		t.free = append(t.free, &b[i])
	}
	// append may write behind the old slice's end, where users of the old one
	// do not look.
	blocks = append(blocks, b)
	t.blocks.Store(&blocks)
}

// lock returns the slot of a handle, locked, or nil if the handle has ended or
// never existed.
func (t *table) lock(handle uint64) *slot {
	blocks := t.blocks.Load()
	index := int(uint32(handle))
	if blocks == nil || index >= len(*blocks)*slotsPerBlock {
		return nil
	}
	s := &(*blocks)[index/slotsPerBlock][index%slotsPerBlock]
	s.mu.Lock()
	if s.handle() != handle || s.call == nil && s.sink == nil && s.socket == nil {
		s.mu.Unlock()
		return nil
	}
	return s
}

// release ends the handle of a slot, which is locked, and unlocks it.
func (t *table) release(s *slot) {
	s.call, s.reply, s.sink, s.socket, s.failure = nil, nil, nil, nil, nil
	s.detached, s.ended = false, false
	reusable := s.round < math.MaxUint32
	if reusable {
		s.round++
	}
	s.mu.Unlock()
	if !reusable {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.free = append(t.free, s)
}

// alive returns the number of calls that have not ended.
func (t *table) alive() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	blocks := t.blocks.Load()
	if blocks == nil {
		return 0
	}
	return len(*blocks)*slotsPerBlock - len(t.free)
}
