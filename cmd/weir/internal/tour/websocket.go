package tour

import (
	"errors"
	"sync"

	"weir"
	"weir/ws"
)

// wsEcho sends each message back, on the event loop: a connection that rests
// costs neither a goroutine nor a buffer.
func wsEcho() weir.LoopHandler {
	return ws.Handle(ws.Options{Inline: true, Deflate: true}, func(*ws.Conn, *weir.Request) ws.Handler {
		return ws.OnMessage(func(c *ws.Conn, kind ws.Kind, p []byte) {
			_ = c.Send(kind, p) // a client that has disconnected needs none
		})
	})
}

const (
	maxRooms   = 1_000
	maxMembers = 10_000
)

var errManyRooms = errors.New("tour: there are too many rooms")

// rooms are the rooms that have members, by name.
type rooms struct {
	mu     sync.Mutex
	byName map[string]*ws.Room
}

// handler joins a connection to the room of the path. Sending to many is nothing
// for a loop, and so the handler is on a goroutine while there is something to
// send.
func (rs *rooms) handler() weir.LoopHandler {
	return ws.Handle(ws.Options{Deflate: true}, func(c *ws.Conn, r *weir.Request) ws.Handler {
		m := &member{rooms: rs, name: r.PathValue("name")}
		if err := m.join(c); err != nil {
			_ = c.Close(ws.TryAgainLater, err.Error()) // a client that has disconnected needs none
		}
		return m
	})
}

// member is a connection that is in a room.
type member struct {
	rooms *rooms
	name  string
	room  *ws.Room // nil: it could not join
}

func (m *member) join(c *ws.Conn) error {
	m.rooms.mu.Lock()
	defer m.rooms.mu.Unlock()
	room := m.rooms.byName[m.name]
	if room == nil {
		if len(m.rooms.byName) == maxRooms {
			return errManyRooms
		}
		room = &ws.Room{Limit: maxMembers}
	}
	if err := room.Join(c); err != nil {
		return err
	}
	m.room, m.rooms.byName[m.name] = room, room
	return nil
}

// OnMessage sends text to all members.
func (m *member) OnMessage(c *ws.Conn, kind ws.Kind, p []byte) {
	switch {
	case kind != ws.Text:
		_ = c.Close(ws.Unsupported, "this room is for text") // as above
	case m.room != nil:
		m.room.Broadcast(kind, p)
	}
}

// OnClose forgets a room without members. The connection has left it already.
func (m *member) OnClose(*ws.Conn, error) {
	m.rooms.mu.Lock()
	defer m.rooms.mu.Unlock()
	if m.room != nil && m.room.Len() == 0 && m.rooms.byName[m.name] == m.room {
		delete(m.rooms.byName, m.name)
	}
}
