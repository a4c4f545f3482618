package hub

import (
	"strings"
	"testing"
)

// An id is read back as what it was made of, and nothing else is one.
func FuzzID(f *testing.F) {
	f.Add("i", "t", uint64(1), uint32(0), "2")
	f.Add("", "", uint64(1<<63), uint32(7), "-1")
	f.Fuzz(func(t *testing.T, incarnation, topic string, seq uint64, part uint32, other string) {
		epoch, at := epochOf(incarnation, topic), Position{seq, part}
		id := idOf(epoch, at)
		if got, ok := parseID(epoch, id); !ok || got != at {
			t.Errorf("%s: got %v, %v, want %v", id, got, ok, at)
		}
		if strings.ContainsAny(id, "\r\n\x00 ") {
			t.Errorf("%q cannot be an id", id)
		}
		for _, text := range []string{other, epoch + other, epoch + "-" + other, id + other} {
			if got, ok := parseID(epoch, text); ok && idOf(epoch, got) != text {
				t.Errorf("%q is taken for %v", text, got)
			}
		}
		if _, ok := parseID(epochOf(incarnation, topic+"x"), id); ok {
			t.Errorf("%s is taken for one of another topic", id)
		}
	})
}
