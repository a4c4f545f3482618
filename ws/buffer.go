package ws

import "sync"

// keptBuffer is the capacity up to which a buffer is kept for others.
const keptBuffer = 64 << 10

// buffers are for messages that arrive in pieces or wait, and for what is
// compressed. A connection that rests has none.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// grow returns b with room for n more bytes. It grows as bytes come, not as they
// are announced: to the double, but not beyond most.
func grow(b []byte, n, most int) []byte {
	if b == nil {
		p := buffers.Get().(*[]byte)
		b, *p = (*p)[:0], nil
		boxes.Put(p)
	}
	if cap(b)-len(b) >= n {
		return b
	}
	size := max(len(b)+n, min(2*cap(b), most), 512)
	return append(make([]byte, 0, size), b...)
}

// release gives b back.
func release(b []byte) {
	if b == nil || cap(b) > keptBuffer || cap(b) == 0 {
		return
	}
	p := boxes.Get().(*[]byte)
	*p = b[:0]
	buffers.Put(p)
}

// boxes are what slices are put into the pool in, so that it costs no
// allocation.
var boxes = sync.Pool{New: func() any { return new([]byte) }}
