//go:build !race && !invariants

package weir_test

import (
	"io"
	"log/slog"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/internal/memloop"
	"weir/reactor"
	"weir/sse"
)

// inMemory starts a server on the kernel in memory, by the real clock.
func inMemory(t *testing.T, h weir.Handler) (*weir.Server, *memloop.Kernel) {
	t.Helper()
	kernel := memloop.New()
	srv := &weir.Server{Handler: h, Loops: 1, System: kernel, Logger: slog.New(slog.DiscardHandler)}
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, srv) })
	return srv, kernel
}

// An inline request on a connection that was used before allocates nothing, with
// a value of a key or without.
func TestAllocsPerInlineRequest(t *testing.T) {
	const pipelined = 64 // a run: what the memory kernel's queues allocate is spread over them
	m := new(weir.Mux)
	m.HandleFunc("GET /hello/{name}", func(w *weir.Response, r *weir.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteString(r.Path())
		if n, _ := count.Get(r); n != 0 {
			t.Errorf("got %d of an earlier request", n)
		}
		count.Set(r, 1)
	}).Inline()
	srv, kernel := inMemory(t, m)
	c := kernel.Dial(srv.Reactor(), 0)
	defer c.Close()
	batch := []byte(strings.Repeat("GET /hello/you HTTP/1.1\r\nHost: a\r\nUser-Agent: test\r\n\r\n", pipelined))
	answer := []byte(strings.Repeat("x", 64<<10))
	size := 0
	run := func() {
		if _, err := c.Write(batch); err != nil {
			t.Fatal(err)
		}
		for got := 0; got == 0 || got < size; {
			n, err := c.Read(answer)
			if err != nil {
				t.Fatal(err)
			}
			if got += n; size == 0 && strings.Count(string(answer[:got]), "HTTP/1.1 200") == pipelined {
				size = got
			}
		}
	}
	run()
	if size == 0 {
		t.Fatal("the first batch did not come in one piece")
	}
	if n := testing.AllocsPerRun(200, run); n != 0 {
		t.Errorf("got %v allocations for %d requests, want 0", n, pipelined)
	}
}

// A chunk or an event that is sent allocates nothing, nor does one in a hundred of a pump's.
func TestAllocsPerChunk(t *testing.T) {
	event := &sse.Event{Name: "token", ID: "1", Data: []byte("hello world")}
	payload := []byte("hello world")
	for name, send := range map[string]func(s *weir.Stream) error{
		"Send":      func(s *weir.Stream) error { return s.Send(payload) },
		"TrySend":   func(s *weir.Stream) error { return s.TrySend(payload) },
		"SendEvent": func(s *weir.Stream) error { return s.SendEvent(event) },
	} {
		t.Run(name, func(t *testing.T) {
			streams := make(chan *weir.Stream)
			srv, kernel := inMemory(t, mux(map[string]func(*weir.Response, *weir.Request){
				"GET /s": func(w *weir.Response, _ *weir.Request) {
					s := w.Stream()
					s.Detach()
					streams <- s
				},
			}))
			c := kernel.Dial(srv.Reactor(), 0)
			defer c.Close()
			c.Discard()
			_, _ = io.WriteString(c, getS)
			s := <-streams
			run := func() {
				if err := send(s); err != nil {
					t.Fatal(err)
				}
			}
			run()
			if n := testing.AllocsPerRun(1000, run); n != 0 {
				t.Errorf("got %v allocations, want 0", n)
			}
			_ = s.Close()
		})
	}
}

// stepper is a source that makes one chunk each time it is woken.
type stepper struct {
	stepped chan struct{}
	ready   bool
}

func (p *stepper) Next(dst []byte) ([]byte, error) {
	if p.ready = !p.ready; p.ready {
		return append(dst, "token"...), nil
	}
	p.stepped <- struct{}{}
	return dst, weir.ErrNotReady
}

func (p *stepper) Close(error) {}

func TestAllocsPerPumpStep(t *testing.T) {
	streams := make(chan *weir.Stream, 1)
	src := &stepper{stepped: make(chan struct{}, 1)}
	m := new(weir.Mux)
	m.HandleFunc("GET /s", func(w *weir.Response, _ *weir.Request) { streams <- w.StreamFrom(src) }).Inline()
	srv, kernel := inMemory(t, m)
	c := kernel.Dial(srv.Reactor(), 0)
	defer c.Close()
	c.Discard()
	_, _ = io.WriteString(c, getS)
	s := <-streams
	<-src.stepped
	run := func() {
		s.Wake()
		<-src.stepped
	}
	if n := testing.AllocsPerRun(1000, run); n != 0 {
		t.Errorf("got %v allocations a step, want 0", n)
	}
}

// What is sent to a Pipe allocates nothing, with a deadline or without.
func TestAllocsPerPipeSend(t *testing.T) {
	pipes := make(chan *weir.Pipe)
	m := new(weir.Mux)
	m.HandleFunc("GET /s", func(w *weir.Response, _ *weir.Request) {
		p, err := w.Upgrade("echo")
		if err != nil {
			t.Error(err)
		}
		pipes <- p
		<-p.Done()
	})
	srv, kernel := inMemory(t, m)
	c := kernel.Dial(srv.Reactor(), 0)
	defer c.Close()
	if _, err := io.WriteString(c, askEcho); err != nil {
		t.Fatal(err)
	}
	p, chunk, read := <-pipes, []byte(strings.Repeat("x", 100)), make([]byte, 64<<10)
	for _, at := range []time.Time{{}, time.Now().Add(time.Hour)} {
		if !at.IsZero() {
			_ = p.SetDeadline(at)
		}
		n := testing.AllocsPerRun(500, func() {
			if err := p.Send(chunk); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Read(read); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("got %v allocations per chunk, want 0", n)
		}
	}
	b := make([]byte, 200)
	n := testing.AllocsPerRun(500, func() {
		if _, err := c.Write(chunk); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(p, b[:len(chunk)]); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("got %v allocations per chunk that is read, want 0", n)
	}
}

// A batch allocates nothing, nor does a round of a group.
func TestAllocsPerBatch(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection would empty the pools
	const n = 150                                    // some turns of the loop
	streams := make(chan *weir.Stream)
	b, m := new(board), new(weir.Mux)
	m.HandleFunc("GET /s", func(w *weir.Response, _ *weir.Request) {
		s := w.Stream()
		s.Detach()
		_ = s.Commit()
		streams <- s
	})
	m.HandleFunc("GET /group", b.serve).Inline()
	srv, kernel := inMemory(t, m)
	var all []*weir.Stream
	for range n {
		for _, path := range []string{"/s", "/group"} {
			c := kernel.Dial(srv.Reactor(), 0)
			defer c.Close()
			c.Discard()
			_, _ = io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n")
		}
		all = append(all, <-streams)
	}
	loop, turn := srv.Reactor().Loops()[0], make(chan struct{})
	mark := reactor.TaskFunc(func() { turn <- struct{}{} })
	settle := func() {
		for range n/64 + 2 { // the last of them comes when all is written
			loop.Post(mark)
			<-turn
		}
	}
	var batch weir.Batch
	payload := []byte("hello world")
	for name, step := range map[string]func(){
		"batch": func() {
			for _, s := range all {
				if err := batch.Send(s, payload); err != nil {
					t.Fatal(err)
				}
			}
			batch.Flush()
			settle()
		},
		"group": func() {
			b.post()
			settle()
		},
	} {
		step()
		if got := testing.AllocsPerRun(20, step); got != 0 {
			t.Errorf("%s: got %v allocations for %d chunks, want 0", name, got, n)
		}
	}
	if got := b.group.Len(); got != n {
		t.Errorf("got %d members, want %d", got, n)
	}
}
