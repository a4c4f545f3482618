package logq

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// reader is what a Writer writes to. It takes nothing while it is blocked, and
// only so many bytes before it fails.
type reader struct {
	mu     sync.Mutex
	cond   sync.Cond
	block  bool
	room   int // -1 = it does not fail
	got    bytes.Buffer
	writes [][]byte
}

func newReader() *reader {
	r := &reader{room: -1}
	r.cond.L = &r.mu
	return r
}

func (r *reader) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.block {
		r.cond.Wait()
	}
	n := len(p)
	if r.room >= 0 {
		n = min(n, r.room)
		r.room -= n
	}
	r.got.Write(p[:n])
	r.writes = append(r.writes, bytes.Clone(p[:n]))
	if n < len(p) {
		return n, errors.New("no space left")
	}
	return n, nil
}

func (r *reader) set(block bool, room int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.block, r.room = block, room
	r.cond.Broadcast()
}

func (r *reader) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got.String()
}

const second = time.Second

// Nobody waits for a reader that takes nothing, what waits is bounded, and what
// is lost is counted and said when the reader takes something again.
func TestWriterBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReader()
		r.set(true, -1)
		w := NewWriter(r, false)
		fmt.Fprintln(w, "first")
		synctest.Wait() // it is with the reader
		const size = 1 << 10
		pad := strings.Repeat("x", size-len("0000\n"))
		for i := range 2 * writerBytes / size {
			fmt.Fprintf(w, "%04d%s\n", i, pad)
		}
		kept := writerBytes / size
		if got := w.Lost(); got != uint64(kept) {
			t.Errorf("got %d lines lost, want %d", got, kept)
		}
		before := time.Now()
		if w.Wait(second) {
			t.Error("a Writer whose reader takes nothing says that all is written")
		}
		if got := time.Since(before); got != second {
			t.Errorf("waited %v, want %v", got, second)
		}
		r.set(false, -1)
		if !w.Wait(second) {
			t.Error("not all is written")
		}
		fmt.Fprintln(w, "last")
		w.Wait(second)
		got := strings.Split(strings.TrimSpace(r.String()), "\n")
		var plain []string
		reports := 0
		for _, line := range got {
			if strings.Contains(line, `"lost":`) {
				reports++
				if !strings.Contains(line, fmt.Sprintf(`"lost":%d`, kept)) {
					t.Errorf("got %s, want %d lost", line, kept)
				}
				continue
			}
			plain = append(plain, line)
		}
		if reports != 1 {
			t.Errorf("got %d reports of lost lines, want 1", reports)
		}
		if len(plain) != kept+2 || plain[0] != "first" || plain[len(plain)-1] != "last" {
			t.Fatalf("got %d lines, want %d, the first and the last", len(plain), kept+2)
		}
		for i, line := range plain[1 : len(plain)-1] {
			if line != fmt.Sprintf("%04d%s", i, pad) {
				t.Fatalf("line %d is %.20q…: the order is lost", i, line)
			}
		}
	})
}

// What cannot be written is lost, a line of which a part is out does not spoil
// the next one, and the log says so once it takes something again.
func TestWriterFails(t *testing.T) {
	r := newReader()
	w := NewWriter(r, true)
	write := func(room int, line string) {
		t.Helper()
		r.set(false, room)
		fmt.Fprintln(w, line)
		if !w.Wait(time.Minute) {
			t.Fatal("not handled")
		}
	}
	write(-1, "whole")
	write(3, "torn")
	write(0, "nothing of it")
	if got := w.Lost(); got != 2 {
		t.Errorf("got %d lines lost, want 2", got)
	}
	write(-1, "whole again")
	write(-1, "and again")
	if got := w.Lost(); got != 2 {
		t.Errorf("got %d lines lost, want 2 still", got)
	}
	lines := strings.Split(r.String(), "\n")
	if len(lines) != 6 || lines[0] != "whole" || lines[1] != "tor" || lines[2] != "whole again" ||
		!strings.Contains(lines[3], "level=WARN") || !strings.Contains(lines[3], "lost=2") || lines[4] != "and again" {
		t.Errorf("got %q", lines)
	}
}

// Several lines leave together, but no more at once than a pipe takes whole, and
// each write ends with a line.
func TestWriterPortions(t *testing.T) {
	r := newReader()
	r.set(true, -1)
	w := NewWriter(r, false)
	long := strings.Repeat("l", 3*atOnce)
	var want strings.Builder
	for i := range 200 {
		line := fmt.Sprintf("%d %s\n", i, strings.Repeat("x", i))
		if i == 100 {
			line = long + "\n"
		}
		want.WriteString(line)
		_, _ = w.Write([]byte(line)) // never fails
	}
	r.set(false, -1)
	w.Wait(time.Minute)
	if r.String() != want.String() {
		t.Error("what was written is not what came")
	}
	for _, p := range r.writes {
		if len(p) > atOnce && len(p) != len(long)+1 || p[len(p)-1] != '\n' {
			t.Errorf("got a write of %d bytes that ends in %q", len(p), p[len(p)-1])
		}
	}
	if n := len(r.writes); n > 20 {
		t.Errorf("got %d writes for 200 lines", n)
	}
}

func TestWriterLog(t *testing.T) {
	r := newReader()
	w := NewWriter(r, false)
	slog.New(w.Handler(false)).Info("hello", "n", 1)
	slog.New(w.Handler(true)).Info("hello", "n", 2)
	w.Wait(time.Minute)
	got := r.String()
	if !strings.Contains(got, `"msg":"hello","n":1}`) || !strings.Contains(got, "msg=hello n=2\n") {
		t.Errorf("got %q", got)
	}
}
