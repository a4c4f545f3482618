package ws

import (
	"errors"
	"slices"
	"sync"

	"weir"
)

// A Policy says what becomes of a member of a [Room] that is behind: more than
// Limits.HighMark bytes wait for it.
type Policy uint8

const (
	Skip Policy = iota // it does not get the message
	Cut                // it is closed, with 1013
)

// A Room is connections that get the same messages. It is safe for concurrent
// use. The zero value is an empty room; it must not be copied.
//
// A broadcast never waits: a message is encoded once, and once more for members
// that agreed on compression, and a member that is behind is treated by the
// Policy.
type Room struct {
	// Policy is for members that are behind. Set it before the first Join.
	Policy Policy
	// Limit is how many members there may be; 0 is no limit. Set it before the
	// first Join.
	Limit int

	mu      sync.Mutex
	members map[*Conn]struct{}
	list    []*Conn // the members, for Broadcast; nil when it is to be made again
}

// ErrRoomFull is returned by [Room.Join] at the room's Limit. Close the
// connection with [TryAgainLater], or do without the room.
var ErrRoomFull = errors.New("ws: the room is full")

// Join makes c a member, until it leaves or ends. It returns [ErrRoomFull], or
// c's cause if that has ended.
func (r *Room) Join(c *Conn) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return c.err
	case c.close != open:
		return ErrClosed
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.members[c]; ok {
		return nil
	}
	if r.Limit > 0 && len(r.members) >= r.Limit {
		return ErrRoomFull
	}
	if r.members == nil {
		r.members = make(map[*Conn]struct{})
	}
	r.members[c], r.list = struct{}{}, nil
	c.rooms = append(c.rooms, r)
	return nil
}

// Leave ends c's membership. A Broadcast that has begun may still reach it.
func (r *Room) Leave(c *Conn) {
	c.mu.Lock()
	if i := slices.Index(c.rooms, r); i >= 0 {
		c.rooms = slices.Delete(c.rooms, i, i+1)
	}
	c.mu.Unlock()
	r.remove(c)
}

// leaveRooms ends the memberships of a connection that has ended.
func (c *Conn) leaveRooms() {
	c.mu.Lock()
	rooms := c.rooms
	c.rooms = nil
	c.mu.Unlock()
	for _, r := range rooms {
		r.remove(c)
	}
}

func (r *Room) remove(c *Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.members[c]; ok {
		delete(r.members, c)
		r.list = nil
	}
}

// Len returns the number of members.
func (r *Room) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.members)
}

// current returns the members. The list does not change.
func (r *Room) current() []*Conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.list == nil && len(r.members) > 0 {
		r.list = make([]*Conn, 0, len(r.members))
		for c := range r.members {
			r.list = append(r.list, c)
		}
	}
	return r.list
}

// Broadcast sends a message to all members, the sender's own connection
// included, and returns how many it was sent to. It does not wait, so that it may
// be called on a loop. p may be reused when it returns.
func (r *Room) Broadcast(kind Kind, p []byte) (sent int) {
	if !kind.valid() {
		panic(errKind)
	}
	m := messages.Get().(*shared)
	m.kind, m.payload = kind, p
	defer m.free()
	for _, c := range r.current() {
		switch err := c.trySendShared(m); {
		case err == nil:
			sent++
		case err == weir.ErrBacklog && r.Policy == Cut:
			_ = c.Close(TryAgainLater, "too slow") // closed before: it leaves anyway
		case err == weir.ErrBacklog:
			c.set.Stats.skipped.Add(1)
		}
	}
	return sent
}

// shared is a message for several connections, as a frame: one as it is, and one
// for each window that some of them compress with.
type shared struct {
	kind    Kind
	payload []byte
	frames  [maxWindow + 1][]byte // by window; at 0 that which is not compressed
	batch   weir.Batch
}

var messages = sync.Pool{New: func() any { return new(shared) }}

// frame returns the message's frame for c.
func (m *shared) frame(c *Conn) []byte {
	window := 0
	if c.deflate.on && len(m.payload) >= c.set.DeflateMin {
		window = int(c.deflate.window)
	}
	f := &m.frames[window]
	if *f == nil {
		*f = m.make(window)
	}
	return *f
}

func (m *shared) make(window int) []byte {
	first, payload := finBit|byte(m.kind), m.payload
	if window > 0 {
		small := appendDeflated(grow(nil, 0, 0), payload, window)
		defer release(small)
		if len(small) < len(payload) {
			first, payload = first|rsv1Bit, small
		}
	}
	f := grow(nil, maxHead+len(payload), maxHead+len(payload))
	return append(appendHead(f, first, len(payload)), payload...)
}

// free has the loops write what was sent, and keeps m for others.
func (m *shared) free() {
	m.batch.Flush()
	for i, f := range m.frames {
		release(f)
		m.frames[i] = nil
	}
	m.payload = nil
	messages.Put(m)
}

// trySendShared is TrySend of a message that others get, too.
func (c *Conn) trySendShared(m *shared) error {
	return c.noteSent(c.link.trySendBatch(&m.batch, m.frame(c)), len(m.payload))
}
