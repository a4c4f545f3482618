package weirtest

import (
	"sync"
	"testing/synctest"

	"weir/internal/memloop"
)

// An Upstream is a server that the handlers under test call through package
// client, on their loop: the test plays it. Its methods must be called on the
// test's goroutine.
//
//	up := s.Listen("127.0.0.1:8000")
//	c := s.Get("/through")
//	peer := up.Accept()             // what the handler has dialled
//	got := peer.Received()          // its request
//	peer.Send("HTTP/1.1 200 OK\r\n…")
//	peer.Reset()                    // in the middle of the response
type Upstream struct {
	s    *Server
	addr string
	stop func()

	mu    sync.Mutex
	conns []*Client // dialled and not accepted
}

// Listen makes the kernel accept connections to addr, which is an IP address
// with a port, or "unix:" and a path. Without an Upstream there, dialling is
// refused.
func (s *Server) Listen(addr string) *Upstream {
	u := &Upstream{s: s, addr: addr}
	u.stop = s.kernel.Listen(addr, u.dialled)
	return u
}

func (u *Upstream) dialled(c *memloop.Client) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.conns = append(u.conns, &Client{t: u.s.t, conn: c})
}

// Accept settles, and returns the upstream's end of the next connection that
// was dialled; nil if there is none.
func (u *Upstream) Accept() *Client {
	synctest.Wait()
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.conns) == 0 {
		return nil
	}
	c := u.conns[0]
	u.conns = u.conns[1:]
	return c
}

// Close refuses connections from now on. Open ones remain.
func (u *Upstream) Close() { u.stop() }

// Hang makes connecting neither succeed nor fail from now on, as when packets
// are lost. Open connections remain.
func (u *Upstream) Hang() { u.s.kernel.Hang(u.addr) }
