package reactor

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	acceptsPerTurn = 64
	acceptPause    = 50 * time.Millisecond // after a failure for want of descriptors or memory
	refusalsOpen   = 16                    // connections that may be refused politely at once
)

// listener is one listening descriptor on one loop.
type listener struct {
	fd      int
	addr    net.Addr
	share   bool     // hand connections to all loops in turn
	tls     *TLS     // nil = connections are in the clear
	proxies *proxies // nil = connections begin without the PROXY protocol
	loop    *Loop
	pause   Timer
	remove  func() // removes the path of a unix socket; nil = there is none, or it is gone
}

// Listen accepts connections at addr: "host:port", ":port", or
// "unix:/path?mode=0660". It returns the address that it got, port 0 resolved.
//
// With "?proxy=10.0.0.0/8" connections begin with a header of HAProxy's PROXY
// protocol, version 1 or 2: [Conn.RemoteAddr] is the client's then, and what the
// header says of nobody's keeps the address of the proxy. proxy lists who may
// connect, comma separated: addresses, prefixes, loopback, private, unix (the
// peers of a unix socket) and * (everybody: whoever connects then says who it
// is). Others are closed, and so is a connection whose header is malformed,
// longer than 4 KiB, or not there within proxy-timeout, 5s by default.
func (r *Reactor) Listen(addr string) (net.Addr, error) { return r.listen(addr, nil) }

func (r *Reactor) listen(addr string, t *TLS) (net.Addr, error) {
	rest, proxies, err := cutProxies(addr)
	var group []*listener
	if err == nil {
		group, err = r.bind(rest)
	}
	if err != nil {
		return nil, fmt.Errorf("reactor: listening on %s: %w", addr, err)
	}
	for i, lis := range group {
		lis.loop, lis.tls, lis.proxies = r.all[i%len(r.all)], t, proxies
		lis.pause.Init((*restart)(lis))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped.Load() {
		for _, lis := range group {
			lis.close()
		}
		return nil, fmt.Errorf("reactor: listening on %s: %w", addr, ErrStopped)
	}
	r.listeners = append(r.listeners, group...)
	for _, lis := range group {
		lis.loop.Post(TaskFunc(lis.start))
	}
	return group[0].addr, nil
}

// StopListening closes all listening sockets once everything that the kernel
// had accepted is a connection here, and returns when that is done. Closing a
// listener resets what waits at it; between the last look and close(2) only a
// half-done handshake can still arrive there, or any connection where hush has
// no effect.
func (r *Reactor) StopListening() {
	r.mu.Lock()
	group := r.listeners
	r.listeners = nil
	r.mu.Unlock()
	var pending sync.WaitGroup
	for _, lis := range group {
		pending.Add(1)
		lis.loop.Post(&farewell{lis: lis, pending: &pending})
	}
	pending.Wait()
}

// farewellTurns bounds what a farewell accepts from clients that connect
// faster than the loop accepts: many times the longest backlog.
const farewellTurns = 1 << 10

// farewell is the task that ends a listener. It accepts acceptsPerTurn
// connections a turn, so that those of the loop are served meanwhile, and
// closes the socket when two turns have found none. A loop that failed has
// already ended its listeners.
type farewell struct {
	lis     *listener
	pending *sync.WaitGroup
	turns   int
	vain    int // turns that have found nothing
}

func (f *farewell) Run() {
	lis, l := f.lis, f.lis.loop
	if f.turns == 0 {
		if l.listeners[lis.fd] != lis {
			f.pending.Done()
			return
		}
		l.unwatch(lis)
		lis.hush()
	}
	if f.look() {
		l.Post(f)
		return
	}
	lis.close()
	f.pending.Done()
}

// look accepts what waits and reports whether to look once more.
func (f *farewell) look() bool {
	if f.turns == farewellTurns || f.lis.loop.reactor.stopped.Load() {
		return false
	}
	f.turns++
	if !f.lis.accept(f.lis.loop) {
		f.vain++
	}
	return f.vain < 2
}

func (f *farewell) Dropped() {
	if f.turns > 0 {
		f.lis.close()
	}
	f.pending.Done()
}

func (lis *listener) start() {
	lis.loop.listeners[lis.fd] = lis
	if err := lis.loop.poller.AddListener(lis.fd); err != nil {
		lis.loop.reactor.log("watching a listener", err)
	}
}

// restart is a listener's end of a pause after a failed accept.
type restart listener

func (t *restart) Run() {
	lis := (*listener)(t)
	if lis.loop.listeners[lis.fd] == lis {
		lis.start()
	}
}

// unlisten closes a listener and resets what waits at it.
func (l *Loop) unlisten(lis *listener) {
	l.unwatch(lis)
	lis.close()
}

// unwatch ends the events of a listener. Its path, if it has one, is removed:
// clients no longer find it, and while it is listened on no other process puts
// a socket of its own there.
func (l *Loop) unwatch(lis *listener) {
	delete(l.listeners, lis.fd)
	l.StopTimer(&lis.pause)
	_ = l.poller.Remove(lis.fd) // fails in a pause, when it is not there
	if lis.remove != nil {
		lis.remove()
		lis.remove = nil
	}
}

func (lis *listener) close() {
	if err := lis.loop.sys.Close(lis.fd, false); err != nil {
		lis.loop.reactor.log("closing a listener", err)
	}
	if lis.remove != nil { // it was never watched
		lis.remove()
	}
}

// accept takes what waits at the listener, a bounded number a turn, and reports
// whether there may be more: the listener is level-triggered and reports those
// again.
func (lis *listener) accept(l *Loop) (more bool) {
	l.turn = nil
	defer l.rescue()
	r := l.reactor
	for range acceptsPerTurn {
		fd, remote, err := r.spare.accept(lis.fd)
		switch {
		case err == nil:
			r.admit(lis.target(l), l, fd, ends{remote, lis})
		case err == ErrAgain:
			return false
		case noDescriptors(err):
			r.complain(noRoom, err)
			switch err := r.spare.refuse(lis.fd, r.refusal(lis)); err {
			case nil:
				r.reportRefused(ends{lis: lis})
			case ErrAgain:
				return false
			default:
				lis.rest()
				return false
			}
		case aborted(err):
		default:
			r.complain(noRoom, err)
			lis.rest()
			return false
		}
	}
	return true
}

// rest pauses a listener that cannot be served, so that it does not spin.
func (lis *listener) rest() {
	_ = lis.loop.poller.Remove(lis.fd) // it is there: it was just ready
	lis.loop.StartTimer(&lis.pause, lis.loop.Now().Add(acceptPause))
}

func (lis *listener) target(l *Loop) *Loop {
	all := l.reactor.all
	if !lis.share || len(all) == 1 {
		return l
	}
	return all[int(l.reactor.next.Add(1))%len(all)]
}

// countIn counts an accepted connection and returns how many there are now
// beyond the limit.
func (r *Reactor) countIn() (excess int64) {
	open, accepted := r.open.Add(1), r.accepted.Add(1)
	return max(open-int64(r.cfg.MaxOpen), accepted-int64(r.cfg.MaxConns))
}

// countOut counts the end of a connection.
func (r *Reactor) countOut(from origin) {
	switch from {
	case accepted:
		r.accepted.Add(-1)
	case refusal:
		r.refusing.Add(-1)
		return
	}
	r.open.Add(-1)
}

// admit accepts a new connection if there is room, or room can be made, and
// otherwise refuses it. While it is being refused it uses a descriptor of the
// reserve, not one that another connection could have.
func (r *Reactor) admit(to, here *Loop, fd int, at ends) {
	if r.countIn() > 0 {
		r.squeeze(to, here, fd, at)
	} else {
		here.pass(to, fd, at)
	}
}

// arrival is a new connection on its way to its loop.
type arrival struct {
	to *Loop
	fd int
	at ends
}

// ends has both ends of a connection.
type ends struct {
	remote netip.AddrPort // the zero value for unix sockets
	lis    *listener      // that accepted it; nil for outgoing connections and attached ones
}

func (e *ends) listened() net.Addr {
	if e.lis == nil {
		return nil
	}
	return e.lis.addr
}

func (a *arrival) Run() { a.to.welcome(a.fd, a.at) }

func (a *arrival) Dropped() {
	_ = a.to.sys.Close(a.fd, true) // the reactor has stopped: nothing to report
	a.to.reactor.countOut(accepted)
}

// welcome makes fd a connection with a handler.
func (l *Loop) welcome(fd int, at ends) {
	c := &Conn{phase: open, ends: at, handler: refused{}}
	behind := at.lis != nil && at.lis.proxies != nil
	if at.lis != nil && at.lis.tls != nil && !behind {
		c.out.secure = newSecure(c, at.lis.tls)
	}
	if err := l.adopt(c, fd); err != nil {
		l.reactor.log("watching a connection", err)
		_ = l.sys.Close(fd, true) // the cause is logged
		l.reactor.countOut(accepted)
		return
	}
	if behind {
		l.awaitPreface(c)
	} else {
		l.introduce(c)
	}
	l.turn = nil
}

// introduce makes the handler by Config.Accept, which may close the connection.
func (l *Loop) introduce(c *Conn) {
	l.turn = c
	defer l.rescue()
	c.handler = l.reactor.cfg.Accept(c)
	if c.phase == closed {
		c.handler.Closed(c.cause)
	} else if c.out.secure != nil {
		c.out.secure.startClock()
	}
}

// refuse sends the refusal and lets the peer read it before the connection
// closes.
func (l *Loop) refuse(fd int, at ends) {
	c := &Conn{phase: open, ends: at, handler: refused{}, origin: refusal}
	if err := l.adopt(c, fd); err != nil {
		l.reactor.countOut(refusal)
		refuseNow(l.sys, fd, l.reactor.refusal(at.lis))
		return
	}
	c.sendRefusal()
}

// sendRefusal sends the refusal and closes the connection gracefully.
func (c *Conn) sendRefusal() {
	c.lock()
	b := c.Buffer()
	*b = append(*b, c.loop.reactor.refusal(c.lis)...)
	c.Unlock()
	c.Close()
}

// refusal returns what a refused connection is sent. One that would speak TLS
// is just closed: there is no time for a handshake.
func (r *Reactor) refusal(lis *listener) []byte {
	if lis != nil && lis.tls != nil {
		return nil
	}
	return r.cfg.Refusal
}

// refused is the handler of a connection that is only sent the refusal, and of
// one that has no other yet.
type refused struct{}

func (refused) Data(p []byte) int { return len(p) }
func (refused) PeerClosed()       {}
func (refused) Drained()          {}
func (refused) Closed(error)      {}

const noRoom = "cannot accept connections; raise the limit on open files (ulimit -n) or lower MaxConns"

// complain logs at most once a second.
func (r *Reactor) complain(what string, err error) {
	now := time.Now().Unix()
	if last := r.logged.Load(); last != now && r.logged.CompareAndSwap(last, now) {
		r.log(what, err)
	}
}

// Addrs returns the addresses that are listened on, each once.
func (r *Reactor) Addrs() []net.Addr {
	r.mu.Lock()
	defer r.mu.Unlock()
	var addrs []net.Addr
	for _, lis := range r.listeners {
		if !slices.ContainsFunc(addrs, func(a net.Addr) bool { return a.String() == lis.addr.String() }) {
			addrs = append(addrs, lis.addr)
		}
	}
	return addrs
}
