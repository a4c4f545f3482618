package reactor

import (
	"errors"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"weir/logq"
)

// The defaults of Config's fields.
const (
	DefaultHighMark   = 256 << 10
	DefaultWriteStall = 30 * time.Second
	DefaultLinger     = 2 * time.Second
	defaultSpare      = 64 << 10
)

// Never is a time-out that never expires: longer than any process runs, and
// short enough to be added to a time.
const Never time.Duration = 1 << 62

// Config configures a [Reactor]. The zero value of a field is its default. A
// negative time-out or number of connections means no limit, a negative Linger
// or LingerBytes none; [New] refuses other negative values.
type Config struct {
	// Loops is the number of event loops; GOMAXPROCS by default.
	Loops int
	// HighMark is the number of pending output bytes of one connection above
	// which producers wait, LowMark the one at which they continue: 256 KiB and
	// a quarter of the high mark. The kernel may also hold as much as the low
	// mark, at least 16 KiB, that it has not sent, and a piece of 64 KiB.
	HighMark, LowMark int
	// WriteStall is how long a peer may acknowledge no byte while output waits:
	// 30 s.
	WriteStall time.Duration
	// Linger bounds the wait for the peer's FIN after Close: 2 s. LingerBytes
	// bounds what is read and discarded meanwhile: 64 KiB.
	Linger      time.Duration
	LingerBytes int
	// MaxOpen is the number of descriptors that connections may hold, accepted
	// and outgoing ones together. By default it is what the limit on
	// descriptors allows, less a reserve for files, pollers, other listeners
	// and for refusing connections politely. Beyond it connections are refused
	// and [Loop.Dial] returns [ErrDialLimit].
	MaxOpen int
	// MaxConns is the number of accepted connections beyond which further ones
	// are refused; MaxOpen by default.
	MaxConns int
	// Refusal is what a connection beyond MaxConns or MaxOpen, or without a
	// descriptor, is sent before it is closed.
	Refusal []byte
	// Refused, if it is set, is called for each connection that is sent the
	// Refusal, on a loop: with its address, as far as it is known, and its
	// listener's. It must neither block nor panic.
	Refused func(remote netip.AddrPort, listen net.Addr)
	// Accept makes the handler of an accepted connection, on its loop.
	Accept func(c *Conn) Handler
	// Setup is called once for each loop, in the order of their IDs, before any
	// of them runs.
	Setup func(l *Loop)
	// Logger logs what cannot be reported otherwise; [slog.Default] by default.
	// No loop waits for its handler: see [Reactor.Logger].
	Logger *slog.Logger
	// System is the kernel; the real one by default.
	System System
}

func (c *Config) fillIn() {
	setDefault(&c.Loops, runtime.GOMAXPROCS(0))
	setDefault(&c.HighMark, DefaultHighMark)
	setDefault(&c.LowMark, c.HighMark/4)
	setDefault(&c.WriteStall, DefaultWriteStall)
	setDefault(&c.Linger, DefaultLinger)
	setDefault(&c.LingerBytes, defaultSpare)
	switch {
	case c.MaxOpen == 0:
		c.MaxOpen = DescriptorBudget()
	case c.MaxOpen < 0:
		c.MaxOpen = math.MaxInt
	}
	if c.MaxConns <= 0 {
		c.MaxConns = c.MaxOpen
	}
	if c.WriteStall < 0 {
		c.WriteStall = Never
	}
	c.Linger, c.LingerBytes = max(0, c.Linger), max(0, c.LingerBytes)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.System == nil {
		c.System = &sockets{unsent: c.unsent()}
	}
}

// unsent is how much the kernel may hold for a peer beyond what it has sent. A
// kernel's buffer has room for megabytes, and a peer that stalls fills it.
func (c *Config) unsent() int { return max(c.LowMark, leastUnsent) }

const leastUnsent = 16 << 10

func setDefault[T int | time.Duration](v *T, standard T) {
	if *v == 0 {
		*v = standard
	}
}

// A Reactor is a set of running event loops. Its methods are safe for
// concurrent use. StopListening and Close wait for the loops, and must not be
// called on one.
type Reactor struct {
	cfg      Config
	all      []*Loop
	loops    sync.WaitGroup
	open     atomic.Int64 // descriptors of connections
	accepted atomic.Int64 // those of accepted ones
	refusing atomic.Int64 // descriptors of connections that are being refused
	next     atomic.Uint32
	spare    spareDescriptor
	logs     *logq.Handler // of Config.Logger
	stopped  atomic.Bool

	mu        sync.Mutex
	listeners []*listener

	logged atomic.Int64 // unix seconds of the last complaint about descriptors
}

// New starts the loops.
func New(cfg Config) (*Reactor, error) {
	if cfg.Loops < 0 || cfg.HighMark < 0 || cfg.LowMark < 0 {
		return nil, errors.New("reactor: Config.Loops, HighMark and LowMark must not be negative")
	}
	cfg.fillIn()
	if cfg.LowMark >= cfg.HighMark {
		return nil, errors.New("reactor: Config.LowMark must be below HighMark")
	}
	r := &Reactor{cfg: cfg, logs: logq.NewHandler(cfg.Logger.Handler())}
	r.spare.open()
	for id := range cfg.Loops {
		l, err := newLoop(r, id)
		if err != nil {
			for _, l := range r.all {
				_ = l.poller.Close() // never ran
			}
			r.spare.close()
			return nil, err
		}
		r.all = append(r.all, l)
	}
	if cfg.Setup != nil {
		for _, l := range r.all {
			cfg.Setup(l)
		}
	}
	for _, l := range r.all {
		r.loops.Add(1)
		go l.run()
	}
	return r, nil
}

// Loops returns the reactor's loops, in the order of their IDs.
func (r *Reactor) Loops() []*Loop { return r.all }

// Connections returns the number of open connections, including outgoing ones.
func (r *Reactor) Connections() int { return int(r.open.Load()) }

// Attach makes fd, a connection of the [System], a connection of loop l, as if
// a listener had accepted it. It is for tests and tools that have a System of
// their own.
func (r *Reactor) Attach(l *Loop, fd int, remote netip.AddrPort) {
	r.attach(arrival{l, fd, ends{remote: remote}})
}

func (r *Reactor) attach(a arrival) {
	if r.countIn() > 0 {
		a.to.Post(&excess{a})
	} else {
		a.to.Post(&a)
	}
}

// Close stops listening, ends every connection with RST and returns when all
// loops have ended. It waits at most a second for the log to take what was
// logged. It may be called twice.
func (r *Reactor) Close() {
	r.stopped.Store(true)
	r.StopListening()
	for _, l := range r.all {
		l.mu.Lock()
		if !l.dead {
			l.stop = true
			l.poller.Wake()
		}
		l.mu.Unlock()
	}
	r.loops.Wait()
	r.spare.close()
	r.logs.Wait(time.Second)
}

// Logger returns a logger that logs to [Config].Logger without waiting for it:
// its handler is called on a goroutine of its own. What that does not take in
// time is lost and counted.
func (r *Reactor) Logger() *slog.Logger { return slog.New(r.logs) }

// LogLost returns how many records [Config].Logger has not taken.
func (r *Reactor) LogLost() uint64 { return r.logs.Lost() }

// reportRefused calls Config.Refused.
func (r *Reactor) reportRefused(at ends) {
	if r.cfg.Refused != nil {
		r.cfg.Refused(at.remote, at.listened())
	}
}

func (r *Reactor) log(what string, err error) { r.Logger().Error("reactor: "+what, "err", err) }
