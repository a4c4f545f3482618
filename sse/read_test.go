package sse

import (
	"errors"
	"io"
	"iter"
	"strings"
	"testing"
	"testing/iotest"
)

// messages reads a stream that must not fail.
func messages(t *testing.T, stream string) iter.Seq[*Event] {
	return func(yield func(*Event) bool) {
		for e, err := range Read(strings.NewReader(stream)) {
			if err != nil {
				t.Errorf("%q: %v", stream, err)
				return
			}
			if !yield(e) {
				return
			}
		}
	}
}

func TestRead(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		name string
		r    io.Reader
		want string
		err  error
	}{
		{"clean", strings.NewReader("data: a\n\nevent: e\nid: 1\ndata: b\n\n"), "|a;e1|b;", nil},
		{"byte by byte", iotest.OneByteReader(strings.NewReader("data: a\r\n\r\nid: 1\n\ndata: b\n\n")), "|a;1|b;", nil},
		{"error with data", iotest.DataErrReader(strings.NewReader("data: a\n\n")), "|a;", nil},
		{"truncated", strings.NewReader("data: a\n\ndata: b\n"), "|a;", ErrTruncated},
		{"reader fails", io.MultiReader(strings.NewReader("data: a\n\n"), iotest.ErrReader(broken)), "|a;", broken},
		{"reader fails within an event", io.MultiReader(strings.NewReader("data: a\n"), iotest.ErrReader(broken)), "", broken},
		{"reader gives nothing", nothing{}, "", io.ErrNoProgress},
		{"empty", strings.NewReader(""), "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got strings.Builder
			var failed error
			for e, err := range Read(tt.r) {
				if failed != nil {
					t.Fatal("the sequence went on after an error")
				}
				if failed = err; err != nil {
					if e != nil {
						t.Errorf("got event %v with error %v, want none", e, err)
					}
					continue
				}
				got.WriteString(e.Name + e.ID + "|" + string(e.Data) + ";")
			}
			if got.String() != tt.want || !errors.Is(failed, tt.err) || (tt.err == nil) != (failed == nil) {
				t.Errorf("got %q, %v, want %q, %v", got.String(), failed, tt.want, tt.err)
			}
		})
	}
}

type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

// An event is the caller's to keep, and leaving the loop stops the reading.
func TestReadKeepsEvents(t *testing.T) {
	var kept []*Event
	for e, err := range Read(strings.NewReader("data: one\n\ndata: two\n\ndata: 333\n\n")) {
		if err != nil {
			t.Fatal(err)
		}
		if kept = append(kept, e); len(kept) == 2 {
			break
		}
	}
	if got := string(kept[0].Data) + string(kept[1].Data); got != "onetwo" || len(kept) != 2 {
		t.Errorf("got %q, want onetwo", got)
	}
}

func TestReadLimit(t *testing.T) {
	d := &Decoder{MaxLine: 8}
	var long *TooLongError
	for _, err := range d.Read(strings.NewReader("data: 123\n\n")) {
		if !errors.As(err, &long) {
			t.Errorf("got %v, want a TooLongError", err)
		}
	}
	if long == nil {
		t.Error("got no error")
	}
}

func TestReadState(t *testing.T) {
	d := new(Decoder)
	for range d.Read(strings.NewReader("retry: 10\nid: 5\n\n")) {
		t.Error("got an event, want none")
	}
	if d.LastEventID() != "5" || d.Retry().Milliseconds() != 10 {
		t.Errorf("got %q, %v, want 5, 10ms", d.LastEventID(), d.Retry())
	}
}
