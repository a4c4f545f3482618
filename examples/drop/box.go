package main

import (
	"crypto/rand"
	"errors"
	"slices"
	"sync"
)

// file is one that was left here. It does not change.
type file struct {
	ID, Name string
	Content  []byte
}

// A box keeps files, in memory: at most so many, and so many bytes. It is safe
// for concurrent use.
type box struct {
	most, room int
	mu         sync.Mutex
	files      []file
}

func newBox(most, room int) *box { return &box{most: most, room: room} }

var errFull = errors.New("the box is full")

func (b *box) add(name string, content []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.files) == b.most || len(content) > b.room {
		return errFull
	}
	b.room -= len(content)
	b.files = append(b.files, file{rand.Text(), name, content})
	return nil
}

func (b *box) get(id string) (file, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.files {
		if f.ID == id {
			return f, true
		}
	}
	return file{}, false
}

func (b *box) list() []file {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.files)
}
