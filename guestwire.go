package weir

import (
	"crypto/tls"
	"net"

	"weir/internal/guest"
)

// This file is what an exchange writes to when net/http carries its request.

// The wire.

func (g *visit) Lock()      { g.mu.Lock() }
func (g *visit) Unlock()    { g.mu.Unlock() }
func (g *visit) Err() error { return g.err }
func (g *visit) Wake()      { g.release() }

func (g *visit) Acquire() (b *[]byte, room <-chan struct{}, err error) {
	g.mu.Lock()
	if g.err != nil {
		return nil, nil, g.err
	}
	if room = g.Room(); room != nil {
		return nil, room, nil
	}
	return &g.pending, nil, nil
}

func (g *visit) Room() <-chan struct{} {
	if !g.Backlogged() {
		return nil
	}
	if g.roomy == nil {
		g.roomy = make(chan struct{})
	}
	return g.roomy
}

func (g *visit) Backlogged() bool {
	if len(g.pending)+g.flying+g.unsaid > g.srv.Limits.HighMark {
		g.above = true
	}
	return g.above && g.err == nil
}

// release wakes those who wait for room.
func (g *visit) release() {
	if g.roomy != nil {
		close(g.roomy)
		g.roomy = nil
	}
}

func (g *visit) Pending() int    { return len(g.pending) }
func (g *visit) Buffer() *[]byte { return &g.pending }

func (g *visit) FlushWith(big, tail []byte) {
	g.pending = append(append(g.pending, big...), tail...)
	g.mu.Unlock()
	g.signal()
}

func (g *visit) Defer() {
	g.mu.Unlock()
	switch {
	case g.home == nil:
		g.signal()
	case !g.due:
		g.due = true
		g.home.Later((*flushTask)(g))
	}
}

func (g *visit) signal() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// The carrier.

func (g *visit) head(l locked, length int64, body []byte) (chunks bool) {
	w := l.ex.out
	h := &guest.Head{Status: w.Status(), Length: -1, Fields: guestFields(&w.header)}
	h.Close, h.Drain = w.header.close || g.close, g.srv.isDraining()
	if w.header.date != "" {
		h.Fields = append(h.Fields, guest.Field{Name: "Date", Value: w.header.date})
	}
	switch {
	case length >= 0 && w.status != 204 && w.status != 304: // Go's HTTP/2 client would wait for what a 304 announces
		h.Length = length
	case length < 0:
		for _, f := range l.ex.stream.trailers {
			h.Trailers = append(h.Trailers, f.Name)
		}
	}
	g.first = h
	g.pending = append(g.pending, body...)
	return false
}

func (g *visit) tail(l locked) {
	if l.ex.length.known() || l.ex.bodyless() {
		return // has no trailers
	}
	for _, f := range l.ex.stream.trailers {
		g.trailers = append(g.trailers, guest.Field{Name: f.Name, Value: f.Value})
	}
}

func (g *visit) upgrade(locked, string) {} // mayPipe refuses it

func (g *visit) last(locked)       { g.close = true }
func (g *visit) waits(locked) bool { return false } // the goroutine looks when the lock is released
func (g *visit) completed(bool)    {}
func (g *visit) seal(locked)       { g.mu.Unlock() }

func (g *visit) inform(l locked, status int, h *Header) {
	if l.ex.req.head.Minor() == 0 {
		return
	}
	in := &guest.Inform{Status: status, Fields: guestFields(h)}
	for _, f := range in.Fields {
		g.unsaid += len(f.Name) + len(f.Value)
	}
	g.unsaid += informSize
	g.informs = append(g.informs, in)
}

// informSize is about what an informational response takes without its fields.
const informSize = 64

// guestFields are the fields of a head for another server.
func guestFields(h *Header) []guest.Field {
	all := make([]guest.Field, 0, len(h.fields)+1) // and Date
	for _, f := range h.fields {
		all = append(all, guest.Field{Name: f.name, Value: f.value})
	}
	return all
}

// abort is for any goroutine, and with the exchange locked or not.
func (g *visit) abort(_ *exchange, cause error) {
	g.aborted.CompareAndSwap(nil, &cause)
	g.signal()
}

func (g *visit) turn() turn {
	if g.home != nil {
		return g.home
	}
	return (*guestTurn)(g)
}

func (g *visit) draining() <-chan struct{} {
	if d := g.from.Draining; d != nil {
		return d
	}
	return g.srv.draining
}

func (g *visit) listenAddr() net.Addr { return g.from.Local }

func (g *visit) tls() *tls.ConnectionState { return g.from.TLS }

func (g *visit) scratch() []byte {
	if g.chunk == nil {
		g.chunk = make([]byte, 0, scratchSize)
	}
	return g.chunk
}
