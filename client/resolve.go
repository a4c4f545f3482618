package client

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"weir/reactor"
)

// This file is how an Origin's name becomes addresses, and how a call finds the
// one that it can connect to. Names are looked up on a goroutine. Calls wait
// for that only as long as no address is known at all; later look-ups happen
// beside them.

const (
	lookupLimit = 5 * time.Second // how long one may take
	lookupPause = time.Second     // from the beginning of one to the next
)

// addresses are those of an Origin's name. They are replaced as a whole.
type addresses struct {
	list  []string     // as reactor.Loop.Dial takes them; at least one
	first atomic.Int32 // where calls begin: the one that was connected to last
}

func (a *addresses) has(addr string) bool { return slices.Contains(a.list, addr) }

// names is what an Origin knows of its name. Safe for concurrent use.
type names struct {
	addrs atomic.Pointer[addresses] // nil = it was not looked up yet
	fixed bool                      // there is no name
	begun atomic.Int64              // when the last look-up began, in unix nanoseconds

	mu      sync.Mutex
	looking bool
	waiting []*Call // for the first addresses
}

// literal is an Endpoint that has an address, or a path, and no name.
func (n *names) literal(addr string) {
	n.fixed = true
	n.addrs.Store(&addresses{list: []string{addr}})
}

// resolve looks the name up. What was known stays if that fails.
func (n *names) resolve(ctx context.Context, o *Origin) error {
	if n.fixed {
		return nil
	}
	n.begun.Store(time.Now().UnixNano())
	err := n.look(ctx, o)
	if o.Looked != nil {
		o.Looked(err)
	}
	return err
}

func (n *names) look(ctx context.Context, o *Origin) error {
	lookup := o.Lookup
	if lookup == nil {
		lookup = net.DefaultResolver.LookupHost
	}
	ips, err := lookup(ctx, o.Endpoint.Hostname)
	if err == nil && len(ips) == 0 {
		err = notFound(o.Endpoint.Hostname)
	}
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(o.Endpoint.Address)
	if err != nil {
		return err
	}
	found := new(addresses)
	for _, ip := range ips {
		if addr := net.JoinHostPort(ip, port); !found.has(addr) {
			found.list = append(found.list, addr)
		}
	}
	n.replace(found)
	return nil
}

func notFound(host string) error {
	return &net.DNSError{Err: "no addresses", Name: host, IsNotFound: true}
}

// replace puts addresses in place of others, if they are others: calls stay
// with the one that they are connected to, whatever the order in which a name
// server lists them.
func (n *names) replace(found *addresses) {
	if old := n.addrs.Load(); old != nil {
		if len(old.list) == len(found.list) && !slices.ContainsFunc(found.list, func(addr string) bool { return !old.has(addr) }) {
			return
		}
		if i := slices.Index(found.list, old.list[old.first.Load()]); i > 0 {
			found.first.Store(int32(i))
		}
	}
	n.addrs.Store(found)
}

// await looks the name up for a call, which waits for that.
func (n *names) await(c *Call) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.waiting = append(n.waiting, c)
	n.start(c.search.origin)
}

// refresh looks the name up again if the last time was longer ago than that.
func (n *names) refresh(o *Origin, now time.Time, age time.Duration) {
	if n.fixed || now.UnixNano()-n.begun.Load() < int64(age) {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.start(o)
}

// start begins a look-up, if none is under way. The lock is held.
func (n *names) start(o *Origin) {
	if n.looking {
		return
	}
	n.looking = true
	n.begun.Store(time.Now().UnixNano())
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), lookupLimit)
		defer cancel()
		n.done(n.resolve(ctx, o))
	}()
}

// done lets the calls continue that wait.
func (n *names) done(err error) {
	n.mu.Lock()
	waiting := n.waiting
	n.looking, n.waiting = false, nil
	n.mu.Unlock()
	for _, c := range waiting {
		c.search.loop.Post(&resolved{c, err})
	}
}

// resolved is a task: the look-up that a call waits for has ended.
type resolved struct {
	call *Call
	err  error
}

func (r *resolved) Run() {
	c, err := r.call, r.err
	if c.over {
		return
	}
	if err == nil {
		err = c.search.begin(c)
	}
	if err != nil {
		c.finish(&Error{Kind: ErrConnect, Cause: err})
	}
}

// search is how a call of an Origin finds a connection. It is empty for a call
// of a Pool.
type search struct {
	origin *Origin
	loop   *reactor.Loop
	addrs  *addresses
	first  int   // where it began
	tried  int   // how many of them
	cause  error // of the last one that failed for a reason of its own
}

// begin gets the call a connection to the address that others use, or has the
// name looked up before.
func (s *search) begin(c *Call) error {
	names := &s.origin.names
	if s.addrs = names.addrs.Load(); s.addrs == nil {
		names.await(c)
		return nil
	}
	if age := s.origin.Refresh; age >= 0 {
		if age == 0 {
			age = DefaultRefresh
		}
		names.refresh(s.origin, s.loop.Now(), age)
	}
	s.first = int(s.addrs.first.Load())
	return s.next(c)
}

// next connects to the next address, and to the one after it if that fails at
// once.
func (s *search) next(c *Call) (err error) {
	for n := len(s.addrs.list); s.tried < n; {
		addr := s.addrs.list[(s.first+s.tried)%n]
		s.tried++
		pool := s.origin.pool(s.loop, s.addrs, addr)
		if err = pool.connect(c); err == nil {
			return nil
		}
		if !s.worthwhile(err) {
			return err
		}
		err = s.failed(err)
	}
	s.origin.names.refresh(s.origin, s.loop.Now(), lookupPause)
	return err
}

// failed notes why an address could not be connected to, and returns what is
// reported if no other can be: what a peer or the network said, rather than that
// this machine has no way to one of the addresses.
func (s *search) failed(err error) error {
	if s.cause == nil || !reactor.LocalShortage(err) {
		s.cause = err
	}
	return s.cause
}

// limit is how long connecting may take while there is another address.
func (s *search) limit(c *conn) {
	if s.origin == nil || s.tried >= len(s.addrs.list) {
		return
	}
	attempt := s.origin.Attempt
	if attempt == 0 {
		attempt = DefaultAttempt
	}
	if attempt > 0 {
		s.loop.StartTimer(&c.timer, s.loop.Now().Add(attempt))
	}
}

// elsewhere is called when an address could not be connected to, and connects
// to another one. It returns why it does not.
func (s *search) elsewhere(c *Call, cause error) error {
	if !s.worthwhile(cause) {
		return cause
	}
	s.origin.names.refresh(s.origin, s.loop.Now(), lookupPause)
	cause = s.failed(cause)
	if s.tried == len(s.addrs.list) {
		return cause
	}
	return s.next(c)
}

// worthwhile reports whether a failure may be the address's own. EADDRNOTAVAIL
// may be: there are as many ports for each address, and without IPv6 there is no
// way to an address of it.
func (s *search) worthwhile(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || !reactor.LocalShortage(err) && !errors.Is(err, reactor.ErrStopped)
}

// found is called when the address that was tried last is connected to: later
// calls begin there.
func (s *search) found() {
	if s.addrs != nil && s.tried > 1 {
		s.addrs.first.Store(int32((s.first + s.tried - 1) % len(s.addrs.list)))
	}
}
