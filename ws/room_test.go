package ws_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/weirtest"
	"weir/ws"
)

// rooms serves /ws as a room of text.
func rooms(o ws.Options, room *ws.Room) *weir.Mux {
	m := new(weir.Mux)
	m.HandleLoop("/ws", ws.Handle(o, func(c *ws.Conn, _ *weir.Request) ws.Handler {
		if err := room.Join(c); err != nil {
			_ = c.Close(ws.TryAgainLater, err.Error())
		}
		return ws.OnMessage(func(c *ws.Conn, kind ws.Kind, p []byte) { room.Broadcast(kind, p) })
	}))
	return m
}

// W26: a message of a room goes to each member once, compressed for those that agreed on it; who has left gets none.
func TestRoom(t *testing.T) {
	both(t, func(t *testing.T, inline bool) {
		var room ws.Room
		at(t, rooms(ws.Options{Inline: inline, Deflate: true}, &room), func(s *weir.Server) { s.Loops = 2 }, func(d *table) {
			var clients []*weirtest.Client
			for i := range 10 {
				fields := []string{}
				if i%2 == 0 {
					fields = append(fields, "Sec-WebSocket-Extensions: permessage-deflate")
				}
				clients = append(clients, d.opened(fields...))
			}
			long := strings.Repeat("all ", 500)
			clients[3].Send(text("hi") + text(long))
			for i, c := range clients {
				if got, want := said(c.Received()), echo(opText, "hi")+echo(opText, long); got != want {
					t.Errorf("%d: got %s, want %s", i, got, want)
				}
			}
			clients[3].Close()
			clients[4].Send(closing(1000, ""))
			d.Settle()
			if n := room.Len(); n != 8 {
				t.Errorf("got %d members, want 8", n)
			}
			if n := room.Broadcast(ws.Binary, []byte("rest")); n != 8 {
				t.Errorf("sent to %d, want 8", n)
			}
		})
		if n := room.Len(); n != 0 {
			t.Errorf("got %d members when all are gone", n)
		}
	})
}

// W27: a member that is behind is skipped or cut, and nobody waits for it.
func TestRoomPolicy(t *testing.T) {
	for _, policy := range []ws.Policy{ws.Skip, ws.Cut} {
		room, stats := ws.Room{Policy: policy}, ws.Stats{}
		at(t, rooms(ws.Options{Inline: true, Stats: &stats, Ping: -1}, &room), func(s *weir.Server) { s.Limits.HighMark = 32 << 10 }, func(d *table) {
			slow, fast := d.opened(), d.opened()
			slow.SetWindow(100)
			p := []byte(strings.Repeat("x", 1000))
			const n = 100
			for range n {
				room.Broadcast(ws.Binary, p)
				d.Settle()
			}
			if got := strings.Count(said(fast.Received()), "binary "); got != n {
				t.Errorf("the fast one got %d, want %d", got, n)
			}
			slow.SetWindow(1 << 20)
			got := said(slow.Received())
			messages := strings.Count(got, "binary ")
			if messages < 30 || messages > 60 {
				t.Errorf("the slow one got %d", messages)
			}
			switch policy {
			case ws.Skip:
				if f := stats.Figures(); f.Skipped != int64(n-messages) || room.Len() != 2 {
					t.Errorf("got %+v, %d members", f, room.Len())
				}
			case ws.Cut:
				if d.Tick(10 * time.Second); !strings.HasSuffix(got, "close 1013\n") || slow.Err() != io.EOF || room.Len() != 1 {
					t.Errorf("got %s and %v, want 1013", got, slow.Err())
				}
			}
		})
	}
}

// W28: a room that is full takes no more; the limit is of members, not of joins.
func TestRoomLimit(t *testing.T) {
	room := ws.Room{Limit: 2}
	at(t, rooms(ws.Options{Inline: true}, &room), nil, func(d *table) {
		d.opened()
		two := d.opened()
		three := d.open("")
		if _, frames, _ := strings.Cut(three.Received(), "\r\n\r\n"); said(frames) != "close 1013\n" {
			t.Errorf("got %s, want 1013", said(frames))
		}
		two.Close()
		d.Settle()
		four := d.opened()
		four.Send(text("in"))
		if got := said(four.Received()); got != echo(opText, "in") {
			t.Errorf("got %s", got)
		}
	})
}
