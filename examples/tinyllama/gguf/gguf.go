// Package gguf reads GGUF files, version 2 and 3: the format of llama.cpp's
// models.
//
// A file is, all little-endian:
//
//	"GGUF"  version u32  tensors u64  pairs u64
//	pairs:    key string, type u32, value          metadata
//	tensors:  name string, n u32, n × u64, type u32, offset u64
//	padding to general.alignment (32 by default)
//	data      each tensor at its offset from here
//
// where a string is its length as u64 and its bytes. Every count and length is
// checked against the bytes that are there before it is believed: a file that
// is truncated or not a GGUF file gives an error with the place, and no large
// allocation.
package gguf

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
)

// File is an open GGUF file. It is safe for concurrent use if its io.ReaderAt
// is.
type File struct {
	pairs   map[string]value
	tensors map[string]tensor
	r       io.ReaderAt
	size    int64
	data    int64 // where the tensors' offsets count from
}

// Open opens the file at path. closer closes it; the File is not used after
// that.
func Open(path string) (f *File, closer io.Closer, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("gguf: %w", err)
	}
	info, err := file.Stat()
	if err == nil {
		f, err = Read(file, info.Size())
	}
	if err != nil {
		file.Close() // it was only read
		return nil, nil, fmt.Errorf("%w (%s)", err, path)
	}
	return f, file, nil
}

// Read reads the head of a file of size bytes: everything but the tensors'
// data, which is read later.
func Read(r io.ReaderAt, size int64) (*File, error) {
	d := newDecoder(r, size)
	f := &File{r: r, size: size}
	if magic := d.bytes(4); string(magic) != "GGUF" {
		return nil, errors.New("gguf: the file does not begin with GGUF")
	}
	switch version := d.uint32(); version {
	case 2, 3:
	case 2 << 24, 3 << 24:
		return nil, errors.New("gguf: big-endian file: convert it to little-endian")
	default:
		return nil, fmt.Errorf("gguf: version %d, want 2 or 3", version)
	}
	tensors, pairs := d.uint64(), d.uint64()
	f.readPairs(d, pairs)
	f.readTensors(d, tensors)
	if d.err != nil {
		return nil, d.err
	}
	if err := f.place(d.at); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *File) readPairs(d *decoder, n uint64) {
	if !d.has(n, minPair, "metadata pairs") {
		return
	}
	f.pairs = make(map[string]value, n)
	for range n {
		key := d.name()
		v := d.value()
		if _, twice := f.pairs[key]; twice {
			d.fail("key %q comes twice", key)
		}
		if d.err != nil {
			return
		}
		f.pairs[key] = v
	}
}

// place finds where the data begins, after a head of that many bytes, and
// checks that every tensor lies in the file.
func (f *File) place(head int64) error {
	align := int64(32)
	if _, given := f.pairs["general.alignment"]; given {
		n, err := f.Int("general.alignment")
		if err != nil {
			return err
		}
		if align = int64(n); align <= 0 || align > 1<<20 || align&(align-1) != 0 {
			return fmt.Errorf("gguf: general.alignment is %d, want a power of two up to 1 MiB", align)
		}
	}
	f.data = (head + align - 1) &^ (align - 1)
	for name, t := range f.tensors {
		if left := f.size - f.data; t.bytes >= 0 && (left < 0 || t.offset > uint64(left) || t.bytes > left-int64(t.offset)) {
			return fmt.Errorf("gguf: tensor %q: %d bytes at offset %d are not all in the file: it is truncated", name, t.bytes, t.offset)
		}
	}
	return nil
}

// Has reports whether the metadata have that key.
func (f *File) Has(key string) bool {
	_, ok := f.pairs[key]
	return ok
}

// Keys returns the keys of the metadata, sorted.
func (f *File) Keys() []string {
	keys := make([]string, 0, len(f.pairs))
	for key := range f.pairs {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
