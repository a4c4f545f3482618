// Package memloop is a kernel in memory: it implements reactor.System and
// reactor.Poller, so that real reactor loops run without sockets, and in a
// bubble of testing/synctest under its fake clock.
//
//	test ── Client ──in──>  conn  ──fd──> reactor.Loop ──> Handler
//	            <──out──┘  (two queues, one lock for all)
//
// It behaves like Linux with edge-triggered epoll, as far as a reactor can see:
// each arrival, FIN, RST and end of fullness is an edge; an event carries all
// that the descriptor is ready for when the round begins; descriptors are the
// lowest free numbers; closing with unread input sends RST. In two ways it is
// stricter: RST discards what a client has not read, and a queue has exactly
// the room that it was given.
//
// All waiting is by channels, condition variables and time.Timer. Everything
// of a bubble, New included, must be called inside of it.
package memloop

import (
	"cmp"
	"errors"
	"io"
	"net/netip"
	"os"
	"sync"
	"syscall"

	"weir/reactor"
)

const (
	// DefaultWindow is how much a client's side holds unread before the
	// server's writes have to wait.
	DefaultWindow = 256 << 10
	inputRoom     = 64 << 10 // what a client may have sent ahead of the server's reading
	firstFD       = 3
)

// Kernel is one in-memory kernel, for one reactor or several. Make it with New
// and use it as reactor.Config.System. It is safe for concurrent use.
type Kernel struct {
	mu        sync.Mutex // guards all that belongs to the kernel
	table     []*conn    // by descriptor
	listeners map[string]func(*Client)
	hanging   map[string]bool
	dialError error
	dialFails map[string]error // by address
	ports     uint16
}

var _ reactor.System = (*Kernel)(nil)

// New returns a kernel without connections.
func New() *Kernel {
	return &Kernel{
		table:     make([]*conn, firstFD),
		listeners: make(map[string]func(*Client)),
		hanging:   make(map[string]bool),
		dialFails: make(map[string]error),
		ports:     40000,
	}
}

// Dial connects a new client to loop number loop of r, whose Config.Accept
// makes the handler. It does not wait for that.
func (k *Kernel) Dial(r *reactor.Reactor, loop int) *Client {
	fd, c := k.Pipe()
	r.Attach(r.Loops()[loop], fd, c.addr)
	return c
}

// Pipe makes a connection of a descriptor, to be attached to a reactor, and a
// client.
func (k *Kernel) Pipe() (fd int, c *Client) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.open()
	return s.fd, s.client
}

// Listen calls accept, on a goroutine of its own, with the client's side of
// each connection that a reactor dials to addr ("127.0.0.1:80" or
// "unix:/path"). Without a listener dialling is refused; stop ends this one.
func (k *Kernel) Listen(addr string, accept func(*Client)) (stop func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.listeners[addr] = accept
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.listeners, addr)
	}
}

// Hang makes dialling addr neither succeed nor fail.
func (k *Kernel) Hang(addr string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.hanging[addr] = true
}

// FailDials makes dialling fail at once with err, as without free descriptors;
// nil ends that.
func (k *Kernel) FailDials(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.dialError = err
}

// FailDialsTo makes dialling addr fail at once with err, as without a route to
// it; nil ends that.
func (k *Kernel) FailDialsTo(addr string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.dialFails[addr] = err
}

// Open returns the number of open descriptors.
func (k *Kernel) Open() (n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.table {
		if c != nil {
			n++
		}
	}
	return n
}

// open makes a connection at the lowest free descriptor. k.mu is held.
func (k *Kernel) open() *conn {
	k.ports++
	c := &conn{kernel: k, window: DefaultWindow, notice: 1}
	c.client = newClient(c, netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), k.ports))
	for c.fd = firstFD; c.fd < len(k.table); c.fd++ {
		if k.table[c.fd] == nil {
			k.table[c.fd] = c
			return c
		}
	}
	k.table = append(k.table, c)
	return c
}

// Connect starts a connection to a listener of the kernel.
func (k *Kernel) Connect(addr string) (fd int, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := cmp.Or(k.dialError, k.dialFails[addr]); err != nil {
		return 0, err
	}
	c := k.open()
	accept := k.listeners[addr]
	switch {
	case k.hanging[addr]:
		c.connecting = true
	case accept == nil:
		c.breakOff(syscall.ECONNREFUSED)
	default:
		go accept(c.client)
	}
	return c.fd, nil
}

// at locks the kernel and looks fd up. Only without an error is the lock held
// on return.
func (k *Kernel) at(fd int) (*conn, error) {
	k.mu.Lock()
	if fd < 0 || fd >= len(k.table) || k.table[fd] == nil {
		k.mu.Unlock()
		return nil, os.NewSyscallError("memloop", syscall.EBADF)
	}
	return k.table[fd], nil
}

// Read implements reactor.System.
func (k *Kernel) Read(fd int, p []byte) (int, error) {
	c, err := k.at(fd)
	if err != nil {
		return 0, err
	}
	defer k.mu.Unlock()
	switch n := c.in.take(p); {
	case n > 0:
		c.client.cond.Broadcast()
		return n, nil
	case c.err != nil:
		return 0, os.NewSyscallError("read", c.takeError())
	case c.in.fin || c.broken:
		return 0, io.EOF
	}
	return 0, reactor.ErrAgain
}

// Write implements reactor.System.
func (k *Kernel) Write(fd int, p []byte) (int, error) { return k.Writev(fd, p, nil, nil) }

// Writev implements reactor.System.
func (k *Kernel) Writev(fd int, a, b, c []byte) (int, error) {
	to, err := k.at(fd)
	if err != nil {
		return 0, err
	}
	defer k.mu.Unlock()
	to.calls++
	n, err := to.write(a, b, c)
	if h := to.hold; h != nil {
		to.hold = nil
		close(h.entered)
		k.mu.Unlock()
		<-h.release
		k.mu.Lock()
		if k.table[fd] != to {
			panic("memloop: a descriptor was closed under a write")
		}
	}
	return n, err
}

// SendFile implements reactor.FileSender: it reads a piece and writes it.
func (k *Kernel) SendFile(fd int, head []byte, f reactor.File, off int64, n int) (int, error) {
	piece := make([]byte, min(n, 64<<10))
	got, err := f.ReadAt(piece, off)
	if got > 0 {
		return k.Writev(fd, head, piece[:got], nil)
	}
	if len(head) > 0 {
		if n, err := k.Writev(fd, head, nil, nil); n < len(head) {
			return n, err
		}
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return len(head), err
}

// Widen implements reactor.FileSender. A client's window stays as it is.
func (k *Kernel) Widen(fd int, wide bool) {
	if c, err := k.at(fd); err == nil {
		c.wide = wide
		k.mu.Unlock()
	}
}

// Wide returns how many descriptors are widened.
func (k *Kernel) Wide() (n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.table {
		if c != nil && c.wide {
			n++
		}
	}
	return n
}

// Unacknowledged implements reactor.System: what the client has not read.
func (k *Kernel) Unacknowledged(fd int) (int, error) {
	c, err := k.at(fd)
	if err != nil {
		return 0, err
	}
	defer k.mu.Unlock()
	return c.out.len(), nil
}

// ShutdownWrite implements reactor.System.
func (k *Kernel) ShutdownWrite(fd int) error {
	c, err := k.at(fd)
	if err != nil {
		return err
	}
	defer k.mu.Unlock()
	if c.broken || c.connecting {
		return os.NewSyscallError("shutdown", syscall.ENOTCONN)
	}
	c.out.fin = true
	c.edge()
	c.client.cond.Broadcast()
	return nil
}

// Close implements reactor.System.
func (k *Kernel) Close(fd int, reset bool) error {
	c, err := k.at(fd)
	if err != nil {
		return err
	}
	defer k.mu.Unlock()
	k.table[fd] = nil
	c.closed, c.poller = true, nil
	if reset || c.in.len() > 0 {
		c.client.reset(syscall.ECONNRESET)
	}
	c.out.fin = true
	c.client.cond.Broadcast()
	return nil
}

// SocketError implements reactor.System.
func (k *Kernel) SocketError(fd int) error {
	c, err := k.at(fd)
	if err != nil {
		return err
	}
	defer k.mu.Unlock()
	if err := c.takeError(); err != nil {
		return os.NewSyscallError("socket", err)
	}
	return nil
}

// State implements reactor.System.
func (k *Kernel) State(fd int) reactor.Event {
	c, err := k.at(fd)
	if err != nil {
		return reactor.Readable | reactor.Writable
	}
	defer k.mu.Unlock()
	return c.ready()
}

var errNoListeners = errors.New("memloop: there are no listening descriptors; use Kernel.Dial")
