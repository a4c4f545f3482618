//go:build !race && !invariants

package reactor_test

import (
	"testing"

	"weir/internal/memloop"
	"weir/reactor"
)

// nothing is a handler without an opinion.
type nothing struct{}

func (nothing) Data(p []byte) int { return len(p) }
func (nothing) PeerClosed()       {}
func (nothing) Drained()          {}
func (nothing) Closed(error)      {}

// answering echoes at the end of the turn.
type answering struct {
	nothing
	conn *reactor.Conn
}

func (a *answering) Data(p []byte) int {
	a.conn.Lock()
	b := a.conn.Buffer()
	*b = append(*b, p...)
	a.conn.Defer()
	return len(p)
}

func onMemoryLoop(tb testing.TB) (*memloop.Client, *reactor.Conn) {
	tb.Helper()
	k := memloop.New()
	came := make(chan *reactor.Conn, 1)
	r, err := reactor.New(reactor.Config{Loops: 1, MaxConns: 10, System: k, Accept: func(c *reactor.Conn) reactor.Handler {
		came <- c
		return &answering{conn: c}
	}})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(r.Close)
	return k.Dial(r, 0), <-came
}

func TestAllocations(t *testing.T) {
	frame := make([]byte, 70)
	big, tail := make([]byte, 8<<10), []byte("\r\n")
	answer := make([]byte, 100)
	for _, test := range []struct {
		name string
		do   func(client *memloop.Client, c *reactor.Conn)
	}{
		{"Lock, append, Flush", func(_ *memloop.Client, c *reactor.Conn) {
			c.Lock()
			b := c.Buffer()
			*b = append(*b, frame...)
			c.Flush()
		}},
		{"FlushWith", func(_ *memloop.Client, c *reactor.Conn) {
			c.Lock()
			b := c.Buffer()
			*b = append(*b, frame...)
			c.FlushWith(big, tail)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			client, c := onMemoryLoop(t)
			client.Discard()
			if n := testing.AllocsPerRun(1000, func() { test.do(client, c) }); n != 0 {
				t.Errorf("got %v allocations, want none", n)
			}
		})
	}
	t.Run("Data to Defer", func(t *testing.T) {
		client, _ := onMemoryLoop(t)
		n := testing.AllocsPerRun(1000, func() {
			client.Write(frame)
			for got := 0; got < len(frame); {
				n, err := client.Read(answer)
				if err != nil {
					t.Fatal(err)
				}
				got += n
			}
		})
		if n != 0 {
			t.Errorf("got %v allocations, want none", n)
		}
	})
	t.Run("Post and timer", func(t *testing.T) {
		_, c := onMemoryLoop(t)
		ran := make(chan struct{}, 1)
		task := &restart{conn: c, ran: ran}
		task.timer.Init(task)
		if n := testing.AllocsPerRun(1000, func() { c.Loop().Post(task); <-ran }); n != 0 {
			t.Errorf("got %v allocations, want none", n)
		}
	})
}

// restart is a task that moves its timer.
type restart struct {
	conn  *reactor.Conn
	timer reactor.Timer
	ran   chan struct{}
}

func (r *restart) Run() {
	l := r.conn.Loop()
	l.StartTimer(&r.timer, l.Now().Add(wait))
	r.ran <- struct{}{}
}

const wait = 1 << 40 // about 18 minutes: it never comes
