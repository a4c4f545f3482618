package ws

import (
	"bytes"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
)

// Messages are compressed one by one (RFC 7692): neither side's compression
// refers to an earlier message, which this package demands of its peers
// (client_no_context_takeover, server_no_context_takeover), so that a connection
// that rests holds no windows.

// deflateTail is what inflating appends to a message: the empty block that
// compressing removes (RFC 7692 7.2.2), and a last block, so that the inflater
// sees the end.
const (
	syncTail    = "\x00\x00\xff\xff"
	deflateTail = syncTail + "\x01" + syncTail
)

// maxWindow is the largest LZ77 window, as its logarithm (RFC 7692 7.1.2).
const (
	minWindow = 8
	maxWindow = 15
)

// A deflater appends what flate writes to a slice.
type deflater struct{ out []byte }

func (d *deflater) Write(p []byte) (int, error) {
	d.out = append(d.out, p...)
	return len(p), nil
}

var deflaters = sync.Pool{New: func() any { return new(deflater) }}

// appendDeflated appends p as the payload of a compressed message. No distance
// is larger than a window of that logarithm: p is compressed in pieces that are
// no longer.
func appendDeflated(dst, p []byte, window int) []byte {
	d := deflaters.Get().(*deflater)
	d.out = dst
	for first := true; first || len(p) > 0; first = false {
		piece := p
		if window < maxWindow && len(piece) > 1<<window {
			piece = piece[:1<<window]
		}
		p = p[len(piece):]
		_ = flate.StatelessDeflate(d, piece, false, nil) // Write has no errors
	}
	dst, d.out = d.out, nil
	deflaters.Put(d)
	return dst[:len(dst)-len(syncTail)]
}

// finalBlocks is how many blocks of a message may be marked as its last, which
// none needs to be: each costs the inflater its window.
const finalBlocks = 1024

// An inflater inflates one message, in steps.
type inflater struct {
	in     []byte
	out    []byte
	limit  int64
	kind   Kind
	text   text
	finals int

	source bytes.Reader
	flate  io.ReadCloser // and a flate.Resetter

	// Of Conn.inflate.
	conn *Conn
	err  error
}

var inflaters = sync.Pool{New: func() any {
	f := new(inflater)
	f.flate = flate.NewReader(&f.source)
	return f
}}

// newInflater begins to inflate a message, of which the inflater is the owner
// now.
func newInflater(in []byte, kind Kind, limit int64) *inflater {
	f := inflaters.Get().(*inflater)
	f.in, f.kind, f.limit = append(in, deflateTail...), kind, limit
	f.text, f.finals = text{}, 0
	f.source.Reset(f.in)
	f.restart(nil)
	return f
}

// restart makes flate read on behind a block that was marked as the last.
func (f *inflater) restart(window []byte) {
	_ = f.flate.(flate.Resetter).Reset(&f.source, window) // it has no errors
}

// step inflates some n bytes more. How long that takes is not bounded by n, since
// blocks may have no content. It reports whether out is the whole message. An
// error is a *CloseError.
func (f *inflater) step(n int) (done bool, err error) {
	for n > 0 {
		from := len(f.out)
		if from == cap(f.out) {
			f.out = grow(f.out, min(max(from, 1<<10), 1<<20, int(f.limit)+1-from), int(f.limit)+1)
		}
		got, err := f.flate.Read(f.out[from:min(cap(f.out), from+max(n, 512))])
		f.out = f.out[:from+got]
		n -= got + 64
		switch {
		case f.kind == Text && !f.text.add(f.out[from:min(len(f.out), int(f.limit))]):
			return false, errText
		case len(f.out) > int(f.limit):
			return false, errTooBig
		case err == nil:
		case err != io.EOF:
			return false, errInflate
		case f.source.Len() == 0, f.source.Len() == len(deflateTail):
			if f.kind == Text && !f.text.ended() {
				return false, errText
			}
			return true, nil
		case f.finals == finalBlocks:
			return false, errInflate
		default:
			f.finals++
			window := f.out[max(0, len(f.out)-1<<maxWindow):]
			n -= len(window)
			f.restart(window)
		}
	}
	return false, nil
}

// held returns how many bytes it has.
func (f *inflater) held() int { return cap(f.in) + cap(f.out) }

// hand returns the message to the caller, who releases it, and frees the rest.
func (f *inflater) hand() (out []byte) {
	out = f.out
	f.out = nil
	f.drop()
	return out
}

// drop frees an inflater.
func (f *inflater) drop() {
	release(f.in)
	release(f.out)
	f.in, f.out, f.conn, f.err = nil, nil, nil, nil
	f.source.Reset(nil)
	inflaters.Put(f)
}
