package weir

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"weir/reactor"
)

// fileWire is a wire that may be able to send files without a copy.
type fileWire interface {
	SendsFiles() bool
	SendFile(f reactor.File, off int64, n int) (sent int, room <-chan struct{}, err error)
}

// filePiece is how much of a file one call of fileWire is for.
const filePiece = 1 << 20

// SendFile sends n bytes of f, an *[os.File], from offset off on, and returns how
// many of them it has sent. If the response has a length (see
// [Response.SetContentLength]) the kernel sends them without a copy in this
// process, where it can: on Linux in the clear; otherwise they are read and sent
// in pieces. Memory does not depend on n, and the place of f does not change.
//
// It waits as [Stream.Send] does, for the client and also for a disk, and on the
// event loop returns [ErrBlockingOnLoop]. If f ends before, it returns
// [io.ErrUnexpectedEOF]: abort the stream then. What is written to f meanwhile
// may be among what the client receives; to refuse that, let f be a type of your
// own around the file: SyscallConn is called before each piece that the kernel
// sends, ReadAt for each that it does not, and their errors end SendFile.
func (s *Stream) SendFile(f reactor.File, off, n int64) (sent int64, err error) {
	copies, err := s.beginFile(n)
	for sent < n && err == nil {
		var k int64
		if copies {
			k, err = s.copyFile(f, off+sent, n-sent)
		} else if k, err = s.passFile(f, off+sent, n-sent); errors.Is(err, errCopy) {
			copies, err = true, nil
		}
		sent += k
	}
	return sent, err
}

// errCopy is for a file that has to be copied.
var errCopy = errors.New("weir: the kernel does not send this file")

// beginFile commits the head, and reports whether the n bytes of file behind it
// have to be copied.
func (s *Stream) beginFile(n int64) (copies bool, err error) {
	l, _, err := s.acquire(true)
	if err != nil {
		return false, err
	}
	ex := l.ex
	if ex.onLoop || ex.loop.live() {
		l.unlock()
		return false, ErrBlockingOnLoop
	}
	if err := l.fits(n); err != nil {
		return false, err
	}
	s.file = true
	if err := l.ready(0); err != nil {
		return false, err
	}
	w, ok := ex.wire.(fileWire)
	copies = s.chunks || !ok || !w.SendsFiles()
	l.unlock() // the head is sent with what follows it
	return copies, nil
}

// passFile lets the kernel send a piece of f, and waits while it takes none.
func (s *Stream) passFile(f reactor.File, off, n int64) (sent int64, err error) {
	l, _, err := s.acquire(true)
	if err != nil {
		return 0, err
	}
	if err := l.fits(n); err != nil { // others have sent something meanwhile
		return 0, err
	}
	s.passing = n
	k, room, err := l.ex.wire.(fileWire).SendFile(f, off, int(min(n, filePiece)))
	s.passing = 0
	if k > 0 {
		l.countChunk(k)
	}
	l.flush()
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
	case err != nil:
		err = errCopy // if it was the connection that failed, so will the copy
	case room != nil:
		<-room
	}
	return int64(k), err
}

// copyFile reads a piece of f and sends it. It waits for the client before it
// takes the piece's memory, not with it.
func (s *Stream) copyFile(f reactor.File, off, n int64) (sent int64, err error) {
	l, _, err := s.acquire(true)
	if err != nil {
		return 0, err
	}
	l.unlock()
	piece := filePieces.Get().(*[64 << 10]byte)
	defer filePieces.Put(piece)
	k, err := f.ReadAt(piece[:min(n, int64(len(piece)))], off)
	if k > 0 {
		if err := s.Send(piece[:k]); err != nil {
			return 0, err
		}
		return int64(k), nil
	}
	if errors.Is(err, io.EOF) {
		return 0, io.ErrUnexpectedEOF
	}
	return 0, fmt.Errorf("weir: reading a file to send: %w", err)
}

var filePieces = sync.Pool{New: func() any { return new([64 << 10]byte) }}

var _ fileWire = (*reactor.Conn)(nil)
