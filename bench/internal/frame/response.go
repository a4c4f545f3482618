// Package frame reads the servers' responses, a piece at a time as they come
// from the socket: the head and the framing of an HTTP/1.1 response, and the
// SSE events in its body. It is written apart from weir's own decoders, so that
// the measure does not share the faults of the measured. It trusts its servers:
// hostile input gets an error, not a careful one.
package frame

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

var (
	errLong     = errors.New("frame: line or head longer than 64 KiB")
	errChunk    = errors.New("frame: bad chunk framing")
	errExcess   = errors.New("frame: bytes after the end of the response")
	headEnd     = []byte("\r\n\r\n")
	endOfLine   = []byte("\r\n")
	maxKept     = 64 << 10
	chunkedName = "chunked"
)

// part is what the reader expects next.
type part uint8

const (
	inHead part = iota
	inFixed
	inUntilClose
	inChunkSize
	inChunkData
	inChunkEnd
	inTrailer
	ended
)

// Response reads one response. The zero value is ready; Reset makes it ready
// for the next one on the same connection and keeps its buffer.
type Response struct {
	Status int // of the head; 0 before it is complete

	part part
	left int64  // bytes of the fixed body or the chunk still to come
	kept []byte // a head or line that came in pieces
}

// Reset forgets the current response.
func (r *Response) Reset() { *r = Response{kept: r.kept[:0]} }

// Done reports whether the whole response has come.
func (r *Response) Done() bool { return r.part == ended }

// Feed consumes p and passes the body's bytes on without their framing; they
// are valid during the call. Bytes after the response's end are an error,
// since no client here pipelines.
func (r *Response) Feed(p []byte, body func([]byte)) error {
	for len(p) > 0 {
		var err error
		switch r.part {
		case inHead:
			p, err = r.take(p, headEnd, r.head)
		case inFixed, inChunkData, inUntilClose:
			p = r.data(p, body)
		case inChunkSize:
			p, err = r.take(p, endOfLine, r.chunkSize)
		case inChunkEnd:
			p, err = r.take(p, endOfLine, r.chunkEnd)
		case inTrailer:
			p, err = r.take(p, endOfLine, r.trailer)
		case ended:
			return errExcess
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Close reports that the server closed; it is an error before the end unless
// the body lasts until then.
func (r *Response) Close() error {
	if r.part == inUntilClose {
		r.part = ended
	}
	if r.part != ended {
		return fmt.Errorf("frame: connection closed inside a response (status %d)", r.Status)
	}
	return nil
}

// take gives use everything up to stop, keeping what is incomplete, and
// returns what follows stop.
func (r *Response) take(p, stop []byte, use func([]byte) error) ([]byte, error) {
	if len(r.kept) == 0 {
		if i := bytes.Index(p, stop); i >= 0 {
			return p[i+len(stop):], use(p[:i])
		}
	}
	before := len(r.kept)
	r.kept = append(r.kept, p...)
	from := max(0, before-len(stop)+1)
	i := bytes.Index(r.kept[from:], stop)
	if i < 0 {
		if len(r.kept) > maxKept {
			return nil, errLong
		}
		return nil, nil
	}
	end := from + i
	err := use(r.kept[:end])
	r.kept = r.kept[:0]
	return p[end+len(stop)-before:], err
}

func (r *Response) head(head []byte) error {
	lines := strings.Split(string(head), "\r\n")
	words := strings.SplitN(lines[0], " ", 3)
	if len(words) < 2 || !strings.HasPrefix(words[0], "HTTP/1.") {
		return fmt.Errorf("frame: bad status line %q", lines[0])
	}
	var err error
	if r.Status, err = strconv.Atoi(words[1]); err != nil {
		return fmt.Errorf("frame: bad status line %q", lines[0])
	}
	r.part = inUntilClose
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(name) {
		case "transfer-encoding":
			if strings.EqualFold(value, chunkedName) {
				r.part = inChunkSize
			}
		case "content-length":
			if r.left, err = strconv.ParseInt(value, 10, 64); err != nil || r.left < 0 {
				return fmt.Errorf("frame: bad Content-Length %q", value)
			}
			r.part = inFixed
			if r.left == 0 {
				r.part = ended
			}
		}
	}
	return nil
}

func (r *Response) data(p []byte, body func([]byte)) []byte {
	if r.part == inUntilClose {
		body(p)
		return nil
	}
	n := min(r.left, int64(len(p)))
	body(p[:n])
	r.left -= n
	if r.left == 0 {
		if r.part == inFixed {
			r.part = ended
		} else {
			r.part = inChunkEnd
		}
	}
	return p[n:]
}

func (r *Response) chunkSize(line []byte) error {
	digits, _, _ := bytes.Cut(line, []byte(";"))
	var n int64
	for _, c := range bytes.TrimSpace(digits) {
		v := hexValue(c)
		if v < 0 || n >= 1<<40 {
			return errChunk
		}
		n = n<<4 | v
	}
	if len(digits) == 0 {
		return errChunk
	}
	r.left, r.part = n, inChunkData
	if n == 0 {
		r.part = inTrailer
	}
	return nil
}

func hexValue(c byte) int64 {
	switch {
	case c >= '0' && c <= '9':
		return int64(c - '0')
	case c >= 'a' && c <= 'f':
		return int64(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int64(c-'A') + 10
	}
	return -1
}

func (r *Response) chunkEnd(line []byte) error {
	if len(line) != 0 {
		return errChunk
	}
	r.part = inChunkSize
	return nil
}

func (r *Response) trailer(line []byte) error {
	if len(line) == 0 {
		r.part = ended
	}
	return nil
}
