package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"time"
)

const (
	pollEvery = 200 * time.Millisecond
	lastBytes = 64 << 10 // of the file that are shown at the start
	maxLine   = 16 << 10 // bytes; a longer line is several
)

// follow yields the last lines of a file, and then those that are added, until ctx is
// done. It waits for a file that is not there.
func follow(ctx context.Context, name string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		f := follower{name: name}
		defer f.close()
		for ctx.Err() == nil {
			switch err := f.step(yield); {
			case errors.Is(err, errStopped):
				return
			case err != nil:
				yield("", err)
				return
			}
			select {
			case <-time.After(pollEvery):
			case <-ctx.Done():
			}
		}
	}
}

// A follower is how far a file was read.
type follower struct {
	name  string
	file  *os.File // nil: it is not there
	begun bool     // it was there before
	at    int64
	split splitter
}

// step reads what is new.
func (f *follower) step(yield func(string, error) bool) error {
	if f.file == nil {
		if err := f.open(); err != nil || f.file == nil {
			return err
		}
	}
	here, err := f.file.Stat()
	if err != nil {
		return err
	}
	named, err := os.Stat(f.name)
	replaced := err != nil || !os.SameFile(here, named) // or removed: this one is read to its end
	if here.Size() < f.at {                             // cut short
		f.split.reset()
		if f.at, err = f.file.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
	for err = nil; err == nil; {
		var n int64
		n, err = f.split.fill(f.file, yield)
		f.at += n
	}
	if err != io.EOF {
		return err
	}
	if replaced {
		f.close()
		return f.split.end(yield)
	}
	return nil
}

// open opens the file, if it is there: the first one near its end.
func (f *follower) open() error {
	file, err := os.Open(f.name)
	if errors.Is(err, fs.ErrNotExist) {
		f.begun = true // all of it will be new
		return nil
	}
	if err != nil {
		return err
	}
	f.file, f.at = file, 0
	if info, err := file.Stat(); err == nil && !f.begun && info.Size() > lastBytes {
		f.at, err = file.Seek(-lastBytes, io.SeekEnd)
		if err != nil {
			return err
		}
		f.split.skip = true // it begins within a line
	}
	f.begun = true
	return nil
}

func (f *follower) close() {
	if f.file != nil {
		_ = f.file.Close() // it was only read
		f.file = nil
	}
}

var errStopped = errors.New("no more lines are wanted")

// A splitter makes lines of what it reads.
type splitter struct {
	line []byte // has begun, and not ended
	skip bool   // the line that has begun is not wanted
	buf  [4096]byte
}

func (s *splitter) reset() { s.line, s.skip = s.line[:0], false }

// fill reads once, and yields the lines that end there.
func (s *splitter) fill(r io.Reader, yield func(string, error) bool) (int64, error) {
	n, err := r.Read(s.buf[:])
	for rest := s.buf[:n]; len(rest) > 0; {
		piece, after, ended := bytes.Cut(rest, []byte("\n"))
		if room := maxLine - len(s.line); len(piece) > room {
			piece, after, ended = piece[:room], rest[room:], true
		}
		s.line = append(s.line, piece...)
		rest = after
		if ended && !s.flush(yield) {
			return int64(n), errStopped
		}
	}
	return int64(n), err
}

// end yields a line that was not ended.
func (s *splitter) end(yield func(string, error) bool) error {
	if len(s.line) > 0 && !s.flush(yield) {
		return errStopped
	}
	s.reset()
	return nil
}

// flush yields the line that has begun, and reports whether more are wanted.
func (s *splitter) flush(yield func(string, error) bool) bool {
	line, skip := string(bytes.TrimSuffix(s.line, []byte("\r"))), s.skip
	s.reset()
	return skip || yield(line, nil)
}
