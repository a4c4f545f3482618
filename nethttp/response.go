package nethttp

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"weir"
)

// response is the http.ResponseWriter. It has three stages, each of which fixes
// more of the response.
//
//	building     the handler sets fields; nothing is sent
//	written      WriteHeader has copied status and fields; up to bufferSize bytes of body wait
//	begun        the framing is decided and the head is sent, or will be with the next bytes
//
// Like net/http's it is not safe for concurrent use, except for setting
// deadlines.
type response struct {
	res    *weir.Response
	ctx    requestContext
	body   *body // of the request; nil = it has none
	header http.Header
	writes deadline

	// Since the stage written.
	written  bool
	head     bool // the request is HEAD: what is written is not sent
	typed    bool // Content-Type is not to be sniffed
	closes   bool // Connection: close was set, by the handler or by the client
	coded    bool // Transfer-Encoding was set: the length is not computed
	duplex   bool // the request body is not discarded
	status   int
	length   int64 // declared; -1 = it was not
	bytes    int64 // written so far
	declared []string
	prefixed bool // there are trailers with http.TrailerPrefix
	buf      *bufio.Writer

	// Since the stage begun.
	begun  bool
	stream *weir.Stream // nil = the response is sent in one piece when the handler has returned
	sent   bool         // of a response without a body: the head was sent

	hijacked bool        // the connection is the handler's
	returned atomic.Bool // the handler has returned: nothing more is written
}

var errReturned = errors.New("nethttp: the handler has returned")

// Header returns the fields that WriteHeader will send: at first those that
// middleware has set.
func (w *response) Header() http.Header {
	if w.header == nil {
		w.header = make(http.Header)
		for name, value := range w.res.Header().All() {
			w.header.Add(name, value)
		}
	}
	return w.header
}

// WriteHeader fixes the status and the fields, or sends an informational
// response.
func (w *response) WriteHeader(code int) {
	if w.hijacked {
		warn("WriteHeader after Hijack", "status", code, "caller", caller())
		return
	}
	if w.written || w.returned.Load() {
		warn("superfluous WriteHeader", "status", code, "caller", caller())
		return
	}
	if code < 100 || code > 999 {
		panic(fmt.Sprintf("invalid WriteHeader code %v", code)) // net/http's words
	}
	switch {
	case code >= 200, code == http.StatusSwitchingProtocols:
		w.fix(code)
	case code > http.StatusContinue: // which the server sends when the body is read
		w.inform(code)
	}
}

// hasBody reports whether the status allows one.
func (w *response) hasBody() bool {
	return w.status >= 200 && w.status != http.StatusNoContent && w.status != http.StatusNotModified
}

// Write adds to the body. It waits while the client does not read.
func (w *response) Write(p []byte) (int, error) {
	if err := w.admit(len(p)); err != nil || len(p) == 0 {
		return 0, err
	}
	return w.buf.Write(p)
}

// WriteString is Write of a string.
func (w *response) WriteString(s string) (int, error) {
	if err := w.admit(len(s)); err != nil || len(s) == 0 {
		return 0, err
	}
	return w.buf.WriteString(s)
}

// admit prepares for n bytes of body.
func (w *response) admit(n int) error {
	if w.hijacked {
		return http.ErrHijacked
	}
	if w.returned.Load() {
		return errReturned
	}
	if !w.written {
		w.WriteHeader(http.StatusOK)
	}
	if n == 0 {
		return nil
	}
	if !w.hasBody() {
		return http.ErrBodyNotAllowed
	}
	w.bytes += int64(n)
	if w.length >= 0 && w.bytes > w.length {
		return http.ErrContentLength
	}
	if w.buf == nil {
		w.buf = buffers.Get().(*bufio.Writer)
		w.buf.Reset((*chunks)(w))
	}
	return nil
}

// ReadFrom sends a file as weir does, by the kernel where it can, if its length
// was announced. It copies anything else in large pieces. The first one waits for
// src, not for a full buffer.
func (w *response) ReadFrom(src io.Reader) (n int64, err error) {
	if w.hijacked {
		return 0, http.ErrHijacked
	}
	if w.returned.Load() {
		return 0, errReturned
	}
	if n, err = w.readFile(src); err != nil {
		return n, err
	}
	piece := pieces.Get().(*[pieceSize]byte)
	defer pieces.Put(piece)
	if !w.begun {
		n, err = io.CopyBuffer(writer{w}, io.LimitReader(src, sniffed), piece[:])
		if err != nil || n < sniffed {
			return n, err
		}
	}
	if err := w.push(); err != nil {
		return n, err
	}
	rest, err := io.CopyBuffer(writer{w}, src, piece[:])
	return n + rest, err
}

// sniffed is how many bytes http.DetectContentType looks at.
const sniffed = 512

const (
	pieceSize = 32 << 10
	filePiece = 1 << 20 // after which a write deadline counts that was set meanwhile
)

var pieces = sync.Pool{New: func() any { return new([pieceSize]byte) }}

// readFile is ReadFrom for what weir can send: more than a piece of a file of
// which there are so many bytes announced. The rest of src is left to be read.
func (w *response) readFile(src io.Reader) (n int64, err error) {
	limit := int64(math.MaxInt64)
	limited, ok := src.(*io.LimitedReader)
	if ok {
		src, limit = limited.R, limited.N
	}
	_, isFile := src.(syscall.Conn)
	announced := w.written || w.header.Get("Content-Length") != ""
	if !isFile || !announced || w.admit(0) != nil {
		return 0, nil
	}
	limit = min(limit, w.length-w.bytes)
	if limit <= pieceSize || w.head || w.coded || !w.hasBody() || !w.begun && !w.typed {
		return 0, nil
	}
	for n < limit {
		if late, lerr := w.writes.enter(); late != nil || lerr != nil {
			break
		}
		if err = w.start(); err != nil {
			break
		}
		piece := io.LimitedReader{R: src, N: min(limit-n, filePiece)}
		k, kerr := w.res.ReadFrom(&piece)
		n += k
		if err = kerr; err != nil || piece.N > 0 { // src has ended
			break
		}
	}
	w.bytes += n
	if ok {
		limited.N -= n
	}
	return n, err
}

// writer hides ReadFrom.
type writer struct{ io.Writer }

// chunks is the response as the writer into which its buffer is emptied.
type chunks response

func (c *chunks) Write(p []byte) (int, error) {
	w := (*response)(c)
	if !w.begun {
		if w.begin(p); w.stream == nil {
			return len(p), nil
		}
	}
	if w.head {
		return len(p), nil
	}
	if err := w.send(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// begin decides the framing; first is the first bytes of the body, and all of
// them if the handler has returned. If the whole response is known, weir sends
// it; any other is a stream.
func (w *response) begin(first []byte) {
	w.begun = true
	if w.body != nil && !w.duplex && !w.closes {
		_ = w.body.Close() // reports nothing
	}
	if w.hasBody() && !w.typed && !w.coded && len(first) > 0 {
		w.res.Header().Set("Content-Type", http.DetectContentType(first)) // without control characters
	}
	n := int64(len(first))
	whole := w.returned.Load() && !w.coded && !w.prefixed && len(w.declared) == 0 && !w.writes.over()
	switch {
	case whole && !w.hasBody():
		return
	case whole && w.length < 0 && (!w.head || n > 0), whole && w.length == n && !w.head:
		_, _ = w.res.Write(first) // into memory
		return
	case w.length >= 0 && !w.coded && w.hasBody():
		w.res.SetContentLength(w.length) // is not negative, and the head was not sent
	}
	w.stream = w.res.Stream()
	w.announceTrailers()
}

// send sends a chunk. A small one is sent with the next large one, by Flush, or
// when enough has gathered.
func (w *response) send(p []byte) error {
	late, err := w.writes.enter()
	switch {
	case err != nil:
		return w.tooLate()
	case late != nil:
		return w.sendBefore(late, p)
	case len(p) < 2*bufferSize:
		_, err = w.stream.Write(p)
		return err
	}
	return w.stream.Send(p)
}

// sendBefore is send with a deadline. What still waits then continues to wait,
// without the caller, until the connection is closed.
func (w *response) sendBefore(late <-chan struct{}, p []byte) error {
	if err := w.stream.TrySend(p); !errors.Is(err, weir.ErrBacklog) {
		return err
	}
	stream, p, done := w.stream, bytes.Clone(p), make(chan error, 1)
	go func() { done <- stream.Send(p) }()
	select {
	case err := <-done:
		return err
	case <-late:
		return w.tooLate()
	}
}

// tooLate aborts the response after its deadline.
func (w *response) tooLate() error {
	w.stream.Abort(os.ErrDeadlineExceeded)
	return os.ErrDeadlineExceeded
}

// Flush sends what was written, and the head.
func (w *response) Flush() { _ = w.FlushError() } // http.Flusher has no error

// FlushError is Flush for http.ResponseController.
func (w *response) FlushError() error {
	if w.hijacked {
		return http.ErrHijacked
	}
	if w.returned.Load() {
		return errReturned
	}
	if !w.written {
		w.WriteHeader(http.StatusOK)
	}
	return w.push()
}

// push empties the buffer and sends the head, unless it was sent.
func (w *response) push() error {
	if !w.written {
		return nil
	}
	if err := w.start(); err != nil {
		return err
	}
	if w.head || !w.hasBody() {
		return w.sendHead()
	}
	if w.writes.over() {
		return w.tooLate()
	}
	return w.stream.Commit() // and what Write has gathered
}

// start empties the buffer, and decides the framing, unless that was done.
func (w *response) start() error {
	if w.buf != nil {
		if err := w.buf.Flush(); err != nil {
			return err
		}
	}
	if !w.begun {
		w.begin(nil)
	}
	return nil
}

// sendHead sends the head of a response without a body.
func (w *response) sendHead() error {
	if w.sent {
		return nil
	}
	w.sent = true
	if err := w.stream.Commit(); err != nil && !errors.Is(err, weir.ErrNoBody) {
		return err
	}
	return nil
}

// finish completes the response of a handler that has returned; weir ends it.
func (w *response) finish() {
	w.returned.Store(true)
	if w.hijacked {
		w.retire()
		return
	}
	if !w.written {
		w.fix(http.StatusOK)
	}
	if w.buf != nil {
		if err := w.buf.Flush(); err == nil {
			w.buf.Reset(nil)
			buffers.Put(w.buf)
		}
		w.buf = nil
	}
	if !w.begun {
		w.begin(nil)
	}
	switch {
	case w.stream == nil, w.sent:
	case w.writes.over():
		_ = w.tooLate()
	default:
		if w.length >= 0 && w.res.Stats().Bytes < w.length && !w.head {
			_ = w.stream.Commit() // so that the client sees that the body is short
		}
		w.sendTrailers()
	}
	w.retire()
}

// retire disables the response.
func (w *response) retire() {
	w.returned.Store(true)
	w.writes.stop()
	if w.body != nil {
		w.body.deadline.stop()
	}
}

var (
	_ http.Flusher    = (*response)(nil)
	_ http.Hijacker   = (*response)(nil)
	_ io.ReaderFrom   = (*response)(nil)
	_ io.StringWriter = (*response)(nil)
)
