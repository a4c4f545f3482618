package weirtest

import (
	"testing"

	"weir"
)

// Source returns src under supervision: the test fails unless Close is called
// exactly once before the test ends, and if Next is called after it. weir does
// this right; the supervision is for sources that wrap other sources, and for
// handlers that open one and then do not use it. Handlers may call it.
func (s *Server) Source(src weir.Source) weir.Source {
	w := &source{t: s.t, Source: src}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sources = append(s.sources, w)
	return w
}

// source runs on a loop, as its Source does; finish runs when no loop runs any
// more.
type source struct {
	weir.Source
	t      testing.TB
	closed int
}

func (w *source) Next(dst []byte) ([]byte, error) {
	if w.closed > 0 {
		w.t.Errorf("weirtest: Next of a %T was called after Close", w.Source)
	}
	return w.Source.Next(dst)
}

func (w *source) Close(cause error) {
	w.closed++
	w.Source.Close(cause)
}

func (w *source) finish() {
	if w.closed != 1 {
		w.t.Helper()
		w.t.Errorf("weirtest: Close of a %T was called %d times, want once", w.Source, w.closed)
	}
}
