package weir_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"weir"
	"weir/internal/patience"
	"weir/internal/scenario"
)

// run is one performance of a scenario over sockets.
type run struct {
	t     *testing.T
	srv   *weir.Server
	house *house

	clients []*scenario.Peer
	now     *scenario.Peer // whose turn it is
}

// playOverSockets performs the steps and returns what was seen after each. It
// waits for what is wanted.
func playOverSockets(t *testing.T, sc *scenario.Scenario) (got [][]string) {
	h := newHouse()
	r := &run{t: t, house: h, srv: houseServer(h)}
	steps := sc.Steps
	for len(steps) > 0 && len(steps[0].Command) > 0 && steps[0].Command[0] == "set" {
		set(t, r.srv, h, steps[0].Command[1:])
		steps, got = steps[1:], append(got, nil)
	}
	if err := r.srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer r.stop()
	r.connect("a")
	for _, s := range steps {
		if s.Input != nil {
			r.write(s.Input)
		} else {
			r.do(s.Command)
		}
		r.settle(s.Want)
		got = append(got, r.seen(true))
	}
	return got
}

func (r *run) connect(name string) {
	c, err := net.Dial("tcp", r.srv.Addrs()[0].String())
	if err != nil {
		r.t.Fatal(err)
	}
	r.now = scenario.NewPeer(name, c, r.house.stir)
	r.clients = append(r.clients, r.now)
}

// settle waits until what is wanted has happened; the rest is the comparison's.
func (r *run) settle(want []string) {
	late := time.After(patience.Limit)
	for !slices.Equal(r.seen(false), want) {
		select {
		case <-r.house.stirred:
		case <-late:
			return
		}
	}
}

// seen is all that has happened.
func (r *run) seen(take bool) []string {
	return append(scenario.Seen(r.clients, take), r.house.seen(take)...)
}

func (r *run) stop() {
	r.house.letAllGo()
	r.hurry()
	for _, p := range r.clients {
		_ = p.Close()
		<-p.Closed()
	}
}

// hurry shuts the server down at once, whether or not that was begun before.
func (r *run) hurry() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := r.srv.Shutdown(ctx); err != nil {
		r.t.Error(err)
	}
}

func (r *run) write(p []byte) {
	if _, err := r.now.Write(p); err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		r.t.Errorf("writing: %v", err)
	}
}

// do performs a command.
func (r *run) do(args []string) {
	socket := r.now.Conn.(*net.TCPConn)
	switch args[0] {
	case "wait", "whole":
	case "release":
		r.house.release()
	case "conn":
		if i := slices.IndexFunc(r.clients, func(p *scenario.Peer) bool { return p.Name() == args[1] }); i >= 0 {
			r.now = r.clients[i]
		} else {
			r.connect(args[1])
		}
	case "close":
		_ = socket.Close()
	case "halfclose":
		_ = socket.CloseWrite()
	case "reset":
		_ = socket.SetLinger(0) // what follows shows it
		_ = socket.Close()
	case "drain":
		go func() {
			report, err := r.srv.Shutdown(context.Background())
			if err != nil {
				r.t.Error(err)
			}
			r.house.note(fmt.Sprintf("shutdown: drained %d, cut %d, refused %d", report.Drained, report.Cut, report.Refused))
		}()
	case "hurry":
		r.hurry()
	default:
		r.t.Fatalf("there is no command %q", args[0])
	}
}
