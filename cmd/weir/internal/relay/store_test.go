package relay

import (
	"bytes"
	"testing"
)

// What is kept comes out as it went in, at its place, however it was cut; and
// again after rewind, until it is freed.
func TestStore(t *testing.T) {
	body := make([]byte, 3*segment+1000)
	for i := range body {
		body[i] = byte(i >> 3)
	}
	for _, size := range []int{1 << 10, segment - 1, segment, segment + 1, len(body)} {
		var s store
		for rest := body; len(rest) > 0; {
			n := min(size, len(rest))
			s.add(rest[:n])
			rest = rest[n:]
		}
		for _, p := range s.parts {
			if len(p) > segment {
				t.Errorf("pieces of %d: got a part of %d, want no more than %d", size, len(p), segment)
			}
		}
		if !bytes.Equal(s.first(), body[:segment]) {
			t.Errorf("pieces of %d: got %d bytes first, want %d", size, len(s.first()), segment)
		}
		for range 2 {
			s.rewind()
			if out := taken(t, &s); !bytes.Equal(out, body) {
				t.Errorf("pieces of %d: got %d other bytes, want the %d", size, len(out), len(body))
			}
		}
		if s.free(); !s.empty() || s.waiting() || s.first() != nil {
			t.Errorf("pieces of %d: got %d parts after free", size, len(s.parts))
		}
	}
}

// taken takes all that waits and checks where it stands.
func taken(t *testing.T, s *store) (out []byte) {
	t.Helper()
	for s.waiting() {
		at, p := s.take()
		if at != len(out) {
			t.Errorf("got a part at %d, want %d", at, len(out))
		}
		out = append(out, p...)
	}
	return out
}

// What is added behind parts that were taken, freed or skipped is not lost and
// stands where it belongs.
func TestStoreInterleaved(t *testing.T) {
	var s store
	s.add([]byte("ab"))
	if at, p := s.take(); at != 0 || string(p) != "ab" {
		t.Errorf("got %q at %d", p, at)
	}
	s.add([]byte("cd"))
	s.free()
	if s.empty() || !s.waiting() {
		t.Error("what was not taken was freed")
	}
	if at, p := s.take(); at != 2 || string(p) != "cd" || s.waiting() {
		t.Errorf("got %q at %d", p, at)
	}
	s.free()
	s.skip(3)
	s.add([]byte("hi"))
	if at, p := s.take(); at != 7 || string(p) != "hi" {
		t.Errorf("got %q at %d after a skip, want it at 7", p, at)
	}
	s.forget()
	if !s.empty() || s.waiting() {
		t.Error("got something after forget")
	}
}

// Small pieces that are taken as they come share their parts: what is kept of
// them is not much more than they are.
func TestStoreOfSmallPieces(t *testing.T) {
	var s store
	for range 5 * segment / 100 {
		s.add(make([]byte, 100))
		s.take()
	}
	if s.waiting() || s.size() > 6*segment {
		t.Errorf("got %d bytes kept of %d", s.size(), 5*segment)
	}
	s.rewind()
	if n := len(taken(t, &s)); n != 5*segment/100*100 {
		t.Errorf("got %d bytes once more, want all", n)
	}
	if s.free(); !s.empty() {
		t.Errorf("got %d parts after free", len(s.parts))
	}
}
