package weir_test

import (
	"errors"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"weir"
	"weir/reactor"
)

// What weir itself costs, apart from the kernel: between 5 and 10 % of a small
// request, and therefore invisible in a load test. Two builds are compared by
// alternating short runs of their test binaries.

// An inline request on each of 64 connections in turn.
func BenchmarkCostInline(b *testing.B) {
	m := new(weir.Mux)
	m.HandleFunc("GET /plaintext", func(w *weir.Response, _ *weir.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.WriteString("Hello, World!")
	}).Inline()
	k := runTreadmill(b, &weir.Server{Handler: m, OnHeaders: func(*weir.Response, *weir.Request) bool { return true }}, "/plaintext")
	k.run(treadmillConns)
	b.ResetTimer()
	k.run(b.N)
}

// A token that a goroutine sends on each of 64 streams in turn.
func BenchmarkCostSend(b *testing.B) {
	streams := make(chan *weir.Stream, treadmillConns)
	m := new(weir.Mux)
	m.HandleFunc("GET /stream", func(w *weir.Response, _ *weir.Request) {
		s := w.Stream()
		s.Detach()
		streams <- s
	})
	k := runTreadmill(b, &weir.Server{Handler: m}, "/stream")
	k.run(treadmillConns)
	var open [treadmillConns]*weir.Stream
	for i := range open {
		open[i] = <-streams
	}
	token := []byte("data: the quick brown fox jumps over the lazy dog\n\n")
	for i := 0; b.Loop(); i++ {
		if err := open[i%treadmillConns].Send(token); err != nil {
			b.Fatal(err)
		}
	}
}

const treadmillConns = 64

// treadmill is a kernel that makes no system call and never lets the loop rest:
// requests arrive on its connections in turn, and it takes every response.
type treadmill struct {
	request []byte
	arrived [treadmillConns]bool // a request that was not read
	wake    chan struct{}
	steps   chan int // requests that are to arrive
	done    chan struct{}
}

// runTreadmill starts srv on a treadmill whose clients ask for path.
func runTreadmill(b *testing.B, srv *weir.Server, path string) *treadmill {
	b.Helper()
	k := &treadmill{
		request: []byte("GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"),
		wake:    make(chan struct{}, 1), steps: make(chan int), done: make(chan struct{}),
	}
	srv.Loops, srv.System, srv.Logger = 1, k, slog.New(slog.DiscardHandler)
	if err := srv.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(srv.Reactor().Close)
	for fd := range treadmillConns {
		srv.Reactor().Attach(srv.Reactor().Loops()[0], fd, netip.AddrPort{})
	}
	return k
}

// run has n requests arrive and returns when the loop has handled them.
func (k *treadmill) run(n int) {
	k.steps <- n
	<-k.done
}

func (k *treadmill) Read(fd int, p []byte) (int, error) {
	if !k.arrived[fd] {
		return 0, reactor.ErrAgain
	}
	k.arrived[fd] = false
	return copy(p, k.request), nil
}

func (k *treadmill) Write(_ int, p []byte) (int, error)        { return len(p), nil }
func (k *treadmill) Writev(_ int, a, b, c []byte) (int, error) { return len(a) + len(b) + len(c), nil }
func (k *treadmill) Unacknowledged(int) (int, error)           { return 0, nil }
func (k *treadmill) ShutdownWrite(int) error                   { return nil }
func (k *treadmill) Close(int, bool) error                     { return nil }
func (k *treadmill) SocketError(int) error                     { return nil }
func (k *treadmill) State(int) reactor.Event                   { return reactor.Readable }
func (k *treadmill) Connect(string) (int, error)               { return 0, errors.ErrUnsupported }
func (k *treadmill) NewPoller() (reactor.Poller, error)        { return (*treadmillPoller)(k), nil }

type treadmillPoller treadmill

func (p *treadmillPoller) Add(int) error         { return nil }
func (p *treadmillPoller) AddListener(int) error { return nil }
func (p *treadmillPoller) Remove(int) error      { return nil }
func (p *treadmillPoller) Arm(time.Time)         {}
func (p *treadmillPoller) Close() error          { return nil }

func (p *treadmillPoller) Wake() {
	select {
	case p.wake <- struct{}{}:
	default: // it is awake
	}
}

func (p *treadmillPoller) Run(s reactor.Sink) error {
	for {
		select {
		case <-p.wake:
			if !s.Woken() {
				return nil
			}
		case n := <-p.steps:
			for i := range n {
				if i%16 == 0 && !p.woken(s) { // as often as with a kernel whose rounds have 16 events
					return nil
				}
				p.arrived[i%treadmillConns] = true
				s.Ready(i%treadmillConns, reactor.Readable)
			}
			p.done <- struct{}{}
		}
	}
}

// woken runs the loop's tasks, if there are some.
func (p *treadmillPoller) woken(s reactor.Sink) (more bool) {
	select {
	case <-p.wake:
		return s.Woken()
	default:
		return true
	}
}
