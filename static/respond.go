package static

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"

	"weir"
	"weir/internal/accept"
)

// respond sends a file, or what conditions and ranges make of it. It closes c.
func (f *Files) respond(w *weir.Response, r *weir.Request, name string, c *content) {
	media := cmp.Or(w.Header().Get("Content-Type"), c.media)
	c, encoding := f.negotiate(r, name, c)
	defer c.close()
	var b *body
	if w.Status() != 200 { // conditions and ranges are not for it: RFC 9110 13.2.1, 14.2
		b = whole(c)
	} else if b = f.wanted(w, r, c, media, encoding); b == nil {
		return
	}
	f.describe(w, c)
	h := w.Header()
	if b.contentRange != "" {
		h.Set("Content-Range", b.contentRange)
	}
	h.Set("Content-Type", cmp.Or(b.media, media))
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
	}
	b.send(w, r, c)
}

// wanted returns the body that conditions and ranges ask for, or nil if the
// response has none of the file's.
func (f *Files) wanted(w *weir.Response, r *weir.Request, c *content, media, encoding string) *body {
	switch judge(r.Header(), c.tag, c.modified) {
	case failed:
		w.Error(412, "412 precondition failed")
		return nil
	case notModified:
		f.describe(w, c)
		w.Header().Del("Content-Type")
		w.SetStatus(304)
		return nil
	}
	if f.MaxRanges < 0 || !c.seekable() {
		return whole(c)
	}
	w.Header().Set("Accept-Ranges", "bytes")
	switch spans, ok := f.ranges(r, c); {
	case !ok, len(spans) > 1 && encoding != "": // a multipart would not be what is coded
		return whole(c)
	case len(spans) == 0:
		w.Header().Set("Content-Range", "bytes */"+strconv.FormatInt(c.size, 10))
		w.Error(416, "416 range not satisfiable")
		return nil
	default:
		w.SetStatus(206)
		return partial(c, spans, media)
	}
}

// describe sets the fields of every response that has a file, 304 among them.
func (f *Files) describe(w *weir.Response, c *content) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	for _, field := range f.header {
		h.Set(field.name, field.value)
	}
	if len(f.siblings) > 0 {
		h.Add("Vary", "Accept-Encoding")
	}
	if c.tag != "" {
		h.Set("ETag", c.tag)
	}
	if c.lastModified != "" {
		h.Set("Last-Modified", c.lastModified)
	}
}

// negotiate returns the precompressed sibling of c that the client prefers, and
// its coding, or c itself.
func (f *Files) negotiate(r *weir.Request, name string, c *content) (_ *content, encoding string) {
	if len(f.siblings) == 0 {
		return c, ""
	}
	var store [4]string
	for _, coding := range accept.Codings(store[:0], r.Header().Views(), f.siblings) {
		name := name + suffixes[coding]
		if !f.serves(name) {
			continue
		}
		if sibling, folder, err := f.look(name); err == nil && !folder {
			c.close()
			return sibling, coding
		}
	}
	return c, ""
}

// ranges returns the parts that a request is for; ok is false if it is for the
// whole file. None are not satisfiable.
func (f *Files) ranges(r *weir.Request, c *content) (spans []span, ok bool) {
	if r.Method() != "GET" { // RFC 9110 14.2
		return nil, false
	}
	value, one := only(r.Header(), "Range")
	if !one || !rangeHolds(r.Header(), c.tag, c.modified) {
		return nil, false
	}
	spans, whole := rangesOf(value, c.size, f.MaxRanges)
	return spans, !whole
}

// A body is what is sent of a file: parts, each behind a head, and a tail behind
// all of them.
type body struct {
	parts        []part
	tail         string
	n            int64 // bytes of all
	contentRange string
	media        string // instead of the file's
	store        [1]part
}

type part struct {
	head string
	span
}

func whole(c *content) *body {
	b := &body{n: c.size}
	b.store[0].n = c.size
	b.parts = b.store[:]
	return b
}

// partial is the body of a 206: one part, or several as multipart/byteranges
// (RFC 9110 14.6).
func partial(c *content, spans []span, media string) *body {
	if len(spans) == 1 {
		return &body{parts: []part{{"", spans[0]}}, n: spans[0].n, contentRange: spans[0].contentRange(c.size)}
	}
	boundary := strconv.FormatUint(rand.Uint64(), 36) + strconv.FormatUint(rand.Uint64(), 36)
	b := &body{media: "multipart/byteranges; boundary=" + boundary, tail: "\r\n--" + boundary + "--\r\n"}
	b.n = int64(len(b.tail))
	for i, s := range spans {
		head := fmt.Sprintf("\r\n--%s\r\nContent-Type: %s\r\nContent-Range: %s\r\n\r\n", boundary, media, s.contentRange(c.size))
		if i == 0 {
			head = strings.TrimPrefix(head, "\r\n")
		}
		b.parts = append(b.parts, part{head, s})
		b.n += int64(len(head)) + s.n
	}
	return b
}

func (s span) contentRange(size int64) string {
	return fmt.Sprintf("bytes %d-%d/%d", s.off, s.off+s.n-1, size)
}

// buffered is the size up to which a body that is in memory is copied into the
// response, and sent with its head by one write.
const buffered = 4 << 10

// send sends the body; to HEAD its length alone.
func (b *body) send(w *weir.Response, r *weir.Request, c *content) {
	if c.body != nil && b.n < buffered {
		for _, p := range b.parts {
			_, _ = w.WriteString(p.head) // does not fail: there is no stream
			_, _ = w.Write(c.body[p.off : p.off+p.n])
		}
		_, _ = w.WriteString(b.tail)
		return
	}
	w.SetContentLength(b.n)
	s := w.Stream()
	if r.Method() == "HEAD" {
		_ = s.Commit() // ErrNoBody, or the client has disconnected
		return
	}
	if err := b.write(s, c); err != nil {
		s.Abort(err) // nothing, if it was the stream that ended
	}
}

// write sends the parts of the body, with what is around them.
func (b *body) write(s *weir.Stream, c *content) error {
	for _, p := range b.parts {
		if _, err := s.Write([]byte(p.head)); err != nil {
			return err
		}
		if err := c.sendPart(s, p.span); err != nil {
			return err
		}
	}
	return s.Send([]byte(b.tail))
}

// sendPart sends a part of the file: from memory, by the kernel if it can, else
// piece by piece.
func (c *content) sendPart(s *weir.Stream, p span) error {
	switch f := c.file.(type) {
	case nil:
		return s.Send(c.body[p.off : p.off+p.n])
	case *os.File:
		_, err := s.SendFile(watched{f, c}, p.off, p.n)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = ErrChanged
		}
		return err
	}
	piece := pieces.Get().(*[pieceSize]byte)
	defer pieces.Put(piece)
	for p.n > 0 {
		next := piece[:min(p.n, pieceSize)]
		if err := c.readAt(next, p.off); err != nil {
			return err
		}
		if err := s.Send(next); err != nil {
			return err
		}
		p.off += int64(len(next))
		p.n -= int64(len(next))
	}
	return nil
}

const pieceSize = 64 << 10

var pieces = sync.Pool{New: func() any { return new([pieceSize]byte) }}
