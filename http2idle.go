package weir

import (
	"net"
	"net/http"
	"sync"
	"time"

	"weir/reactor"
)

// At the limit of connections one of HTTP/2 without a request gives way, as one
// of HTTP/1.1 does (reactor.Rester). What net/http's server knows of it is kept
// here.

// idlers are the connections of HTTP/2. Safe for concurrent use.
type idlers struct {
	mu  sync.Mutex
	all map[net.Conn]*idler
	by  map[*reactor.Conn]*idler
}

// idler is a connection that has a request, or has none.
type idler struct {
	rc    *reactor.Conn
	idle  bool
	since time.Time // its loop was last notified that it is idle; zero = it must be, the next time
}

// restAgain is for how long a loop need not be notified again: it puts resting
// connections in order to within a second.
const restAgain = time.Second

func (s *idlers) add(c net.Conn, rc *reactor.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := &idler{rc: rc}
	s.all[c], s.by[rc] = i, i
}

// note is the http.Server's ConnState.
func (s *idlers) note(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.all[c]
	if i == nil {
		return
	}
	switch i.idle = state == http.StateIdle; {
	case state == http.StateClosed:
		delete(s.all, c)
		delete(s.by, i.rc)
	case i.idle:
		if now := time.Now(); now.Sub(i.since) >= restAgain {
			i.since = now
			i.rc.Loop().Post((*restTask)(i.rc))
		}
	}
}

// giveUp reports whether the connection has no request.
func (s *idlers) giveUp(rc *reactor.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.by[rc]
	if i == nil {
		return false
	}
	i.since = time.Time{} // the loop has forgotten it
	return i.idle
}

// restTask is a connection as the task that notifies its loop.
type restTask reactor.Conn

func (t *restTask) Run() {
	rc := (*reactor.Conn)(t)
	rc.Rest(rc.Loop().Now())
}
