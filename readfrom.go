package weir

import (
	"errors"
	"io"
	"math"
	"os"
	"sync"

	"weir/reactor"
)

// ReadFrom writes what src has until io.EOF; io.Copy uses it. Up to 32 KiB are
// buffered, and sent with a Content-Length when Serve returns, as with
// [Response.Write]. With more the response becomes a [Stream], so that no body
// is kept whole and a client that does not read is waited for. On the event
// loop, where that cannot be, all is buffered. If the length was announced, a
// file, also behind an [io.LimitedReader], is sent by [Stream.SendFile].
//
// It does not return io.EOF. If it returns another error, what was written
// before is the response unless the handler makes it another, by
// [Response.Error] for instance.
func (w *Response) ReadFrom(src io.Reader) (n int64, err error) {
	if n, err = w.readFile(src); err != nil {
		return n, err
	}
	piece := pieces.Get().(*[32 << 10]byte)
	defer pieces.Put(piece)
	for {
		var got int
		if w.streaming() {
			got, err = src.Read(piece[:])
		} else {
			got, err = fill(src, piece[:])
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
		switch err {
		case nil:
		case io.EOF: // not one that is wrapped, which is no end but a failure
			return n, nil
		default:
			return n, err
		}
	}
}

// fill reads until p is full. Unlike io.ReadFull it returns the reader's own error.
func fill(src io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var k int
		k, err = src.Read(p[n:])
		n += k
	}
	return n, err
}

// file is an *os.File, or what io.Copy makes of one.
type file interface {
	reactor.File
	io.Seeker
	Stat() (os.FileInfo, error)
}

// readFile sends what src has, if it is a file for SendFile. What is behind that
// is left to be read.
func (w *Response) readFile(src io.Reader) (n int64, err error) {
	limited, ok := src.(*io.LimitedReader)
	limit := int64(math.MaxInt64)
	if ok {
		src, limit = limited.R, limited.N
	}
	f, isFile := src.(file)
	if !isFile || !w.ex.length.known() || w.plain || w.ex.onLoop {
		return 0, nil
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return 0, nil // Read reports the error
	}
	off, err := f.Seek(0, io.SeekCurrent)
	if limit = min(limit, info.Size()-off); err != nil || limit <= 32<<10 {
		return 0, nil
	}
	n, err = w.Stream().SendFile(f, off, limit)
	if ok {
		limited.N -= n
	}
	if _, serr := f.Seek(off+n, io.SeekStart); err == nil {
		err = serr
	}
	if errors.Is(err, io.ErrUnexpectedEOF) { // it has become shorter: that is its end
		err = nil
	}
	return n, err
}

var pieces = sync.Pool{New: func() any { return new([32 << 10]byte) }}

var _ io.ReaderFrom = (*Response)(nil)
