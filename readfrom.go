package weir

import (
	"errors"
	"io"
	"sync"
)

// ReadFrom writes what src has until io.EOF; io.Copy uses it. Up to 32 KiB are
// buffered, and sent with a Content-Length when Serve returns, as with
// [Response.Write]. With more the response becomes a [Stream], so that no body
// is kept whole and a client that does not read is waited for. On the event
// loop, where that cannot be, all is buffered.
//
// It does not return io.EOF. If it returns another error, what was written
// before is the response unless the handler makes it another, by
// [Response.Error] for instance.
func (w *Response) ReadFrom(src io.Reader) (n int64, err error) {
	piece := pieces.Get().(*[32 << 10]byte)
	defer pieces.Put(piece)
	for {
		var got int
		if w.streaming() {
			got, err = src.Read(piece[:])
		} else {
			got, err = io.ReadFull(src, piece[:])
		}
		if err == nil && !w.streaming() && !w.plain && !w.ex.onLoop { // there may be more
			w.Stream()
		}
		if got > 0 {
			wrote, werr := w.Write(piece[:got])
			if n += int64(wrote); werr != nil {
				return n, werr
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF) && !w.streaming():
			return n, nil
		case err != nil:
			return n, err
		}
	}
}

var pieces = sync.Pool{New: func() any { return new([32 << 10]byte) }}

var _ io.ReaderFrom = (*Response)(nil)
