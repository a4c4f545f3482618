package weir_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/weirtest"
)

// roomOf gives f n clients of detached streams, whose heads have come, in order.
func roomOf(t *testing.T, n int, f func(d *desk, clients []*weirtest.Client, streams []*weir.Stream)) {
	t.Helper()
	opened := make(chan *weir.Stream, n)
	m := mux(map[string]func(*weir.Response, *weir.Request){"GET /s": func(w *weir.Response, _ *weir.Request) {
		s := w.Stream()
		s.Detach()
		opened <- s
	}})
	atDesk(t, m, func(s *weir.Server) { s.Loops = 2 }, func(d *desk) {
		var clients []*weirtest.Client
		var streams []*weir.Stream
		for range n {
			c := d.dial(getS)
			defer c.Close()
			s := <-opened
			if err := s.Commit(); err != nil {
				t.Fatal(err)
			}
			d.seen(c)
			clients, streams = append(clients, c), append(streams, s)
		}
		f(d, clients, streams)
	})
}

// L16. A batch costs each connection one write, and comes in the order in which the receiver was sent to.
func TestBatch(t *testing.T) {
	roomOf(t, 3, func(d *desk, clients []*weirtest.Client, streams []*weir.Stream) {
		var b weir.Batch
		for round := range 2 {
			before := clients[0].Writes()
			for _, chunk := range []string{"a", "b"} {
				for _, s := range streams {
					if err := b.Send(s, []byte(chunk)); err != nil {
						t.Error(err)
					}
				}
			}
			if got := d.seen(clients[0]); got != "" {
				t.Errorf("got %q before Flush, want nothing", got)
			}
			b.Flush()
			for i, c := range clients {
				if got, want := d.seen(c), "1\r\na\r\n1\r\nb\r\n"; got != want {
					t.Errorf("round %d, client %d: got %q, want %q", round, i, got, want)
				}
			}
			if got := clients[0].Writes() - before; got != 1 {
				t.Errorf("round %d: got %d writes, want 1", round, got)
			}
		}
		_ = b.Send(streams[0], []byte("a"))
		_ = streams[0].TrySend([]byte("b")) // takes the batch's along
		_ = b.Send(streams[0], []byte("c"))
		b.Flush()
		if got, want := d.seen(clients[0]), "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n"; got != want {
			t.Errorf("mixed: got %q, want %q", got, want)
		}
		b.Flush() // of nothing
	})
}

// The caller learns of each receiver that gets nothing; the others are not affected.
func TestBatchErrors(t *testing.T) {
	roomOf(t, 5, func(d *desk, clients []*weirtest.Client, streams []*weir.Stream) {
		_ = streams[0].Close()
		streams[1].Abort(errLuck)
		clients[2].Reset()
		clients[3].SetWindow(10)
		_ = streams[3].TrySend(make([]byte, 300<<10))
		synctest.Wait()
		var b weir.Batch
		for i, want := range []error{weir.ErrStreamEnded, errLuck, weir.ErrClientGone, weir.ErrBacklog, nil} {
			if err := b.Send(streams[i], []byte("token")); !errors.Is(err, want) {
				t.Errorf("stream %d: got %v, want %v", i, err, want)
			}
		}
		if err := b.Send(streams[4], nil); err != nil {
			t.Errorf("an empty chunk: %v", err)
		}
		b.Flush()
		if got := d.seen(clients[4]); got != "5\r\ntoken\r\n" {
			t.Errorf("got %q", got)
		}
		_ = b.Send(streams[4], []byte("last"))
		_ = streams[4].Close() // before the flush: nothing is lost
		b.Flush()
		if got := d.seen(clients[4]); got != "4\r\nlast\r\n0\r\n\r\n" {
			t.Errorf("got %q", got)
		}
	})
}

// The receivers of a batch may be pipes.
func TestBatchOfPipes(t *testing.T) {
	pipes := make(chan *weir.Pipe, 2)
	m := mux(map[string]func(*weir.Response, *weir.Request){"GET /s": func(w *weir.Response, _ *weir.Request) {
		p, err := w.Upgrade("echo")
		if err != nil {
			t.Error(err)
			return
		}
		p.Detach()
		pipes <- p
	}})
	atDesk(t, m, nil, func(d *desk) {
		first, second := d.dial(askEcho), d.dial(askEcho)
		defer first.Close()
		defer second.Close()
		one, two := <-pipes, <-pipes
		d.seen(first)
		d.seen(second)
		var b weir.Batch
		for _, p := range []*weir.Pipe{one, two} {
			if err := b.SendPipe(p, []byte("frame")); err != nil {
				t.Error(err)
			}
		}
		b.Flush()
		if got := d.seen(first) + d.seen(second); got != "frameframe" {
			t.Errorf("got %q", got)
		}
		_ = one.SetWriteDeadline(time.Now().Add(-time.Second))
		if err := b.SendPipe(one, []byte("frame")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after the deadline: got %v", err)
		}
		_ = one.SetWriteDeadline(time.Time{})
		_ = one.CloseWrite()
		if err := b.SendPipe(one, []byte("frame")); !errors.Is(err, weir.ErrPipeClosed) {
			t.Errorf("after CloseWrite: got %v", err)
		}
		_ = one.Close()
		_ = two.Close()
		if err := b.SendPipe(two, []byte("frame")); !errors.Is(err, weir.ErrPipeClosed) {
			t.Errorf("after Close: got %v", err)
		}
		b.Flush()
	})
}

// Goroutines send to the same receivers, each by a batch of its own or one by one, while some of them end. Each client
// gets what each sender has sent in its order, without a hole.
func TestBatchesAtOnce(t *testing.T) {
	const members, senders, sends = 8, 4, 50
	roomOf(t, members, func(d *desk, clients []*weirtest.Client, streams []*weir.Stream) {
		var all sync.WaitGroup
		for n := range senders {
			all.Go(func() {
				var b weir.Batch
				for i := range sends {
					chunk := fmt.Appendf(nil, "%d:%d;", n, i)
					for m, s := range streams {
						err := error(nil)
						if n == 0 {
							err = s.TrySend(chunk)
						} else {
							err = b.Send(s, chunk)
						}
						if err != nil && m != 0 {
							t.Error(err)
						}
					}
					b.Flush()
					if n == 1 && i == sends/2 {
						streams[0].Abort(errLuck)
					}
				}
			})
		}
		all.Wait()
		for m, c := range clients[1:] {
			_, got := cutHead("\r\n\r\n" + d.seen(c))
			for n := range senders {
				next := 0
				for line := range strings.Lines(got) {
					var from, i int
					if _, err := fmt.Sscanf(line, "%d:%d;", &from, &i); err == nil && from == n {
						if i != next {
							t.Fatalf("client %d: got %d of sender %d, want %d", m+1, i, n, next)
						}
						next++
					}
				}
				if next != sends {
					t.Errorf("client %d: got %d chunks of sender %d, want %d", m+1, next, n, sends)
				}
			}
		}
	})
}
