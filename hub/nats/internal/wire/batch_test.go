package wire

import (
	"bytes"
	"strings"
	"testing"
)

type pair struct{ name, data string }

// decode returns the events before the error.
func decode(batch []byte) (got []pair, err error) {
	last := false
	for e, err := range Events(batch) {
		if last {
			panic("there is one behind the last")
		}
		if last = e.Last; err != nil {
			return got, err
		}
		got = append(got, pair{string(e.Name), string(e.Data)})
	}
	if !last {
		panic("none is the last")
	}
	return got, nil
}

func encode(all []pair) (batch []byte) {
	for _, e := range all {
		batch = AppendEvent(batch, e.name, []byte(e.data))
	}
	return batch
}

var large = strings.Repeat("x", 70000)

func TestBatch(t *testing.T) {
	for name, want := range map[string][]pair{
		"one":         {{"", "hello"}},
		"empty event": {{"", ""}},
		"names":       {{"token", " world"}, {"", "\n"}, {"done", ""}},
		"bytes":       {{"\x01\xff", "\x00\x80\xff"}},
		"large":       {{"", "a"}, {"big", large}, {"", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			batch := encode(want)
			got, err := decode(batch)
			if err != nil || !equal(got, want) {
				t.Fatalf("got %q, %v", got, err)
			}
			size := 0
			for _, e := range want {
				size += SizeOf(e.name, []byte(e.data))
			}
			if len(batch) > size {
				t.Errorf("got %d bytes, SizeOf says at most %d", len(batch), size)
			}
		})
	}
}

func equal(a, b []pair) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// A batch that is cut is an error, except between two events; what was whole before
// the cut is what was sent.
func TestBatchCut(t *testing.T) {
	all := []pair{{"token", " world"}, {"", ""}, {"", strings.Repeat("y", 200)}, {"end", "!"}}
	batch := encode(all)
	ends := map[int]int{}
	for n := range all {
		ends[len(encode(all[:n+1]))] = n + 1
	}
	for cut := range len(batch) + 1 {
		got, err := decode(bytes.Clone(batch[:cut]))
		if n, whole := ends[cut]; whole != (err == nil) || whole && n != len(got) || !equal(got, all[:len(got)]) {
			t.Errorf("cut at %d: got %q, %v", cut, got, err)
		}
	}
}

func TestBatchGarbage(t *testing.T) {
	for name, batch := range map[string]string{
		"nothing":             "",
		"name alone":          "\x01a",
		"line break in name":  "\x03a\nb\x01c",
		"NUL in name":         "\x01\x00\x01c",
		"length past the end": "\x00\x05abc",
		"huge length":         "\x00\xff\xff\xff\xff\xff\xff\xff\xff\x7fabc",
		"overflowing length":  "\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7fabc",
		"too many events":     strings.Repeat("\x00\x00", MaxEvents+1),
	} {
		if got, err := decode([]byte(batch)); err != ErrBatch {
			t.Errorf("%s: got %d events, %v, want %v", name, len(got), err, ErrBatch)
		}
	}
	if got, err := decode([]byte(strings.Repeat("\x00\x00", MaxEvents))); err != nil || len(got) != MaxEvents {
		t.Errorf("got %d events, %v, want %d", len(got), err, MaxEvents)
	}
}

// What is decoded is what would be encoded, and stays within the batch.
func FuzzBatch(f *testing.F) {
	f.Add(encode([]pair{{"token", " world"}, {"", "x"}}))
	f.Add([]byte("\x00\x05abc"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, batch []byte) {
		got, err := decode(batch)
		again := encode(got)
		if len(again) > len(batch) {
			t.Fatalf("got %d bytes of events from a batch of %d", len(again), len(batch))
		}
		if second, err2 := decode(again); len(got) > 0 && (err2 != nil || !equal(second, got)) {
			t.Fatalf("got %q, %v, want %q", second, err2, got)
		}
		if err == nil && len(got) == 0 {
			t.Fatal("got a batch without an event")
		}
	})
}
