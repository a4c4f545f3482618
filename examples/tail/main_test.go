package main

import (
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"weir"
	"weir/hub"
	"weir/weirtest"
)

// shown returns the data of the events of a response.
func shown(res *weirtest.Response) (lines []string) {
	for line := range strings.Lines(res.Body) {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			lines = append(lines, strings.TrimSuffix(data, "\n"))
		}
	}
	return lines
}

// serve publishes lines on a server in memory.
func serve(t *testing.T, lines iter.Seq2[string, error]) *weirtest.Server {
	t.Helper()
	h, err := hub.New(hub.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- publish(t.Context(), h, lines) }()
	t.Cleanup(func() {
		_ = h.Close() // it returns the memory broker's nil
		if err := <-ended; err != nil && !errors.Is(err, hub.ErrClosed) {
			t.Error(err)
		}
	})
	return weirtest.Start(t, &weir.Server{Handler: routes(h)})
}

// A file grows, is replaced, is cut short, and is gone for a while: all its lines
// arrive, once.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "log")
		write := func(flag int, text string) {
			t.Helper()
			f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|flag, 0o600)
			if err == nil {
				_, err = io.WriteString(f, text)
				err = errors.Join(err, f.Close())
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		write(0, strings.Repeat("old\n", lastBytes)+"last\n")
		s := serve(t, follow(t.Context(), name))
		s.Tick(pollEvery)
		c := s.Get("/")
		want := append(slices.Repeat([]string{"old"}, lastBytes/4-2), "last")
		var got []string
		check := func(what string, more ...string) {
			t.Helper()
			s.Tick(2 * pollEvery)
			got, want = shown(c.Response()), append(want, more...)
			// of the first ones the hub may have dropped some
			if n := min(len(got), len(want)); n < 100 || !slices.Equal(got[len(got)-n:], want[len(want)-n:]) {
				t.Fatalf("%s: got %d lines, the last of them %q, want %d, the last of them %q", what, len(got), got[max(0, len(got)-5):], len(want), want[len(want)-5:])
			}
		}
		check("at the start")
		write(os.O_APPEND, "one\ntw")
		check("within a line", "one")
		write(os.O_APPEND, "o\r\n\nthree\n")
		check("the rest of it", "two", "", "three")
		must(os.Rename(name, name+".1"))
		write(0, "fresh\n")
		check("replaced", "fresh")
		write(os.O_TRUNC, "cut\n")
		check("cut short", "cut")
		write(os.O_APPEND, "unfinished")
		must(os.Remove(name))
		check("removed", "unfinished")
		write(0, "back\n")
		check("back", "back")
	})
}

// When standard input ends, the response is complete, and a browser that comes back
// is sent away.
func TestInputEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, read(iotest.OneByteReader(strings.NewReader("a\nb\n\nc"))))
		if res := s.Get("/").Response(); !slices.Equal(shown(res), []string{"a", "b", "", "c"}) || !res.Complete {
			t.Errorf("got %q, complete %v", shown(res), res.Complete)
		}
		again := s.Dial()
		again.Send("GET / HTTP/1.1\r\nHost: tail\r\nAccept: application/x-ndjson\r\n\r\n")
		if res := again.Response(); !strings.Contains(res.Body, `"data":"c"}`+"\n") {
			t.Errorf("got %q", res.Body)
		}
	})
}

func TestLongLines(t *testing.T) {
	long := strings.Repeat("x", maxLine)
	var got []string
	for line, err := range read(strings.NewReader(long + "\n" + long + "y\nz")) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, line)
	}
	if !slices.Equal(got, []string{long, long, "y", "z"}) {
		t.Errorf("got %d lines", len(got))
	}
	for line, err := range read(iotest.ErrReader(io.ErrClosedPipe)) {
		if err != io.ErrClosedPipe {
			t.Errorf("got %q, %v", line, err)
		}
	}
}
