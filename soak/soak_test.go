//go:build soak

// Package soak runs weir for a minute with a few thousand clients, half of
// which leave in every way and at every stage that a client can leave, and
// then asks what is left of them:
//
//	go test -tags soak -run TestSoak -v -timeout 5m ./soak
//	go test -tags soak -run TestSoak -v ./soak -for 20s -seats 500 -seed 7
//	go test -tags soak -run TestDescriptorLimit -v ./soak
//
// Server and clients are one process, so that every request has a record which
// both sides write to: the client when it leaves, the handler when it is told.
// No clock asserts anything; latencies are printed, from right before the
// client's system call to the handler's being told. What is asserted is that
// every departure is told exactly once and with its cause, that every byte is
// the right one of the right answer, that the server counts what we count, and
// that nothing is left over. A shorter wave of as many clients comes first, so
// that what the process keeps for later is there when it is measured.
//
// Reading order: record_test.go (what is written down), server_test.go (the
// handlers), plan_test.go, leave_test.go and garbage_test.go (the clients),
// judge_test.go and census_test.go (the end). quiet_test.go measures alone;
// limit_linux_test.go is about a server in a process of its own.
package soak

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir"
	"weir/internal/leak"
	"weir/internal/patience"
)

var (
	length = flag.Duration("for", time.Minute, "how long clients come")
	places = flag.Int("seats", 2300, "clients at a time; nine in ten have a stream open")
	seed   = flag.Uint64("seed", 1, "of what clients do")
)

func TestMain(m *testing.M) { os.Exit(leak.Check(m)) }

const (
	rampUp     = 3 * time.Second // over which the first clients come
	rampDown   = 5 * time.Second // over which the last ones leave
	writeStall = 4 * time.Second
)

func TestSoak(t *testing.T) {
	before := count()
	srv := start(t)
	defer stop(t, srv)
	up := count()
	wave(t, srv, *length/6) // what the process keeps of so many clients, once, it has then
	warm := count()
	peaks, report := wave(t, srv, *length)
	idle := settled(warm)
	idle.check(t, "when all clients have left again", warm)
	stop(t, srv)
	none := before
	none.heap = warm.heap // goroutines that have ended are kept to be used again
	down := settled(none)
	down.check(t, "after shutdown", none)
	t.Logf("%v, seed %d\n%s%s", *length, *seed, report, peaks.table(before, up, warm, idle, down))
}

// wave lets clients come for some time, and judges what became of them when
// all have gone.
func wave(t *testing.T, srv *weir.Server, length time.Duration) (*watch, string) {
	t.Helper()
	counted := srv.Stats()
	peaks := watchPeaks(srv, length)
	h := newHall(srv.Addrs()[0].String(), length)
	h.fill(*places, uint64(length))
	peaks.stop()
	awaitEmpty(t, srv)
	complain(t, "clients", h.faults)
	return peaks, judge(t, book.close(patience.Limit), counted, srv.Stats()) + h.table()
}

// start makes a server that listens.
func start(t *testing.T) *weir.Server {
	t.Helper()
	srv := &weir.Server{Handler: routes(), Logger: slog.New(failing{t})}
	srv.Limits.HighMark = 64 << 10
	srv.Timeouts.WriteStall = writeStall
	srv.Timeouts.BodyGrace = time.Minute // clients are silent in the middle of a body until they leave
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	return srv
}

// stop may be called twice.
func stop(t *testing.T, srv *weir.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience.Limit)
	defer cancel()
	if report, err := srv.Shutdown(ctx); err != nil || report.Cut != 0 {
		t.Errorf("shutdown: got %+v, %v, want nothing left to cut", report, err)
	}
}

// failing is a log handler to which nothing should come but what clients cause,
// which is logged for debugging.
type failing struct{ t *testing.T }

func (f failing) Enabled(_ context.Context, level slog.Level) bool { return level > slog.LevelDebug }
func (f failing) WithAttrs([]slog.Attr) slog.Handler               { return f }
func (f failing) WithGroup(string) slog.Handler                    { return f }
func (f failing) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	f.t.Errorf("the server logs: %s", text)
	return nil
}

// hall is where the clients sit. Each seat plays one plan after the other
// until time is up.
type hall struct {
	addr  string
	over  chan struct{} // closed when time is up
	seats sync.WaitGroup

	mu     sync.Mutex
	faults []string
	played map[string]int
	bytes  atomic.Int64 // of answers, checked
}

func newHall(addr string, length time.Duration) *hall {
	h := &hall{addr: addr, over: make(chan struct{}), played: map[string]int{}}
	time.AfterFunc(length, func() { close(h.over) })
	return h
}

// fill returns when time is up and all have gone. What clients do depends on
// which wave of them it is, too.
func (h *hall) fill(n int, wave uint64) {
	for i := range n {
		s := &seat{hall: h, rng: rand.New(rand.NewPCG(*seed, wave+uint64(i)))}
		h.seats.Add(1)
		go func() {
			defer h.seats.Done()
			s.pause(0, rampUp)
			s.sit()
		}()
	}
	h.seats.Wait()
}

func (h *hall) fault(text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, text)
}

// complain reports faults, a few of them in full.
func complain(t *testing.T, whose string, faults []string) {
	t.Helper()
	for i, text := range faults {
		if i == 20 {
			t.Errorf("%s: and %d faults more", whose, len(faults)-i)
			return
		}
		t.Errorf("%s: %s", whose, text)
	}
}

func (h *hall) table() string {
	text := "plans played:"
	for _, p := range plans {
		text += fmt.Sprintf(" %s %d,", p.name, h.played[p.name])
	}
	return text[:len(text)-1] + fmt.Sprintf("\nbytes of answers checked: %.1f MB\n", float64(h.bytes.Load())/1e6)
}

// awaitEmpty waits for the last connection to go: lingering ends after 2 s.
func awaitEmpty(t *testing.T, srv *weir.Server) {
	t.Helper()
	for deadline := time.Now().Add(patience.Limit); ; {
		st := srv.Stats()
		if st.Connections == 0 && st.StreamsActive == 0 && st.PendingBytes == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("got %d connections, %d active streams and %d pending bytes when all clients have left, want none",
				st.Connections, st.StreamsActive, st.PendingBytes)
			return
		}
		<-time.After(10 * time.Millisecond)
	}
}
