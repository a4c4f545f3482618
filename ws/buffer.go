package ws

import "sync"

// Buffers are kept for others up to keptBuffer bytes, in two pools, so that what
// is short does not hold the memory of what was long.
const (
	shortBuffer = 4 << 10
	keptBuffer  = 64 << 10
)

var short, long = pool(), pool()

func pool() *sync.Pool { return &sync.Pool{New: func() any { return new([]byte) }} }

func poolOf(size int) *sync.Pool {
	if size <= shortBuffer {
		return short
	}
	return long
}

// grow returns b with room for n more bytes. It grows as bytes come, not as they
// are announced: to the double, but not beyond most. Buffers are for messages
// that arrive in pieces or wait, and for what is compressed; a connection that
// rests has none.
func grow(b []byte, n, most int) []byte {
	size := len(b) + n
	switch {
	case b == nil:
		return take(size)
	case size <= cap(b):
		return b
	}
	bigger := append(take(max(size, min(2*cap(b), most))), b...)
	release(b)
	return bigger
}

// take returns an empty buffer with room for size bytes.
func take(size int) (b []byte) {
	if size <= keptBuffer {
		p := poolOf(size).Get().(*[]byte)
		b, *p = *p, nil
		boxes.Put(p)
	}
	if b == nil || cap(b) < size {
		b = make([]byte, 0, max(size, 512))
	}
	return b[:0]
}

// release gives b back.
func release(b []byte) {
	if cap(b) == 0 || cap(b) > keptBuffer {
		return
	}
	p := boxes.Get().(*[]byte)
	*p = b[:0]
	poolOf(cap(b)).Put(p)
}

// boxes are what slices are put into a pool in, so that it costs no allocation.
var boxes = pool()
