//go:build soak

package soak

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"weir"
	"weir/internal/patience"
)

// quiet is how many streams are open when nothing moves.
const quiet = 200

// TestSoakQuiet measures how soon a handler is told when nothing else happens:
// streams that wait between two chunks, cancelled one after the other.
func TestSoakQuiet(t *testing.T) {
	srv := start(t)
	defer stop(t, srv)
	h := newHall(srv.Addrs()[0].String(), patience.Limit)
	s := &seat{hall: h, rng: rand.New(rand.NewPCG(*seed, 0))}
	wires := make([]*wire, quiet)
	records := make([]*record, quiet)
	for i := range wires {
		records[i] = book.open(order{feed: feeds[i%len(feeds)], size: -1, chunk: 100, gap: time.Hour}, "quiet", gone)
		wires[i] = s.idle(t, records[i])
	}
	ways := map[leaving]*line{}
	for i, w := range wires {
		<-time.After(10 * time.Millisecond)
		how := leaving(i) % byHalfCloseReset
		if err := w.leave(how, records[i]); err != nil {
			t.Fatal(err)
		}
		if !s.await(records[i].exited) || !s.await(records[i].closed) {
			t.Fatalf("%v was not told of %v", records[i], how)
		}
		w.reset()
		if ways[how] == nil {
			ways[how] = new(line)
		}
		ways[how].add(records[i])
	}
	awaitEmpty(t, srv)
	text := judge(t, book.close(patience.Limit), weir.Stats{}, srv.Stats())
	for how := range byHalfCloseReset {
		text += fmt.Sprintf("by %v, ms to told: p50, p99, max %s\n", how, quantiles(ways[how].exits))
	}
	t.Logf("%d idle streams, cancelled one by one\n%s", quiet, text)
}

// idle opens a stream and takes its first chunk.
func (s *seat) idle(t *testing.T, rec *record) *wire {
	t.Helper()
	w, err := s.ask(rec, 0)
	if err != nil {
		t.Fatal(err)
	}
	from, err := w.begin(rec)
	if err != nil {
		t.Fatal(err)
	}
	b := body{r: rec}
	if err := b.take(from, int64(rec.chunk)); err != nil {
		t.Fatal(err)
	}
	return w
}
