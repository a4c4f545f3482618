package sse

import (
	"io"
	"iter"
)

// readSize is the size of the buffer that Read reads into.
const readSize = 8 << 10

// Read reads the events of r with a zero [Decoder]: see [Decoder.Read].
//
//	for ev, err := range sse.Read(resp.Body) {
//		if err != nil {
//			return err
//		}
//		fmt.Printf("%s\n", ev.Data)
//	}
func Read(r io.Reader) iter.Seq2[*Event, error] { return new(Decoder).Read(r) }

// Read resets d and reads the events of r, on the caller's goroutine, as they
// are ranged over. The caller may keep an event; its ID is the stream's last
// event id as of that event, as in a browser.
//
// The sequence ends in one of three ways. At io.EOF between two events it just
// ends. At any other error it yields that once, with a nil event, and ends: the
// reader's own, a *[TooLongError], or [ErrTruncated] for an io.EOF within an
// event. If the loop breaks early, what was read ahead is lost. r is never
// closed. Afterwards, LastEventID and Retry return how to reconnect. The
// sequence can be ranged over once.
func (d *Decoder) Read(r io.Reader) iter.Seq2[*Event, error] {
	return func(yield func(*Event, error) bool) {
		d.Reset()
		rd := reader{d: d, yield: yield}
		src := source{Reader: r, buf: make([]byte, readSize)}
		for {
			piece, err := src.next()
			if !rd.events(piece) {
				return
			}
			if err == io.EOF {
				err = d.Close()
				if err == nil {
					return
				}
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// reader yields what a Decoder finds. Streams repeat a few names and ids: it
// copies one only when it changes.
type reader struct {
	d        *Decoder
	yield    func(*Event, error) bool
	name, id string
}

// events yields the events that end in piece; false = the sequence has ended.
func (r *reader) events(piece []byte) bool {
	for {
		m, n, err := r.d.Next(piece)
		if err != nil {
			r.yield(nil, err)
			return false
		}
		if m == nil {
			return true
		}
		if string(m.Name) != r.name {
			r.name = string(m.Name)
		}
		if string(r.d.lastID) != r.id {
			r.id = string(r.d.lastID)
		}
		if !r.yield(&Event{ID: r.id, Name: r.name, Data: append([]byte{}, m.Data...), Retry: m.Retry}, nil) {
			return false
		}
		piece = piece[n:]
	}
}

// source reads pieces from an io.Reader.
type source struct {
	io.Reader
	buf []byte
}

// next returns the next piece, valid until the next call, and the error that
// came with it. A reader that keeps returning nothing is not read forever.
func (s *source) next() ([]byte, error) {
	const patience = 100
	for range patience {
		if n, err := s.Read(s.buf); n > 0 || err != nil {
			return s.buf[:n], err
		}
	}
	return nil, io.ErrNoProgress
}
