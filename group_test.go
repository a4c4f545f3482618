package weir_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/reactor"
	"weir/weirtest"
)

// board is what the members of a group read: a number that goes up.
type board struct {
	group weir.Group
	last  atomic.Int64
	left  atomic.Int64 // members that were closed
	end   atomic.Bool
}

// post raises the number.
func (b *board) post() {
	b.last.Add(1)
	b.group.Wake()
}

// reader is a member: it sends each number, from where it began.
type reader struct {
	tally
	*board
	seen int64
}

func (b *board) serve(w *weir.Response, _ *weir.Request) {
	b.group.Feed(w, &reader{board: b, seen: b.last.Load()})
}

func (r *reader) Next(dst []byte) ([]byte, error) {
	for last := r.last.Load(); r.seen < last; {
		r.seen++
		dst = fmt.Appendf(dst, "%d,", r.seen)
	}
	if r.end.Load() {
		return dst, io.EOF
	}
	return dst, weir.ErrNotReady
}

func (r *reader) Close(cause error) {
	r.tell(cause)
	r.left.Add(1)
}

// members gives f n clients of a board whose heads have come.
func members(t *testing.T, n int, inline bool, f func(d *desk, b *board, clients []*weirtest.Client)) {
	t.Helper()
	membersOf(t, n, inline, func(s *weir.Server) { s.Loops = 2 }, f)
}

func membersOf(t *testing.T, n int, inline bool, set func(*weir.Server), f func(d *desk, b *board, clients []*weirtest.Client)) {
	t.Helper()
	b, m := new(board), new(weir.Mux)
	rt := m.HandleFunc("/s", b.serve)
	if inline {
		rt.Inline()
	}
	atDesk(t, m, set, func(d *desk) {
		var clients []*weirtest.Client
		for range n {
			c := d.dial(getS)
			defer c.Close()
			if head := d.seen(c); !strings.HasSuffix(head, "Transfer-Encoding: chunked\r\n\r\n") {
				t.Fatalf("got %q, want the head at once", head)
			}
			clients = append(clients, c)
		}
		f(d, b, clients)
	})
}

func TestGroup(t *testing.T) {
	for i := range 4 {
		inline, whole := i&1 > 0, i&2 > 0 // whole: the exchanges stay, since OnError may need them
		t.Run(fmt.Sprint("inline=", inline, " whole=", whole), func(t *testing.T) {
			const n = 200
			set := func(s *weir.Server) {
				s.Loops = 2
				if whole {
					s.OnError = func(*weir.Response, *weir.Request, error) {}
				}
			}
			membersOf(t, n, inline, set, func(d *desk, b *board, clients []*weirtest.Client) {
				if b.group.Len() != n {
					t.Errorf("got %d members, want %d", b.group.Len(), n)
				}
				writes := clients[0].Writes()
				b.post()
				for i, c := range clients {
					if got := d.seen(c); got != "2\r\n1,\r\n" {
						t.Fatalf("client %d: got %q", i, got)
					}
				}
				if got := clients[0].Writes() - writes; got != 1 {
					t.Errorf("got %d writes, want 1", got)
				}
				for i := 0; i < n; i += 2 { // half of them leave, from everywhere in the list
					clients[i].Close()
				}
				b.post()
				for i, c := range clients {
					if got := d.seen(c); i%2 == 1 && got != "2\r\n2,\r\n" {
						t.Fatalf("client %d: got %q", i, got)
					}
				}
				if got := b.group.Len(); got != n/2 || b.left.Load() != n/2 {
					t.Errorf("got %d members and %d closed, want %d each", got, b.left.Load(), n/2)
				}
				b.end.Store(true)
				b.group.Wake()
				if got := d.seen(clients[1]); got != "0\r\n\r\n" {
					t.Errorf("got %q, want the end", got)
				}
				if b.group.Len() != 0 || b.left.Load() != n {
					t.Errorf("got %d members and %d closed, want none and %d", b.group.Len(), b.left.Load(), n)
				}
				b.group.Wake() // nobody
			})
		})
	}
}

// News that comes during a round reaches all, also those that the round has called already, and none gets it twice.
func TestGroupNewsDuringARound(t *testing.T) {
	members(t, 300, true, func(d *desk, b *board, clients []*weirtest.Client) {
		const posts = 20
		d.onTurn(func() {
			for range posts {
				b.post()
			}
		})
		for range posts {
			go b.post()
		}
		want := ""
		for i := range 2 * posts {
			want += fmt.Sprint(i+1, ",")
		}
		for i, c := range clients {
			got := ""
			for j, part := range strings.Split(d.seen(c), "\r\n") {
				if j%2 == 1 {
					got += part
				}
			}
			if got != want {
				t.Fatalf("client %d: got %q, want %q", i, got, want)
			}
		}
	})
}

// Those that are behind are not waited for, and get the rest when they read.
func TestGroupMemberIsBehind(t *testing.T) {
	members(t, 2, true, func(d *desk, b *board, clients []*weirtest.Client) {
		clients[0].SetWindow(100)
		b.post()
		d.seen(clients[0])
		clients[0].SetWindow(0)
		for range 60_000 {
			b.last.Add(1)
			b.group.Wake()
			if b.last.Load()%1000 == 0 {
				d.seen(clients[1])
			}
		}
		synctest.Wait()
		clients[0].SetWindow(1 << 20)
		if got := d.seen(clients[0]); !strings.HasSuffix(got, "60001,\r\n") {
			t.Errorf("got %d bytes that end in %q, want the last number", len(got), got[max(0, len(got)-20):])
		}
	})
}

// A source is closed once and its place is free, however the response ends, or does not begin.
func TestGroupMemberEnds(t *testing.T) {
	for _, tt := range []struct {
		name  string
		serve func(b *board, w *weir.Response, r *reader)
		want  error
	}{
		{"a stream already", func(b *board, w *weir.Response, r *reader) { w.Stream(); b.group.Feed(w, r) }, errAny},
		{"no body", func(b *board, w *weir.Response, r *reader) { w.SetStatus(204); b.group.Feed(w, r) }, weir.ErrNoBody},
		{"a panic of the handler", func(b *board, w *weir.Response, r *reader) { b.group.Feed(w, r); panic(errLuck) }, errAny},
		{"its client", func(b *board, w *weir.Response, r *reader) { b.group.Feed(w, r) }, weir.ErrClientGone},
		{"its client, during the handler", func(b *board, w *weir.Response, r *reader) { b.group.Feed(w, r); time.Sleep(time.Hour) }, weir.ErrClientGone},
		{"Stream.Close", func(b *board, w *weir.Response, r *reader) {
			b.group.Feed(w, r)
			s := w.Stream()
			go func() { time.Sleep(time.Second); _ = s.Close() }()
		}, weir.ErrStreamEnded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := new(board)
			r := &reader{board: b}
			atDesk(t, mux(map[string]func(*weir.Response, *weir.Request){
				"GET /s": func(w *weir.Response, _ *weir.Request) { tt.serve(b, w, r) },
			}), nil, func(d *desk) {
				c := d.get("/s")
				d.Tick(time.Minute)
				b.group.Wake()
				c.Close()
				d.Tick(2 * time.Hour)
				if got := r.told(); len(got) != 1 || tt.want != errAny && !errors.Is(got[0], tt.want) || tt.want == errAny && got[0] == nil {
					t.Errorf("got %v, want %v once", got, tt.want)
				}
				if b.group.Len() != 0 {
					t.Errorf("got %d members, want none", b.group.Len())
				}
				b.group.Wake()
			})
		})
	}
}

// A paced source keeps its pace, whenever it is woken.
func TestGroupPaced(t *testing.T) {
	for _, inline := range []bool{false, true} {
		b, m := new(board), new(weir.Mux)
		rt := m.HandleFunc("/s", func(w *weir.Response, _ *weir.Request) {
			b.group.Feed(w, weir.Paced(&reader{board: b}, time.Second))
		})
		if inline {
			rt.Inline()
		}
		atDesk(t, m, nil, func(d *desk) {
			c := d.dial(getS)
			defer c.Close()
			d.seen(c)
			for i := range 3 {
				b.post()
				if got := d.seen(c); got != "" {
					t.Errorf("got %q, want nothing before its time", got)
				}
				d.Tick(time.Second)
				if got, want := d.seen(c), fmt.Sprintf("2\r\n%d,\r\n", i+1); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			}
		})
	}
}

// turned is a source that counts in which turn of its loop it was called.
type turned struct {
	loop  *reactor.Loop
	calls map[uint64]int // by turn; the loop's
}

func (s *turned) Next(dst []byte) ([]byte, error) {
	s.calls[s.loop.Turns()]++
	return append(dst, 'x'), weir.ErrNotReady
}

func (s *turned) Close(error) {}

// However many groups have news at once, a loop calls some of their sources a turn.
func TestGroupsInATurn(t *testing.T) {
	const n, most = 300, 64
	var groups [n]weir.Group
	next, calls, m := 0, map[uint64]int{}, new(weir.Mux)
	m.HandleFunc("/s", func(w *weir.Response, _ *weir.Request) {
		groups[next].Feed(w, &turned{weir.LoopOf(w), calls})
		next++
	}).Inline()
	atDesk(t, m, func(s *weir.Server) { s.Loops = 1 }, func(d *desk) {
		var clients []*weirtest.Client
		for range n {
			c := d.dial(getS)
			defer c.Close()
			d.seen(c)
			clients = append(clients, c)
		}
		d.onTurn(func() {
			clear(calls)
			for i := range groups {
				groups[i].Wake()
			}
		})
		for i, c := range clients {
			if got := d.seen(c); got != "1\r\nx\r\n" {
				t.Fatalf("client %d: got %q", i, got)
			}
		}
		all := 0
		for turn, got := range calls {
			if all += got; got > most {
				t.Errorf("turn %d: got %d sources called, want at most %d", turn, got, most)
			}
		}
		if all != n {
			t.Errorf("got %d sources called, want %d", all, n)
		}
	})
}

// A group outlives its server.
func TestGroupOfServersThatEnd(t *testing.T) {
	b := new(board)
	for range 3 {
		m := new(weir.Mux)
		m.HandleFunc("/s", b.serve).Inline()
		atDesk(t, m, nil, func(d *desk) {
			c := d.dial(getS)
			d.seen(c)
			b.post()
			if got := d.seen(c); !strings.HasSuffix(got, ",\r\n") {
				t.Errorf("got %q", got)
			}
			if d.cut(); b.group.Len() != 0 {
				t.Errorf("got %d members when the server has ended, want none", b.group.Len())
			}
			b.post()
		})
	}
	if got := weir.GroupParts(&b.group); got != 0 {
		t.Errorf("got %d loops that have stopped, want none", got)
	}
}
