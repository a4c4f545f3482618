//go:build !race && !invariants

package weir_test

import (
	"io"
	"runtime/debug"
	"testing"

	"weir"
	"weir/plugin"
	"weir/reactor"
)

// A batch allocates nothing, on the goroutine that sends it or on the loop.
func TestAllocsPerSendBatch(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection would empty the pools
	const sinks = 150                                // some turns of the loop
	m := new(weir.Mux)
	m.Handle("/s", weir.Native("bench/decode"))
	srv, kernel := inMemory(t, m)
	items := make([]plugin.Item, sinks)
	for i := range items {
		c := kernel.Dial(srv.Reactor(), 0)
		defer c.Close()
		c.Discard()
		_, _ = io.WriteString(c, getS)
		items[i] = plugin.Item{Sink: <-benchSinks, Data: token}
		if err := items[i].Sink.Flush(); err != nil { // a head would leave a larger buffer in the pool, which it may not keep
			t.Fatal(err)
		}
	}
	loop, turn := srv.Reactor().Loops()[0], make(chan struct{})
	mark := reactor.TaskFunc(func() { turn <- struct{}{} })
	step := func() {
		plugin.SendBatch(items)
		for range sinks/64 + 2 { // the last of them comes when all is written
			loop.Post(mark)
			<-turn
		}
	}
	step()
	if n := testing.AllocsPerRun(20, step); n != 0 {
		t.Errorf("got %v allocations for %d tokens, want 0", n, sinks)
	}
	for i := range items {
		if err := items[i].Err; err != nil {
			t.Fatal(err)
		}
		_ = items[i].Sink.Close()
	}
}
