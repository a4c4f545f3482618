package static

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// ErrChanged is the failure of a response whose file changed while it was sent,
// or does not keep still long enough to be read.
var ErrChanged = errors.New("static: file changed while it was sent")

// smallFile is the size up to which a file is read whole before the response
// begins, and its content may be kept.
const smallFile = 64 << 10

// A content is one version of one file: its bytes, or the open file.
type content struct {
	version
	media        string // the Content-Type
	tag          string // "" = none
	modified     time.Time
	lastModified string // both unset if there is none

	body []byte  // the whole of it; nil if file is open. Not to be changed: requests share it
	file fs.File // to be closed by the request that has it
}

func (c *content) close() {
	if c.file != nil {
		_ = c.file.Close() // it was only read
	}
}

// version distinguishes what a file has been from what it is: it changes with
// every change of the content. Without inode and change time it is as good as
// the time of modification.
type version struct {
	size           int64
	dev, ino       uint64
	links          uint64 // names that the file has
	mtime, ctime   int64  // Unix, in nanoseconds
	timed, precise bool   // there is a modification time; all of the rest is known
}

func versionOf(info fs.FileInfo) version {
	v := version{size: info.Size()}
	if at := info.ModTime(); !at.IsZero() {
		v.mtime, v.timed = at.UnixNano(), true
	}
	v.identify(info)
	return v
}

// look returns the file of that name, or that it is a folder.
func (f *Files) look(name string) (c *content, folder bool, err error) {
	if f.NoSymlinks {
		if err := checkLinks(f.tree, name); err != nil {
			return nil, false, err
		}
	}
	if large := f.cache.of(name); large != nil && large.body == nil { // it is opened in any case
		if c, err := f.load(name, large); err == nil {
			return c, false, nil
		} // else it has become something else
	}
	info, err := f.tree.stat(name)
	switch {
	case err != nil:
		return nil, false, err
	case info.IsDir():
		return nil, true, nil
	case !info.Mode().IsRegular():
		return nil, false, errIrregular
	}
	if c := f.cache.of(name); c != nil && c.body != nil && c.version == versionOf(info) {
		return c, false, nil
	}
	for range readTries {
		if c, err = f.load(name, nil); !errors.Is(err, ErrChanged) {
			break
		}
	}
	return c, false, err
}

// readTries is how often a small file is read that changes meanwhile.
const readTries = 3

// load opens a file, and reads it if it is small. known is what the cache has of
// a large one, or nil.
func (f *Files) load(name string, known *content) (c *content, err error) {
	file, err := f.tree.open(name)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil || c.body != nil {
			_ = file.Close() // it was only read
		}
	}()
	now := f.now()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("static: %w", err)
	case !info.Mode().IsRegular(): // it is not what was looked at
		return nil, errIrregular
	}
	v := versionOf(info)
	if known != nil && known.version == v {
		c = new(*known)
		c.file = file
		return c, nil
	}
	if age := now.Sub(time.Unix(0, v.ctime)); v.precise && 0 <= age && age < tick {
		time.Sleep(tick - age)
		if v, err = current(file); err != nil {
			return nil, err
		}
	}
	c = &content{version: v, media: f.typeOf(name)}
	if v.timed && v.mtime <= f.now().UnixNano() { // RFC 9110 8.8.2.1
		c.modified = time.Unix(0, v.mtime).UTC().Truncate(time.Second)
		c.lastModified = c.modified.Format(imfFixdate)
	}
	if v.size <= smallFile {
		err = c.read(file)
	} else {
		c.file = file
	}
	if err == nil {
		err = f.tagOf(name, c)
	}
	if err == nil {
		f.cache.put(name, c)
	}
	return c, err
}

// tick is longer than the clock of any usual file system stands still. A file
// that was changed less than that ago could be changed again without a trace in
// its times, and two contents would have one ETag: its next tick is waited for.
const tick = 20 * time.Millisecond

// current returns the version of an open file.
func current(file fs.File) (version, error) {
	info, err := file.Stat()
	if err != nil {
		return version{}, fmt.Errorf("static: %w", err)
	}
	return versionOf(info), nil
}

// read reads the whole file.
func (c *content) read(file fs.File) error {
	body := make([]byte, c.size)
	if _, err := io.ReadFull(file, body); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrChanged
	} else if err != nil {
		return fmt.Errorf("static: %w", err)
	}
	if c.changed(file) {
		return ErrChanged
	}
	c.body = body
	return nil
}

// changed reports whether file is another version than c now. That it was removed,
// or replaced by another of its name, does not change it, only its change time.
func (c *content) changed(file fs.File) bool {
	now, err := current(file)
	if now.links < c.links {
		now.links, now.ctime = c.links, c.ctime
	}
	return err != nil || now != c.version
}

// tagOf makes the ETag: a hash, so that it tells nobody an inode's number. That
// of a file without a time is made from its content, once.
func (f *Files) tagOf(name string, c *content) error {
	if c.timed {
		var b [40]byte
		for i, n := range [...]uint64{uint64(c.size), c.dev, c.ino, uint64(c.mtime), uint64(c.ctime)} {
			binary.LittleEndian.PutUint64(b[i*8:], n)
		}
		c.tag = quoted(sha256.Sum256(b[:]))
		return nil
	}
	if tag, ok := f.tags.Load(name); ok {
		c.tag = tag.(string)
		return nil
	}
	if c.body != nil {
		c.tag = quoted(sha256.Sum256(c.body))
	} else {
		sum, err := f.sum(name)
		if err != nil {
			return err
		}
		c.tag = quoted(sum)
	}
	f.tags.Store(name, c.tag)
	return nil
}

// sum hashes a file.
func (f *Files) sum(name string) (sum [sha256.Size]byte, err error) {
	file, err := f.tree.open(name)
	if err != nil {
		return sum, err
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return sum, fmt.Errorf("static: %w", err)
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

func quoted(sum [sha256.Size]byte) string {
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}

// seekable reports whether any part of the file can be sent.
func (c *content) seekable() bool {
	switch c.file.(type) {
	case nil, io.ReaderAt, io.Seeker:
		return true
	}
	return false
}

// readAt fills p from the open file, which has not changed behind it. Without
// io.ReaderAt and io.Seeker what it reads must be the next.
func (c *content) readAt(p []byte, off int64) (err error) {
	if r, ok := c.file.(io.ReaderAt); ok {
		var n int
		if n, err = r.ReadAt(p, off); n == len(p) {
			err = nil
		}
	} else {
		if s, ok := c.file.(io.Seeker); ok {
			if _, err := s.Seek(off, io.SeekStart); err != nil {
				return fmt.Errorf("static: %w", err)
			}
		}
		_, err = io.ReadFull(c.file, p)
	}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), c.changed(c.file):
		return ErrChanged
	case err != nil:
		return fmt.Errorf("static: %w", err)
	}
	return nil
}

// A watched file can be read only while it is the version that the response is
// about: it is looked at before each piece that the kernel is to send, and behind
// each that is read. So the last piece is not sent of a file that has changed.
type watched struct {
	*os.File
	*content
}

// SyscallConn is what the kernel's sending begins with.
func (w watched) SyscallConn() (syscall.RawConn, error) {
	if w.changed(w.File) {
		return nil, ErrChanged
	}
	return w.File.SyscallConn()
}

func (w watched) ReadAt(p []byte, off int64) (int, error) {
	n, err := w.File.ReadAt(p, off)
	if w.changed(w.File) {
		return 0, ErrChanged
	}
	return n, err
}
