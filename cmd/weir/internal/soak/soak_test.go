//go:build soak && linux

// Package soak runs a gateway for a minute while everything around it goes
// wrong in turn: it is paused, its upstreams are paused, nobody reads its log,
// the reader of its log dies, its descriptors are taken away, its configuration
// is reloaded. Meanwhile clients send good prompts, prompts that every upstream
// answers with 500, and uploads that fall silent; they disconnect, and they stop
// reading:
//
//	go test -tags soak -v ./cmd/weir/internal/soak
//	go test -tags soak -v ./cmd/weir/internal/soak -for 20s -clients 20 -seed 7
//
// The gateway and its upstreams are processes of their own, built as users build
// them. What is asserted is that each good request gets its whole response,
// byte for byte, with one exception: while descriptors are missing it may get
// 503. At the end nothing is left over, and no upstream has been charged with
// anything but the 500s and the pauses of its own.
//
// Reading order: this file, process_test.go, clients_test.go, troubles_test.go,
// end_test.go.
package soak

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"weir/internal/leak"
)

var (
	length  = flag.Duration("for", time.Minute, "how long clients come")
	clients = flag.Int("clients", 40, "that are there at a time")
	seed    = flag.Uint64("seed", 1, "of what they and the troubles do")
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(leak.Check(m))
}

func TestGateway(t *testing.T) {
	s := open(t)
	before := s.settled(nil)
	var all sync.WaitGroup
	for i := range *clients {
		c := &client{stage: s, rng: rand.New(rand.NewPCG(*seed, uint64(i)))}
		all.Go(c.stay)
	}
	s.trouble(rand.New(rand.NewPCG(*seed, 1<<32)))
	close(s.over)
	all.Wait()
	s.report()
	s.settled(before)
	s.judge()
	s.close()
}

// stage is the gateway and all that is around it.
type stage struct {
	t       *testing.T
	gateway *gateway
	mocks   []*process
	over    chan struct{} // closed when clients are to end

	mu      sync.Mutex
	short   bool      // descriptors are missing
	enough  time.Time // since when they are not, again
	faults  []string
	counts  map[string]int // what was played, and what came of it
	reloads int
}

// open starts three upstreams, one of them over TLS, and the gateway.
func open(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, over: make(chan struct{}), counts: map[string]int{}}
	binary := build(t)
	certificate := t.TempDir() + "/upstream.pem"
	for i := range 3 {
		args := []string{"mock", "--listen", "127.0.0.1:0", "--ttft", "5ms", "--pace", "5ms", "--keep", "1"}
		if i == 0 {
			args = append(args, "--tls-cert", certificate)
		}
		s.mocks = append(s.mocks, start(t, nil, binary, args...))
	}
	s.gateway = serve(t, binary, certificate, s.mocks)
	return s
}

// fault notes what must not happen.
func (s *stage) fault(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
}

func (s *stage) count(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[what]++
}

// report fails the test with what clients have seen.
func (s *stage) report() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, text := range s.faults {
		if i == 20 {
			s.t.Errorf("and %d more", len(s.faults)-i)
			break
		}
		s.t.Error(text)
	}
}
