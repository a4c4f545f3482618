//go:build soak && linux

package soak

import (
	"math/rand/v2"
	"syscall"
	"time"
)

// trouble lets things go wrong, one after the other, until time is up. Each
// is over before any limit that it could make somebody miss.
func (s *stage) trouble(rng *rand.Rand) {
	troubles := []struct {
		name  string
		cause func(rng *rand.Rand)
	}{
		{"the gateway is paused", func(*rand.Rand) { s.gateway.pause(2 * time.Second) }},
		{"an upstream is paused", func(rng *rand.Rand) { s.mocks[rng.IntN(len(s.mocks))].pause(2 * time.Second) }},
		{"all are paused", func(*rand.Rand) { s.pauseAll(time.Second) }},
		{"the log is not read", func(*rand.Rand) { s.hang(3 * time.Second) }},
		{"descriptors are missing", func(*rand.Rand) { s.takeDescriptors(time.Second) }},
		{"reloads", func(*rand.Rand) { s.reload(3) }},
	}
	end := time.Now().Add(*length)
	for i := 0; time.Now().Before(end); i++ {
		if i%len(troubles) == 0 { // each of them before any comes again
			rng.Shuffle(len(troubles), func(i, j int) { troubles[i], troubles[j] = troubles[j], troubles[i] })
		}
		it := troubles[i%len(troubles)]
		s.count("trouble: " + it.name)
		it.cause(rng)
		time.Sleep(time.Second)
		if i == 2*len(troubles)-1 {
			s.count("trouble: the reader of the log dies")
			s.gateway.log.die()
		}
	}
}

func (s *stage) pauseAll(d time.Duration) {
	for _, m := range s.mocks {
		m.signal(syscall.SIGSTOP)
	}
	s.gateway.pause(d)
	for _, m := range s.mocks {
		m.signal(syscall.SIGCONT)
	}
}

func (s *stage) hang(d time.Duration) {
	s.gateway.log.hang.Lock()
	defer s.gateway.log.hang.Unlock()
	time.Sleep(d)
}

// takeDescriptors leaves the gateway fewer than it has open.
func (s *stage) takeDescriptors(d time.Duration) {
	s.setShort(true)
	before := s.gateway.limit(uint64(s.gateway.descriptors() / 2))
	time.Sleep(d)
	s.gateway.limit(before)
	s.setShort(false)
}

func (s *stage) setShort(short bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.short, s.enough = short, time.Now()
}

func (s *stage) reload(times int) {
	for range times {
		s.reloads++
		s.gateway.write(s.mocks, s.reloads)
		s.gateway.signal(syscall.SIGHUP)
		time.Sleep(200 * time.Millisecond)
	}
}
